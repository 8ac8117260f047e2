using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Database;
using Payments.Domain.Messaging;

namespace Payments.Domain.Disputes;

/// <summary>
/// Handles the deadlines of disputes that await a response. It reminds the merchant 7, 3 and 1 days before evidence is due, and expires
/// disputes without an answer. It depends on dates, not on its last run: after downtime it sends only the nearest reminder.
/// </summary>
public sealed class DisputeDeadlines(NpgsqlDataSource dataSource, DisputeIngestion ingestion, OutboxSignal outbox, TimeProvider time, ILogger<DisputeDeadlines> logger)
{
    /// <summary>The days before the due date on which merchants are reminded, the nearest first.</summary>
    private static readonly short[] ReminderDays = [1, 3, 7];

    private const string DueWithin =
        $"""
        SELECT {DisputeSql.Columns}
        FROM payments.disputes d
        LEFT JOIN payments.dispute_reminders r
            ON r.merchant_id = d.merchant_id AND r.dispute_id = d.id AND r.evidence_due_by = d.evidence_due_by AND r.days <= $3
        WHERE d.status IN ('needs_response', 'warning_needs_response') AND d.evidence_due_by > $1 AND d.evidence_due_by <= $2 AND r.days IS NULL
        ORDER BY d.merchant_id, d.id
        LIMIT $4
        FOR UPDATE OF d SKIP LOCKED
        """;

    private const string Remember =
        """
        INSERT INTO payments.dispute_reminders (bucket, merchant_id, dispute_id, evidence_due_by, days, reminded_at)
        SELECT payments.bucket_of(merchant_id), merchant_id, dispute_id, evidence_due_by, $4, $5
        FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS t (merchant_id, dispute_id, evidence_due_by)
        ON CONFLICT DO NOTHING
        RETURNING dispute_id
        """;

    // An inquiry without an answer stays open: no money has moved, and the provider reports its end.
    private const string Overdue =
        $"""
        SELECT {DisputeSql.Columns}
        FROM payments.disputes d
        WHERE d.status = 'needs_response' AND d.evidence_due_by <= $1
        ORDER BY d.evidence_due_by
        LIMIT $2
        """;

    /// <summary>Does all due work. Running it again, or in several instances at once, does nothing twice.</summary>
    public async Task RunAsync(int batch, CancellationToken ct)
    {
        var reminded = 0;
        foreach (var days in ReminderDays)
        {
            int count;
            do
            {
                count = await RemindAsync(days, batch, ct);
                reminded += count;
            }
            while (count == batch);
        }

        var expired = 0;
        int overdue;
        do
        {
            overdue = await ExpireAsync(batch, ct);
            expired += overdue;
        }
        while (overdue == batch);
        if (reminded + expired > 0)
            DisputeLog.DeadlinesProcessed(logger, reminded, expired);
    }

    /// <summary>
    /// Reminds of disputes that are due within this many days and had no reminder this near. The caller begins with the smallest number of
    /// days. A reminder also counts for the greater numbers, so after downtime a merchant gets one reminder, not three.
    /// </summary>
    private async Task<int> RemindAsync(short days, int limit, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        var due = new List<Dispute>();
        await using (var command = new NpgsqlCommand(DueWithin, connection, transaction) { Parameters = { Time(now), Time(now.AddDays(days)), Small(days), Int(limit) } })
        {
            await using var reader = await command.ExecuteReaderAsync(ct);
            while (await reader.ReadAsync(ct))
                due.Add(DisputeRows.Read(reader));
        }

        if (due.Count == 0)
            return 0;
        // Another instance may have sent the reminder between this transaction's snapshot and its lock. Then the insert returns no row for
        // it.
        var remembered = new HashSet<Guid>();
        await using (var remember = new NpgsqlCommand(Remember, connection, transaction)
        {
            Parameters =
            {
                Columns.Of(due, d => d.Merchant.Value, NpgsqlDbType.Uuid),
                Columns.Of(due, d => d.Id.Value, NpgsqlDbType.Uuid),
                Columns.Of(due, d => d.State.EvidenceDueBy!.Value.UtcDateTime, NpgsqlDbType.TimestampTz),
                Small(days),
                Time(now),
            },
        })
        {
            await using var reader = await remember.ExecuteReaderAsync(ct);
            while (await reader.ReadAsync(ct))
                remembered.Add(reader.GetGuid(0));
        }

        await EventLog.AppendAsync(
            connection, transaction, [.. due.Where(d => remembered.Contains(d.Id.Value)).SelectMany(d => DisputeResource.Events(d, [DisputeEventKind.DueSoon], now))], ct);
        await transaction.CommitAsync(ct);
        outbox.Set();
        return due.Count;
    }

    /// <summary>
    /// The update's time is the due date. A repeated expiry is therefore the same update, and a later due date makes it void.
    /// </summary>
    private async Task<int> ExpireAsync(int limit, CancellationToken ct)
    {
        var overdue = new List<Dispute>();
        await using (var command = dataSource.CreateCommand(Overdue))
        {
            command.Parameters.Add(Time(time.GetUtcNow()));
            command.Parameters.Add(Int(limit));
            await using var reader = await command.ExecuteReaderAsync(ct);
            while (await reader.ReadAsync(ct))
                overdue.Add(DisputeRows.Read(reader));
        }

        if (overdue.Count == 0)
            return 0;
        var results = await ingestion.IngestAsync([.. overdue.Select(Expired)], ct);
        return results.Count(r => r.Status == DisputeIngestionStatus.Applied);
    }

    internal static DisputeUpdate Expired(Dispute dispute) => new(
        dispute.Provider,
        dispute.ProviderDisputeId,
        ChargeReference: null,
        dispute.State.Stage,
        DisputeStatus.Expired,
        Amount: null,
        Returned: null,
        MerchantAmount: null,
        Network: null,
        NetworkReasonCode: null,
        Reason: null,
        EvidenceDueBy: null,
        dispute.State.EvidenceDueBy!.Value,
        DisputeSource.Clock,
        "deadline");

    private static NpgsqlParameter Time(DateTimeOffset value) => new() { Value = value.UtcDateTime, NpgsqlDbType = NpgsqlDbType.TimestampTz };

    private static NpgsqlParameter Small(short value) => new() { Value = value, NpgsqlDbType = NpgsqlDbType.Smallint };

    private static NpgsqlParameter Int(int value) => new() { Value = value, NpgsqlDbType = NpgsqlDbType.Integer };
}
