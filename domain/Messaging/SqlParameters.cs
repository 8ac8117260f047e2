using Npgsql;
using NpgsqlTypes;

namespace Payments.Domain.Messaging;

/// <summary>Typed positional parameters: one value, or a column of many rows.</summary>
internal static class SqlParameters
{
    public static NpgsqlParameter Uuid(Guid? value) => Of(value, NpgsqlDbType.Uuid);

    public static NpgsqlParameter Text(string? value) => Of(value, NpgsqlDbType.Text);

    public static NpgsqlParameter Int(int value) => Of(value, NpgsqlDbType.Integer);

    public static NpgsqlParameter Time(DateTimeOffset? value) => Of(value?.UtcDateTime, NpgsqlDbType.TimestampTz);

    public static NpgsqlParameter Bytes(byte[]? value) => Of(value, NpgsqlDbType.Bytea);

    public static NpgsqlParameter Texts(IEnumerable<string> values) => Of(values.ToArray(), NpgsqlDbType.Array | NpgsqlDbType.Text);

    public static NpgsqlParameter Column<T>(IEnumerable<T> values, NpgsqlDbType type) => Of(values.ToArray(), NpgsqlDbType.Array | type);

    public static NpgsqlParameter Times<T>(IEnumerable<T> rows, Func<T, DateTimeOffset?> time) =>
        Column(rows.Select(row => time(row)?.UtcDateTime), NpgsqlDbType.TimestampTz);

    private static NpgsqlParameter Of(object? value, NpgsqlDbType type) => new() { Value = value ?? DBNull.Value, NpgsqlDbType = type };
}
