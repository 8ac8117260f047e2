using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Dapper;
using Npgsql;
using Payments.Domain.Database;

namespace Payments.Postgres.Tests.Database;

/// <summary>Writes docs/schema.md from the catalogue of a migrated database: the comments there are the text.</summary>
internal static partial class SchemaDocument
{
    private sealed record Relation(string Name, string Kind, string Comment);

    private sealed record Column(string Relation, string Name, string Type, bool IsRequired, bool IsKey, string? Comment);

    private sealed record Index(string Relation, string Definition, string? Comment);

    public static async Task<string> WriteAsync(NpgsqlDataSource dataSource, CancellationToken ct)
    {
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        var relations = (await connection.QueryAsync<Relation>(new CommandDefinition(Relations, cancellationToken: ct))).ToDictionary(relation => relation.Name);
        var columns = (await connection.QueryAsync<Column>(new CommandDefinition(ColumnsOfRelations, cancellationToken: ct))).ToLookup(column => column.Relation);
        var indexes = (await connection.QueryAsync<Index>(new CommandDefinition(Indexes, cancellationToken: ct))).ToLookup(index => index.Relation);
        var homes = SchemaFiles.Capabilities
            .SelectMany(capability => Created().Matches(SchemaFiles.Read(capability)).Select(match => (Name: match.Groups[1].Value, capability)))
            .ToDictionary(pair => pair.Name, pair => pair.capability, StringComparer.Ordinal);

        var text = new StringBuilder(
            """
            # Schema
            Every table, with what its columns mean. The text comes from the comments in the `schema.sql` files of the capabilities, and a test keeps it up to date.
            Amounts are minor units, times are UTC. Lines in the diagrams follow the names of columns; most of them are not foreign keys, so that no charge waits for another row's lock.

            """);
        foreach (var capability in SchemaFiles.Capabilities)
        {
            var own = homes.Where(home => home.Value == capability).Select(home => relations.GetValueOrDefault(home.Key)).OfType<Relation>().ToList();
            if (own.Count > 0)
                Write(text, capability, own, columns, indexes, homes);
        }

        return text.ToString();
    }

    private static void Write(
        StringBuilder text, string capability, List<Relation> own, ILookup<string, Column> columns, ILookup<string, Index> indexes, Dictionary<string, string> homes)
    {
        Line(text, "");
        Line(text, $"## {capability}");
        Line(text, $"Source: [`domain/{capability}/schema.sql`](../domain/{capability}/schema.sql)");
        Line(text, "");
        WriteDiagram(text, own, columns, homes);
        foreach (var relation in own)
        {
            Line(text, "");
            Line(text, $"### {relation.Name}{(relation.Kind == "v" ? " (view)" : "")}");
            Line(text, relation.Comment);
            Line(text, "");
            Line(text, "| column | type | |");
            Line(text, "|---|---|---|");
            foreach (var column in columns[relation.Name])
                Line(text, $"| {column.Name} | {column.Type}{(column.IsRequired || relation.Kind == "v" ? "" : ", may be NULL")} | {column.Comment?.Replace("|", "\\|", StringComparison.Ordinal)} |");
            if (!indexes[relation.Name].Any())
                continue;
            Line(text, "");
            foreach (var index in indexes[relation.Name])
                Line(text, $"- `{index.Definition}`{(index.Comment is null ? "" : $": {index.Comment}")}");
        }
    }

    private static void WriteDiagram(StringBuilder text, List<Relation> own, ILookup<string, Column> columns, Dictionary<string, string> homes)
    {
        Line(text, "```mermaid");
        Line(text, "erDiagram");
        foreach (var table in own.Where(relation => relation.Kind != "v"))
        {
            Line(text, $"    {Entity(table.Name)} {{");
            foreach (var column in columns[table.Name])
                Line(text, $"        {NotAWord().Replace(column.Type, "_").Trim('_')} {column.Name}{(column.IsKey ? " PK" : "")}");
            Line(text, "    }");
        }

        foreach (var table in own.Where(relation => relation.Kind != "v"))
        {
            foreach (var column in columns[table.Name].Where(column => column.Name.EndsWith("_id", StringComparison.Ordinal) && column.Type is "uuid" or "integer"))
            {
                if (Target(table.Name, column.Name[..^3], homes) is { } target)
                    Line(text, $"    {Entity(target)} ||--o{{ {Entity(table.Name)} : {column.Name}");
            }
        }

        Line(text, "```");
    }

    /// <summary>The table that a column such as <c>charge_id</c> names. Lines to merchants would be everywhere, so they are left out.</summary>
    private static string? Target(string table, string noun, Dictionary<string, string> homes)
    {
        if (noun == "merchant")
            return null;
        var plural = noun.EndsWith('y') ? $"{noun[..^1]}ies" : $"{noun}s";
        return homes.Keys
            .Where(name => name != table && name.Split('.')[0] == table.Split('.')[0])
            .Where(name => Entity(name) == plural || Entity(name).EndsWith($"_{plural}", StringComparison.Ordinal))
            .OrderByDescending(name => Entity(name) == plural).ThenByDescending(name => homes[name] == homes[table]).ThenBy(name => name, StringComparer.Ordinal)
            .FirstOrDefault();
    }

    private static string Entity(string name) => name[(name.IndexOf('.', StringComparison.Ordinal) + 1)..];

    private static void Line(StringBuilder text, string line) => text.Append(CultureInfo.InvariantCulture, $"{line}\n");

    [GeneratedRegex(@"^CREATE (?:TABLE|VIEW) ([\w.]+)", RegexOptions.Multiline)]
    private static partial Regex Created();

    [GeneratedRegex(@"\W+")]
    private static partial Regex NotAWord();

    private const string Relations =
        """
        SELECT c.oid::regclass::text AS name, c.relkind::text AS kind, coalesce(obj_description(c.oid, 'pg_class'), '') AS comment
        FROM pg_class c
        WHERE c.relnamespace IN ('payments'::regnamespace, 'ledger'::regnamespace) AND c.relkind IN ('r', 'p', 'v', 'm') AND NOT c.relispartition
        """;

    private const string ColumnsOfRelations =
        """
        SELECT c.oid::regclass::text AS relation, a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS isrequired,
            coalesce(a.attnum = ANY (k.conkey), false) AS iskey, col_description(c.oid, a.attnum) AS comment
        FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p'
        WHERE c.relnamespace IN ('payments'::regnamespace, 'ledger'::regnamespace) AND c.relkind IN ('r', 'p', 'v', 'm')
        ORDER BY c.oid, a.attnum
        """;

    private const string Indexes =
        """
        SELECT i.indrelid::regclass::text AS relation, regexp_replace(pg_get_indexdef(i.indexrelid), '^CREATE (UNIQUE )?INDEX (\S+) ON (?:ONLY )?\S+ USING (.*)$', '\2: \1\3') AS definition,
            obj_description(i.indexrelid, 'pg_class') AS comment
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        WHERE c.relnamespace IN ('payments'::regnamespace, 'ledger'::regnamespace) AND NOT i.indisprimary AND NOT c.relispartition
        ORDER BY i.indrelid, c.relname
        """;
}
