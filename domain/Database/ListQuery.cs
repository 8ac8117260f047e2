using System.Globalization;
using System.Text;
using Npgsql;
using NpgsqlTypes;

namespace Payments.Domain.Database;

/// <summary>Bounds of a value, both inclusive. Null means no bound.</summary>
public readonly record struct Bounds<T>(T? Least, T? Most)
    where T : struct
{
    public bool IsOpen => Least is null && Most is null;
}

/// <summary>
/// A page of a merchant's rows, newest first. The statement contains only the given filters, so each combination has its own plan on an
/// index that begins with the merchant. Ids sort by time. The cursor is the id of the last row of the previous page, so later rows do not
/// shift the pages.
/// </summary>
internal sealed class ListQuery
{
    // The time in an id is the millisecond of created_at. The slack is larger than any difference between the two.
    private static readonly TimeSpan IdSlack = TimeSpan.FromMinutes(1);

    private readonly StringBuilder _text;
    private readonly List<NpgsqlParameter> _parameters = [];
    private readonly string _alias;

    /// <param name="selectFrom">A constant statement up to its FROM clause.</param>
    /// <param name="alias">The table's alias in that statement.</param>
    public ListQuery(string selectFrom, string alias, MerchantId merchant)
    {
        _alias = alias;
        _text = new StringBuilder(selectFrom).Append(" WHERE ");
        Condition("merchant_id", "=", merchant.Value, NpgsqlDbType.Uuid);
    }

    public ListQuery Equal(string column, object? value, NpgsqlDbType type)
    {
        if (value is not null)
            Condition(column, "=", value, type);
        return this;
    }

    /// <summary>Adds a constant condition, for example the predicate of a partial index.</summary>
    public ListQuery And(string condition)
    {
        _text.Append(" AND ").Append(_alias).Append('.').Append(condition);
        return this;
    }

    /// <summary>Adds a condition in which <c>{0}</c> stands for the value and <c>$1</c> for the merchant.</summary>
    public ListQuery Matches(string condition, object value, NpgsqlDbType type)
    {
        var (before, after) = (condition[..condition.IndexOf("{0}", StringComparison.Ordinal)], condition[(condition.IndexOf("{0}", StringComparison.Ordinal) + 3)..]);
        _text.Append(" AND ").Append(before);
        Parameter(value, type);
        _text.Append(after);
        return this;
    }

    public ListQuery Within(string column, Bounds<long> bounds)
    {
        if (bounds.Least is { } value && bounds.Least == bounds.Most)
            return Equal(column, value, NpgsqlDbType.Bigint);
        if (bounds.Least is { } least)
            Condition(column, ">=", least, NpgsqlDbType.Bigint);
        if (bounds.Most is { } most)
            Condition(column, "<=", most, NpgsqlDbType.Bigint);
        return this;
    }

    /// <summary>Bounds <c>created_at</c> and with it the ids, so that the index on ids serves the range.</summary>
    public ListQuery Created(Bounds<DateTimeOffset> created)
    {
        if (created.Least is { } least)
        {
            Condition("created_at", ">=", least.ToUniversalTime(), NpgsqlDbType.TimestampTz);
            Condition("id", ">=", IdAt(least - Slack(least, down: true), 0x00), NpgsqlDbType.Uuid);
        }

        if (created.Most is { } most)
        {
            Condition("created_at", "<=", most.ToUniversalTime(), NpgsqlDbType.TimestampTz);
            Condition("id", "<=", IdAt(most + Slack(most, down: false), 0xff), NpgsqlDbType.Uuid);
        }

        return this;
    }

    /// <summary>Continues after the last row of the previous page.</summary>
    public ListQuery After(Guid? id)
    {
        if (id is { } last)
            Condition("id", "<", last, NpgsqlDbType.Uuid);
        return this;
    }

    public NpgsqlCommand Limit(NpgsqlDataSource dataSource, int limit)
    {
        _text.Append(" ORDER BY ").Append(_alias).Append(".id DESC LIMIT ");
        Parameter(limit, NpgsqlDbType.Integer);
        var command = dataSource.CreateCommand(_text.ToString());
        command.Parameters.AddRange(_parameters.ToArray());
        return command;
    }

    private static TimeSpan Slack(DateTimeOffset time, bool down) =>
        (down ? time - DateTimeOffset.UnixEpoch : DateTimeOffset.MaxValue - time) > IdSlack ? IdSlack : TimeSpan.Zero;

    /// <summary>The first or the last id of a millisecond (RFC 9562, version 7: 48 bits of milliseconds lead).</summary>
    private static Guid IdAt(DateTimeOffset time, byte rest)
    {
        var milliseconds = Math.Clamp(time.ToUnixTimeMilliseconds(), 0, (1L << 48) - 1);
        Span<byte> id = stackalloc byte[16];
        id.Fill(rest);
        for (var i = 0; i < 6; i++)
            id[i] = (byte)((milliseconds >> (8 * (5 - i))) & 0xff);
        return new Guid(id, bigEndian: true);
    }

    private void Condition(string column, string comparison, object value, NpgsqlDbType type)
    {
        if (_parameters.Count > 0)
            _text.Append(" AND ");
        _text.Append(_alias).Append('.').Append(column).Append(' ').Append(comparison).Append(' ');
        Parameter(value, type);
    }

    private void Parameter(object value, NpgsqlDbType type)
    {
        _parameters.Add(new NpgsqlParameter { Value = value, NpgsqlDbType = type });
        _text.Append(CultureInfo.InvariantCulture, $"${_parameters.Count}");
    }
}
