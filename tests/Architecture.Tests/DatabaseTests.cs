using System.Text.RegularExpressions;

namespace Payments.Architecture.Tests;

/// <summary>What SQL may not do, because of where it runs: behind a pooler that changes connections between transactions, and beside the version before.</summary>
public sealed partial class DatabaseTests
{
    /// <summary>What comes after the baseline meets rows, writers and the version before.</summary>
    private const int Baseline = 1;

    [Fact]
    public void Domain_Source_KeepsNothingInASession()
    {
        // The migrator alone holds a lock and settings for the life of its connection, and goes to the server itself.
        var offenders = RepositorySource.CSharpFiles("domain")
            .Where(file => !RepositorySource.Relative(file).StartsWith("domain/Database/Migrator", StringComparison.Ordinal))
            .SelectMany(file => SessionState().Matches(File.ReadAllText(file)).Select(match => $"{RepositorySource.Relative(file)}: {match.Value.Trim()}"));

        Assert.Empty(offenders);
    }

    [Theory]
    [InlineData("SELECT pg_advisory_lock(1)")]
    [InlineData("LISTEN outbox")]
    [InlineData("CREATE TEMP TABLE t (id int)")]
    [InlineData("SET statement_timeout = 5")]
    [InlineData("DECLARE c CURSOR WITH HOLD FOR SELECT 1")]
    public void SessionState_OfAnyKind_IsRecognised(string sql) => Assert.Matches(SessionState(), $"\"\"\"\n{sql}\n\"\"\"");

    [Fact]
    public void Migrations_AfterTheBaseline_CanRunUnderLoadAndBesideTheVersionBefore()
    {
        var offenders =
            from file in Directory.EnumerateFiles(Path.Combine(RepositorySource.Root, "domain/Database/Migrations"), "up.sql", SearchOption.AllDirectories)
            let name = Path.GetFileName(Path.GetDirectoryName(file))!
            where int.Parse(name[..4], System.Globalization.CultureInfo.InvariantCulture) > Baseline
            from problem in Problems(File.ReadAllText(file))
            select $"{name}: {problem}";

        Assert.Empty(offenders);
    }

    [Theory]
    [InlineData("CREATE INDEX charges_by_x ON payments.charges (x)", "an index is built beside the writes")]
    [InlineData("CREATE UNIQUE INDEX charges_by_x ON payments.charges (x)", "an index is built beside the writes")]
    [InlineData("ALTER TABLE payments.charges DROP COLUMN fee", "the version before still reads it")]
    [InlineData("ALTER TABLE payments.charges RENAME COLUMN fee TO costs", "the version before still reads it")]
    [InlineData("DROP TABLE payments.charges", "the version before still reads it")]
    [InlineData("ALTER TABLE payments.charges ALTER COLUMN fee TYPE numeric", "rewrites the table")]
    [InlineData("ALTER TABLE payments.charges ALTER COLUMN fee SET NOT NULL", "reads the whole table under its lock")]
    [InlineData("ALTER TABLE payments.charges ADD CONSTRAINT positive CHECK (fee > 0)", "reads the whole table under its lock")]
    [InlineData("ALTER TABLE payments.charges ADD COLUMN x text NOT NULL", "the version before does not fill it")]
    [InlineData("UPDATE payments.charges SET fee = 0", "is done in batches by a timer")]
    public void Problems_OfWhatHoldsOthersUp_AreNamed(string sql, string expected) => Assert.Contains(expected, Assert.Single(Problems(sql)), StringComparison.Ordinal);

    [Theory]
    [InlineData("-- migrate: no transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS charges_by_x ON payments.charges (x)")]
    [InlineData("CREATE TABLE payments.news (id uuid PRIMARY KEY); CREATE INDEX news_by_x ON payments.news (x)")]
    [InlineData("ALTER TABLE payments.charges ADD COLUMN x text")]
    [InlineData("ALTER TABLE payments.charges ADD COLUMN x bigint NOT NULL DEFAULT 0")]
    [InlineData("ALTER TABLE payments.charges ADD CONSTRAINT positive CHECK (fee > 0) NOT VALID")]
    [InlineData("ALTER TABLE payments.charges VALIDATE CONSTRAINT positive")]
    public void Problems_OfWhatHoldsNobodyUp_AreNone(string sql) => Assert.Empty(Problems(sql));

