using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Database;
using Payments.Domain.Ledger;
using Payments.Domain.Messaging;

namespace Payments.Domain.Disputes;

/// <summary>The outcome of one update.</summary>
public enum DisputeIngestionStatus
{
    /// <summary>It is now part of its dispute's history. It changed the dispute unless a later update was known already.</summary>
    Applied,

    /// <summary>The same update was known already, from any source.</summary>
    Duplicate,

    /// <summary>Its charge is not known yet. It is kept, and a timer looks for the charge again.</summary>
    Unmatched,

    /// <summary>It cannot be applied, and <see cref="DisputeIngestionResult.Refusal"/> says why. Nothing was stored.</summary>
    Refused,
}

/// <param name="Dispute">
/// The dispute after the whole batch. Null unless <paramref name="Status"/> is <see cref="DisputeIngestionStatus.Applied"/>.
/// </param>
public sealed record DisputeIngestionResult(DisputeIngestionStatus Status, Dispute? Dispute = null, DisputeUpdateRefusal? Refusal = null);

/// <summary>
/// Applies neutral updates of any source, many at a time, in one transaction: the history, the disputes, the ledger, the balance
/// transactions and the events. Applying an update again does nothing.
/// </summary>
public sealed class DisputeIngestion(NpgsqlDataSource dataSource, LedgerPosting ledger, OutboxSignal outbox, TimeProvider time, ILogger<DisputeIngestion> logger)
{
    private const int Attempts = 5;

    /// <summary>Applies the updates in its own transaction, and repeats the transaction if another one was in the way.</summary>
    public async Task<IReadOnlyList<DisputeIngestionResult>> IngestAsync(IReadOnlyList<DisputeUpdate> updates, CancellationToken ct)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await using var connection = await dataSource.OpenConnectionAsync(ct);
                await using var transaction = await connection.BeginTransactionAsync(ct);
                var batch = await RunAsync(connection, transaction, updates, bulk: false, ct);
                await transaction.CommitAsync(ct);
                if (batch.HasEvents)
                {
                    outbox.Set();
                }

                return batch.Results;
            }
            catch (Exception e) when (attempt < Attempts && DatabaseErrors.Advise(e) == RetryAdvice.Again)
            {
                DisputeLog.TransactionRetried(logger, attempt, e);
            }
        }
    }

    /// <summary>Applies the updates in the caller's transaction. The caller commits and then sets the <see cref="OutboxSignal"/>.</summary>
    /// <returns>One result for each update, in their order.</returns>
    public async Task<IReadOnlyList<DisputeIngestionResult>> ApplyAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyList<DisputeUpdate> updates, CancellationToken ct) =>
        (await RunAsync(connection, transaction, updates, bulk: false, ct)).Results;

    /// <summary>
    /// Like <see cref="ApplyAsync"/> for many updates, as fast as they can be written. If another transaction has just written one of them,
    /// it throws an exception for which <see cref="IsOvertaken"/> is true, and the caller repeats its own transaction.
    /// </summary>
    internal async Task<IReadOnlyList<DisputeIngestionResult>> ApplyInBulkAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyList<DisputeUpdate> updates, CancellationToken ct) =>
        (await RunAsync(connection, transaction, updates, bulk: true, ct)).Results;

    /// <summary>Whether a transaction failed because another one wrote the same update first.</summary>
    internal static bool IsOvertaken(Exception exception) => DatabaseErrors.IsUniqueViolation(exception, "unmatched_dispute_updates_pkey");

    /// <summary>
    /// Looks again for the charges of unmatched updates that are due for it. A timer runs it. If it crashes, the updates stay where they
    /// are.
    /// </summary>
    /// <returns>How many updates were checked. Fewer than <paramref name="limit"/> means that no more are due.</returns>
    public async Task<int> MatchAsync(int limit, CancellationToken ct)
    {
        var updates = new List<DisputeUpdate>();
        await using (var command = dataSource.CreateCommand(DisputeSql.TakeUnmatched))
        {
            command.Parameters.Add(new NpgsqlParameter { Value = time.GetUtcNow().UtcDateTime, NpgsqlDbType = NpgsqlDbType.TimestampTz });
            command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = limit });
            await using var reader = await command.ExecuteReaderAsync(ct);
            while (await reader.ReadAsync(ct))
            {
                updates.Add(DisputeRows.ReadUpdate(reader));
            }
        }

        if (updates.Count == 0)
        {
            return 0;
        }

        var matched = (await IngestAsync(updates, ct)).Count(r => r.Status == DisputeIngestionStatus.Applied);
        DisputeLog.Matched(logger, matched, updates.Count);
        return updates.Count;
    }

    private async Task<DisputeBatch> RunAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyList<DisputeUpdate> updates, bool bulk, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        var batch = new DisputeBatch(connection, transaction, updates);
        await batch.FindAsync(ct);
        await batch.LockAsync(now, ct);
        var journals = batch.Decide(now);
        if (journals.Count > 0)
        {
            var postings = await ledger.PostAsync(connection, transaction, journals, now, ct);
            for (var i = 0; i < postings.Count; i++)
            {
                // The journals follow from rows that this transaction holds locked. A refusal is therefore a bug, and nothing of the batch
                // may be kept.
                if (postings[i].Status is not PostingStatus.Posted)
                {
                    throw new InvalidOperationException($"The journal {journals[i].ExternalKey} was refused: {postings[i].Status} {postings[i].Detail}");
                }
            }
        }

        await batch.WriteAsync(now, bulk, ct);
        return batch;
    }
}
