using System.Globalization;
using System.Text;
using Npgsql;
using NpgsqlTypes;

namespace Payments.Domain.Database;

/// <summary>Bounds of a value, both inclusive; null is open.</summary>
public readonly record struct Bounds<T>(T? Least, T? Most)
    where T : struct
{
    public bool IsOpen => Least is null && Most is null;
}

/// <summary>
/// A page of a merchant's rows, newest first. Only the filters that are given become part of the statement, so that each combination has a plan of its own through
/// an index that begins with the merchant. Ids sort by time: the cursor is the id of the last row of the page before, which no later row can shift.
/// </summary>
internal sealed class ListQuery
{
    // Ids are made in the millisecond of created_at; a little more than any doubt about it.
    private static readonly TimeSpan IdSlack = TimeSpan.FromMinutes(1);

    private readonly StringBuilder _text;
    private readonly List<NpgsqlParameter> _parameters = [];
    private readonly string _alias;

    /// <param name="selectFrom">A constant statement up to its FROM clause.</param>
    /// <param name="alias">The table's alias in it.</param>
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

    /// <summary>A constant condition, such as what makes a partial index fit.</summary>
    public ListQuery And(string condition)
    {
        _text.Append(" AND ").Append(_alias).Append('.').Append(condition);
        return this;
    }

    /// <summary>A condition of its own, with <c>{0}</c> for the value and <c>$1</c> for the merchant.</summary>
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

    /// <summary>Bounds <c>created_at</c>, and the ids with it: so the index on ids serves the range.</summary>
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

    /// <summary>Behind the last row of the page before.</summary>
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

    /// <summary>The first or the last id that can be made in the millisecond (RFC 9562, version 7: 48 bits of milliseconds lead).</summary>
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