    private static IEnumerable<string> Problems(string script)
    {
        var sql = Comment().Replace(script, "");
        var made = NewTable().Matches(sql).Select(match => match.Groups[1].Value).ToHashSet(StringComparer.OrdinalIgnoreCase);
        foreach (var statement in sql.Split(';').Select(text => text.Trim()).Where(text => text.Length > 0))
        {
            if (Target().Match(statement) is { Success: true } target && made.Contains(target.Groups[1].Value))
                continue;
            foreach (var (pattern, problem) in Rules())
            {
                if (pattern.IsMatch(statement))
                    yield return $"{statement.Split('\n')[0]}: {problem}";
            }
        }
    }

    private static IEnumerable<(Regex Pattern, string Problem)> Rules() =>
    [
        (PlainIndex(), "an index is built beside the writes, by CREATE INDEX CONCURRENTLY in a script of its own that begins with '-- migrate: no transaction'"),
        (Removal(), "the version before still reads it: take it away a release later"),
        (ChangedType(), "rewrites the table: add a column and fill it"),
        (NotNull(), "reads the whole table under its lock: add a CHECK that is NOT VALID, and validate it in a migration of its own"),
        (ValidatedConstraint(), "reads the whole table under its lock: add it NOT VALID, and validate it in a migration of its own"),
        (ColumnWithoutDefault(), "the version before does not fill it: give it a default"),
        (WholeTable(), "is done in batches by a timer, not under a migration's locks"),
    ];

    [GeneratedRegex(@"\bpg_advisory_lock\s*\(|\bpg_try_advisory_lock\s*\(|^\s*(?:UN)?LISTEN\s+\w+|\bCREATE\s+(?:LOCAL\s+|GLOBAL\s+)?TEMP(?:ORARY)?\b|(?<=["";]\s*)SET\s+(?!LOCAL\b|TRANSACTION\b)\w+\s*(?:=|TO)\s|\bWITH\s+HOLD\b", RegexOptions.Multiline)]
    private static partial Regex SessionState();

    [GeneratedRegex(@"--[^\n]*")]
    private static partial Regex Comment();

    [GeneratedRegex(@"CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?([\w.]+)", RegexOptions.IgnoreCase)]
    private static partial Regex NewTable();

    [GeneratedRegex(@"(?:\bON|ALTER\s+TABLE(?:\s+IF\s+EXISTS)?|^UPDATE|^DELETE\s+FROM)\s+([\w.]+)", RegexOptions.IgnoreCase)]
    private static partial Regex Target();

    [GeneratedRegex(@"^CREATE\s+(?:UNIQUE\s+)?INDEX\s+(?!CONCURRENTLY\b)", RegexOptions.IgnoreCase)]
    private static partial Regex PlainIndex();

    [GeneratedRegex(@"\bDROP\s+(?:COLUMN|TABLE|VIEW|FUNCTION|SCHEMA)\b|\bRENAME\b", RegexOptions.IgnoreCase)]
    private static partial Regex Removal();

    [GeneratedRegex(@"\bALTER\s+(?:COLUMN\s+)?\w+\s+(?:SET\s+DATA\s+)?TYPE\b", RegexOptions.IgnoreCase)]
    private static partial Regex ChangedType();

    [GeneratedRegex(@"\bSET\s+NOT\s+NULL\b", RegexOptions.IgnoreCase)]
    private static partial Regex NotNull();

    [GeneratedRegex(@"\bADD\s+CONSTRAINT\b(?![\s\S]*\bNOT\s+VALID\b)", RegexOptions.IgnoreCase)]
    private static partial Regex ValidatedConstraint();

    [GeneratedRegex(@"\bADD\s+COLUMN\b(?![^,]*\bDEFAULT\b)[^,]*\bNOT\s+NULL\b", RegexOptions.IgnoreCase)]
    private static partial Regex ColumnWithoutDefault();

    [GeneratedRegex(@"^(?:UPDATE|DELETE)\b", RegexOptions.IgnoreCase)]
    private static partial Regex WholeTable();
}
