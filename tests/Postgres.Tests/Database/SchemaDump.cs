using Dapper;
using Npgsql;

namespace Payments.Postgres.Tests.Database;

/// <summary>
/// The whole schema as lines of text that two databases can be compared by: relations, columns, constraints, indexes, views, triggers, functions, grants, storage
/// settings and comments. The order of columns is left out, since a migration can only add a column at the end.
/// </summary>
internal static class SchemaDump
{
    private const string Sql =
        """
        WITH relations AS (
            SELECT c.* FROM pg_class c WHERE c.relnamespace IN ('payments'::regnamespace, 'ledger'::regnamespace)
        )
        SELECT format('schema %s grants %s', n.nspname, sorted.list) AS line
        FROM pg_namespace n, LATERAL (SELECT string_agg(x::text, ',' ORDER BY x::text) AS list FROM unnest(n.nspacl) x) sorted
        WHERE n.nspname IN ('payments', 'ledger')
        UNION ALL
        SELECT format('default grants of %s on %s: %s', coalesce(n.nspname, 'all schemas'), d.defaclobjtype,
            (SELECT string_agg(x::text, ',' ORDER BY x::text) FROM unnest(d.defaclacl) x))
        FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace
        UNION ALL
        SELECT format('relation %s kind %s settings %s grants %s owner %s partitions %s %s comment %s', c.oid::regclass, c.relkind,
            (SELECT string_agg(o, ',' ORDER BY o) FROM unnest(c.reloptions) o), (SELECT string_agg(x::text, ',' ORDER BY x::text) FROM unnest(c.relacl) x),
            c.relowner::regrole, pg_get_partkeydef(c.oid), pg_get_expr(c.relpartbound, c.oid), obj_description(c.oid, 'pg_class'))
        FROM relations c WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'i', 'I')
        UNION ALL
        SELECT format('column %s.%s %s collation %s not null %s default %s identity %s generated %s storage %s comment %s', c.oid::regclass, a.attname,
            format_type(a.atttypid, a.atttypmod), l.collname, a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attidentity, a.attgenerated, a.attstorage,
            col_description(c.oid, a.attnum))
        FROM relations c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        LEFT JOIN pg_collation l ON l.oid = a.attcollation
        WHERE c.relkind IN ('r', 'p', 'v', 'm')
        UNION ALL
        SELECT format('constraint %s %s', k.conrelid::regclass, pg_get_constraintdef(k.oid))
        FROM pg_constraint k JOIN relations c ON c.oid = k.conrelid WHERE k.contype <> 'n'
        UNION ALL
        SELECT format('index %s', pg_get_indexdef(i.indexrelid)) FROM pg_index i JOIN relations c ON c.oid = i.indexrelid
        UNION ALL
        SELECT format('view %s %s', c.oid::regclass, pg_get_viewdef(c.oid)) FROM relations c WHERE c.relkind = 'v'
        UNION ALL
        SELECT format('trigger %s enabled %s', pg_get_triggerdef(t.oid), t.tgenabled) FROM pg_trigger t JOIN relations c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal
        UNION ALL
        SELECT format('function %s grants %s owner %s %s', p.oid::regprocedure, (SELECT string_agg(x::text, ',' ORDER BY x::text) FROM unnest(p.proacl) x),
            p.proowner::regrole, pg_get_functiondef(p.oid))
        FROM pg_proc p WHERE p.pronamespace IN ('payments'::regnamespace, 'ledger'::regnamespace)
        """;

    public static async Task<IReadOnlyList<string>> ReadAsync(NpgsqlDataSource dataSource, CancellationToken ct)
    {
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        return [.. (await connection.QueryAsync<string>(new CommandDefinition(Sql, cancellationToken: ct))).Order(StringComparer.Ordinal)];
    }
}
