using Microsoft.Extensions.Logging;
using Npgsql;
using Payments.Domain.Database;
using Payments.Domain.Messaging;

namespace Payments.Domain.Charges;

/// <summary>
/// Raises an alert for each attempt that stays open for too long: one event for the merchant, and one error in the log for the operators.
/// The gauges of open attempts show it all the time. The resolver keeps asking. An operator who finds the outcome settles the attempt by
/// hand.
/// </summary>
public sealed class OverdueAttempts(NpgsqlDataSource dataSource, OutboxSignal signal, TimeProvider time, ILogger<OverdueAttempts> log)
{
    /// <summary>How long an outcome may stay unknown. A provider that works knows it within seconds.</summary>
    public static readonly TimeSpan UnknownLimit = TimeSpan.FromHours(1);

    /// <summary>How long an attempt may stay pending at a provider. Card refunds take up to ten business days.</summary>
    public static readonly TimeSpan PendingLimit = TimeSpan.FromDays(14);

    /// <summary>Marks at most <paramref name="limit"/> attempts that became overdue, and raises their alerts. Returns how many.</summary>
    public async Task<int> RunAsync(int limit, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        var late = await MarkAsync(connection, transaction, now, limit, ct);
        await EventLog.AppendAsync(
            connection, transaction,
            [.. late.Select(a => new DomainEvent(PrefixedId.New<EventId>(now), a.Merchant, "attempt.overdue", "attempt", a.Id.Value, OperatorAttemptResource.Text(a), now))], ct);
        await transaction.CommitAsync(ct);
        foreach (var attempt in late)
            ChargeLog.Overdue(log, attempt.Operation, attempt.Reference, attempt.Provider, attempt.CreatedAt);
        if (late.Count > 0)
            signal.Set();
        return late.Count;
    }

    private static async Task<List<Attempt>> MarkAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, DateTimeOffset now, int limit, CancellationToken ct)
    {
        await using var batch = new NpgsqlBatch(connection, transaction)
        {
            BatchCommands =
            {
                new(KeptPlans.Use),
                new(ChargeSql.RecordDueFirstAttempts) { Parameters = { new() { Value = now }, new() { Value = limit } } },
                new(AttemptSql.MarkOverdue) { Parameters = { new() { Value = now }, new() { Value = now - UnknownLimit }, new() { Value = now - PendingLimit }, new() { Value = limit } } },
            },
        };
        var late = new List<Attempt>();
        await using var row = await batch.ExecuteReaderAsync(ct);
        await row.NextResultAsync(ct);
        await row.NextResultAsync(ct);
        while (await row.ReadAsync(ct))
            late.Add(ChargeRows.ReadAttempt(row, ChargeRows.ReadCharge(row), ChargeRows.ChargeWidth));
        return late;
    }
}
