using Npgsql;
using NpgsqlTypes;

namespace Payments.Domain.Database;

/// <summary>Turns a list of rows into one array parameter for each column, for statements that <c>unnest</c> them.</summary>
public static class Columns
{
    public static NpgsqlParameter Of<TRow, TValue>(IReadOnlyList<TRow> rows, Func<TRow, TValue> column, NpgsqlDbType type)
    {
        var values = new TValue[rows.Count];
        for (var i = 0; i < values.Length; i++)
            values[i] = column(rows[i]);
        return new NpgsqlParameter { Value = values, NpgsqlDbType = NpgsqlDbType.Array | type };
    }
}
