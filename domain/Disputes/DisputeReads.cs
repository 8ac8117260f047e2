using System.Globalization;
using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Database;

namespace Payments.Domain.Disputes;

/// <summary>One entry of a dispute's history.</summary>
/// <param name="ReceivedAt">UTC. When the platform received the update.</param>
public sealed record DisputeHistoryEntry(DisputeUpdate Update, DateTimeOffset ReceivedAt);

/// <summary>
/// The end of a page of updates that wait for their charge. The next page has later updates, and those of the same instant with a greater
/// fingerprint.
/// </summary>
public readonly record struct UnmatchedCursor(DateTimeOffset ReceivedAt, Guid Fingerprint)
{
    public static UnmatchedCursor After(DisputeHistoryEntry entry) => new(entry.ReceivedAt, entry.Update.Fingerprint());

    /// <summary>Parses the text of <see cref="ToString"/>.</summary>
    public static bool TryParse(string? text, out UnmatchedCursor cursor)
    {
        cursor = default;
        var parts = text?.Split('-');
        if (parts is not [var ticks, var fingerprint] || !long.TryParse(ticks, NumberStyles.None, CultureInfo.InvariantCulture, out var utc)
            || utc > DateTimeOffset.MaxValue.UtcTicks || !Guid.TryParseExact(fingerprint, "N", out var id))
        {
            return false;
        }

        cursor = new UnmatchedCursor(new DateTimeOffset(utc, TimeSpan.Zero), id);
        return true;
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{ReceivedAt.UtcTicks}-{Fingerprint:N}");
}

/// <summary>Reads disputes. It changes nothing.</summary>
public sealed class DisputeReads(NpgsqlDataSource dataSource)
{
    public async Task<Dispute?> GetAsync(MerchantId merchant, DisputeId id, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(DisputeSql.Get);
        command.Parameters.Add(Uuid(merchant.Value));
        command.Parameters.Add(Uuid(id.Value));
        return (await ReadAsync(command, DisputeRows.Read, ct)).SingleOrDefault();
    }

    /// <summary>Soonest <c>evidence_due_by</c> first, disputes without a date last.</summary>
    /// <param name="after">The last dispute of the previous page, or null for the first page.</param>
    /// <param name="dueBefore">UTC, exclusive.</param>
    public async Task<IReadOnlyList<Dispute>> ListByDueDateAsync(
        MerchantId merchant, DisputeId? after, DisputeStatus? status, DateTimeOffset? dueBefore, int limit, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(DisputeSql.ListByDueDate);
        command.Parameters.Add(Uuid(merchant.Value));
        command.Parameters.Add(Uuid(after?.Value));
        command.Parameters.Add(new NpgsqlParameter { Value = (object?)(status is { } s ? DbText.Of(s) : null) ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text });
        command.Parameters.Add(new NpgsqlParameter { Value = (object?)dueBefore?.UtcDateTime ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.TimestampTz });
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = limit });
        return await ReadAsync(command, DisputeRows.Read, ct);
    }

    /// <summary>The disputes of one charge, oldest first. Early warnings and chargebacks are often separate disputes.</summary>
    public async Task<IReadOnlyList<Dispute>> OfChargeAsync(MerchantId merchant, ChargeId charge, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(DisputeSql.OfCharge);
        command.Parameters.Add(Uuid(merchant.Value));
        command.Parameters.Add(Uuid(charge.Value));
        return await ReadAsync(command, DisputeRows.Read, ct);
    }

    /// <summary>All updates of a dispute, in the order of <see cref="DisputeHistory.Sort"/>. Empty if the dispute does not exist.</summary>
    public async Task<IReadOnlyList<DisputeHistoryEntry>> HistoryAsync(MerchantId merchant, DisputeId id, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(DisputeSql.History);
        command.Parameters.Add(Uuid(merchant.Value));
        command.Parameters.Add(Uuid(id.Value));
        var entries = (await ReadAsync(command, ReadEntry, ct)).ToDictionary(entry => entry.Update.Fingerprint());
        return [.. DisputeHistory.Sort(entries.Values.Select(entry => entry.Update)).Select(update => entries[update.Fingerprint()])];
    }

    /// <summary>For operators: updates that wait for their charge, oldest first.</summary>
    public async Task<IReadOnlyList<DisputeHistoryEntry>> ListUnmatchedAsync(string? provider, UnmatchedCursor? after, int limit, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(DisputeSql.ListUnmatched);
        command.Parameters.Add(new NpgsqlParameter { Value = (object?)provider ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text });
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = limit });
        command.Parameters.Add(new NpgsqlParameter { Value = (object?)after?.ReceivedAt.UtcDateTime ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.TimestampTz });
        command.Parameters.Add(Uuid(after?.Fingerprint));
        return await ReadAsync(command, ReadEntry, ct);
    }

    private static DisputeHistoryEntry ReadEntry(NpgsqlDataReader row) =>
        new(DisputeRows.ReadUpdate(row), new DateTimeOffset(row.GetDateTime(17), TimeSpan.Zero));

    private static async Task<List<T>> ReadAsync<T>(NpgsqlCommand command, Func<NpgsqlDataReader, T> read, CancellationToken ct)
    {
        var rows = new List<T>();
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
        {
            rows.Add(read(reader));
        }

        return rows;
    }

    private static NpgsqlParameter Uuid(Guid? value) => new() { Value = (object?)value ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Uuid };
}
