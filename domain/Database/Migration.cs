using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace Payments.Domain.Database;

/// <summary>
/// One numbered step of the schema, embedded in this assembly as <c>Migrations/NNNN_name/up.sql</c>. Number 1 is the baseline. Until a release freezes it
/// in a folder of its own, the baseline is <see cref="SchemaFiles.All"/>.
/// </summary>
/// <param name="Number">Unique. Migrations are applied in the order of their numbers.</param>
/// <param name="Name">The folder's name after the number.</param>
/// <param name="Sql">The script. It is applied once, in one transaction unless its first line says otherwise.</param>
public sealed partial record Migration(int Number, string Name, string Sql)
{
    private const int BaselineNumber = 1;

    private static readonly Lazy<IReadOnlyList<Migration>> LazyEmbedded = new(Load);

    /// <summary>Every migration of this build, by number.</summary>
    public static IReadOnlyList<Migration> Embedded => LazyEmbedded.Value;

    /// <summary>SHA-256 of the script in hexadecimal, independent of the line endings of the checkout.</summary>
    public string Checksum { get; } =
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Sql.ReplaceLineEndings("\n"))));

    /// <summary>
    /// Whether the script's first line is <c>-- migrate: no transaction</c>. Such a script is one statement that Postgres runs only outside
    /// of a transaction, for example CREATE INDEX CONCURRENTLY IF NOT EXISTS. Running it again after an interruption must be harmless.
    /// </summary>
    public bool OutsideTransaction { get; } = Sql.StartsWith("-- migrate: no transaction", StringComparison.Ordinal);

    public override string ToString() => $"{Number:0000}_{Name}";

    private static Migration[] Load()
    {
        var assembly = typeof(Migration).Assembly;
        var migrations = assembly.GetManifestResourceNames()
            .Select(name => (Name: name, Match: ResourceName().Match(name)))
            .Where(resource => resource.Match.Success)
            .Select(resource => new Migration(
                int.Parse(resource.Match.Groups["number"].ValueSpan, System.Globalization.CultureInfo.InvariantCulture),
                resource.Match.Groups["name"].Value,
                Read(assembly, resource.Name)))
            .ToList();
        if (!migrations.Exists(migration => migration.Number == BaselineNumber))
            migrations.Add(new Migration(BaselineNumber, "baseline", SchemaFiles.All));
        var twice = migrations.GroupBy(migration => migration.Number).FirstOrDefault(group => group.Count() > 1);
        return twice is null
            ? [.. migrations.OrderBy(migration => migration.Number)]
            : throw new InvalidOperationException($"Migrations {string.Join(" and ", twice)} share a number.");
    }

    private static string Read(Assembly assembly, string resource)
    {
        using var reader = new StreamReader(assembly.GetManifestResourceStream(resource)!);
        return reader.ReadToEnd();
    }

    [GeneratedRegex(@"^migrations[/\\](?<number>\d{4})_(?<name>[a-z0-9_]+)[/\\]up\.sql$")]
    private static partial Regex ResourceName();
}
