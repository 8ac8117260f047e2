using System.Text.Json;
using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Audit;
using Payments.Domain.Database;
using Payments.Domain.Idempotency;
using Payments.Domain.Messaging;
using Payments.Domain.Payouts.BankFiles;

namespace Payments.Domain.Payouts;

public readonly record struct UnmatchedBankItemId(Guid Value) : IPrefixedId<UnmatchedBankItemId>
{
    public static string Prefix => "ubi_";

    public static UnmatchedBankItemId From(Guid value) => new(value);

    public override string ToString() => PrefixedId.Format(this);
}

/// <summary>
/// Keeps the bank reports that could not be applied, and the bank files that were rejected. An item stays open until an operator
/// acknowledges it, or a later bank file resolves it. Each item is an event of the platform.
/// </summary>
public sealed class UnmatchedBankItems(NpgsqlDataSource dataSource, IdempotencyStore idempotency, TimeProvider time)
{
    private const int MaximumText = 1_000;

    /// <summary>Newest first, starting after <paramref name="after"/>.</summary>
    public async Task<IReadOnlyList<UnmatchedBankItemResource>> ListAsync(bool acknowledged, UnmatchedReason? reason, UnmatchedBankItemId? after, int limit, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(UnmatchedBankItemSql.List);
        command.Parameters.Add(new() { Value = acknowledged });
        command.Parameters.Add(new() { Value = reason is { } wanted ? DbText.Of(wanted) : DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text });
        command.Parameters.Add(new() { Value = (object?)after?.Value ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Uuid });
        command.Parameters.Add(new() { Value = limit });
        return await ReadAsync(command, ct);
    }

    public async Task<UnmatchedBankItemResource?> GetAsync(UnmatchedBankItemId id, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(UnmatchedBankItemSql.Get);
        command.Parameters.Add(new() { Value = id.Value });
        return (await ReadAsync(command, ct)).FirstOrDefault();
    }

    /// <summary>
    /// Closes an open item with the operator's reason. An item that is already acknowledged is refused. Idempotent by the request's key.
    /// </summary>
    public async Task<Result<StoredResponse>> AcknowledgeAsync(IdempotentRequest request, UnmatchedBankItemId id, AcknowledgeBankItemRequest input, Actor actor, CancellationToken ct)
    {
        if (input.Reason?.Trim() is not { Length: >= 10 and <= MaximumText } reason)
        {
            return Refusal.Invalid("reason", "`reason` must say in 10 to 1000 characters what was found out and done.");
        }

        return await idempotency.RunAsync(
            request,
            async (connection, transaction) =>
            {
                var now = time.GetUtcNow();
                await using var command = new NpgsqlCommand(UnmatchedBankItemSql.Acknowledge, connection, transaction)
                {
                    Parameters = { new() { Value = id.Value }, new() { Value = now }, new() { Value = actor.Name }, new() { Value = reason } },
                };
                if ((await ReadAsync(command, ct)).FirstOrDefault() is not { } item)
                {
                    return await GetAsync(id, ct) is null
                        ? Refusal.NotFound(id.ToString())
                        : new Refusal(RefusalCode.StateConflict, "The item is already acknowledged.");
                }

                var entry = new AuditEntry(actor, "unmatched_bank_item.acknowledged", "unmatched_bank_item", id.ToString(), Detail: AuditEntry.Details(("reason", reason)));
                await AuditLog.WriteAsync(connection, transaction, entry, now, ct);
                await EventLog.AppendAsync(connection, transaction, [Event("acknowledged", id.Value, item, now)], ct);
                return new StoredResponse(200, JsonSerializer.SerializeToUtf8Bytes(item, PayoutJson.Default.UnmatchedBankItemResource));
            },
            ct);
    }

    /// <summary>
    /// Keeps the items of a report in the caller's transaction. That transaction also inserts the report's row, so each item is kept once.
    /// An earlier rejection of the same file ends here. A hold is kept once, however often the bank repeats it: the first report of the
    /// hold that commits keeps it.
    /// </summary>
    /// <returns>The items that this call inserted.</returns>
    internal static async Task<IReadOnlyList<UnmatchedBankItemResource>> KeepAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, byte[] hash, string name, string report, IReadOnlyList<UnmatchedWord> words, DateTimeOffset now, CancellationToken ct)
    {
        await using (var accepted = new NpgsqlCommand(UnmatchedBankItemSql.EndRejection, connection, transaction) { Parameters = { new() { Value = hash }, new() { Value = now } } })
        {
            await accepted.ExecuteNonQueryAsync(ct);
        }

        return words.Count == 0 ? [] : await InsertAsync(connection, transaction, hash, name, report, words, 1, now, ct);
    }

    /// <summary>Records that a file was rejected. If the same file comes again, only its count grows.</summary>
    internal async Task RejectAsync(byte[] hash, string name, string why, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await using (var again = new NpgsqlCommand(UnmatchedBankItemSql.RejectAgain, connection, transaction) { Parameters = { new() { Value = hash } } })
        {
            if (await again.ExecuteNonQueryAsync(ct) == 0)
            {
                await InsertAsync(connection, transaction, hash, name, null, [new UnmatchedWord(UnmatchedReason.FileRejected, name, why)], 0, now, ct);
            }
        }

        await transaction.CommitAsync(ct);
    }

    /// <summary>The statement that closes the items of holds that have ended.</summary>
    internal static NpgsqlBatchCommand EndHolds(Guid[] payouts, DateTimeOffset now) => new(UnmatchedBankItemSql.EndHolds)
    {
        Parameters = { new() { Value = payouts, NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Uuid }, new() { Value = now } },
    };

    internal static async Task EndHoldAsync(NpgsqlDataSource dataSource, Guid file, DateTimeOffset now, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(UnmatchedBankItemSql.EndFileHold);
        command.Parameters.Add(new() { Value = file });
        command.Parameters.Add(new() { Value = now });
        await command.ExecuteNonQueryAsync(ct);
    }

    private static async Task<IReadOnlyList<UnmatchedBankItemResource>> InsertAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, byte[] hash, string name, string? report, IReadOnlyList<UnmatchedWord> words, int first, DateTimeOffset now, CancellationToken ct)
    {
        // Ids ascend with the positions, so a list by id keeps the order of the file.
        var ids = words.Select(_ => Guid.CreateVersion7(now)).Order().ToList();
        var rows = words.Select((word, i) => (Id: ids[i], Position: first + i, Word: word)).ToList();
        await using var insert = new NpgsqlCommand(UnmatchedBankItemSql.Insert, connection, transaction)
        {
            Parameters =
            {
                Columns.Of(rows, r => r.Id, NpgsqlDbType.Uuid),
                Columns.Of(rows, r => r.Position, NpgsqlDbType.Integer),
                Columns.Of(rows, r => DbText.Of(r.Word.Reason), NpgsqlDbType.Text),
                Columns.Of(rows, r => Cut(r.Word.Reference), NpgsqlDbType.Text),
                Columns.Of(rows, r => Cut(r.Word.Detail), NpgsqlDbType.Text),
                Columns.Of(rows, r => r.Word.Merchant?.Value, NpgsqlDbType.Uuid),
                Columns.Of(rows, r => r.Word.Payout?.Value, NpgsqlDbType.Uuid),
                Columns.Of(rows, r => r.Word.File, NpgsqlDbType.Uuid),
                Columns.Of(rows, r => r.Word.Said is { } said ? DbText.Of(said) : null, NpgsqlDbType.Text),
                Columns.Of(rows, r => Cut(r.Word.Code), NpgsqlDbType.Text),
                Columns.Of(rows, r => Cut(r.Word.Text), NpgsqlDbType.Text),
                Columns.Of(rows, r => r.Word.Amount?.MinorUnits, NpgsqlDbType.Bigint),
                Columns.Of(rows, r => r.Word.Amount?.Currency.Code, NpgsqlDbType.Text),
                new() { Value = hash },
                new() { Value = Cut(name) },
                new() { Value = (object?)Cut(report) ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text },
                new() { Value = now },
            },
        };
        var items = await ReadAsync(insert, ct);
        if (items.Count == 0)
        {
            return [];
        }

        await using var batch = new NpgsqlBatch(connection, transaction)
        {
            BatchCommands =
            {
                EventLog.AppendFirst([.. items.Select(item => Event("created", PrefixedId.TryParse<UnmatchedBankItemId>(item.Id, out var id) ? id.Value : default, item, now))]),
            },
        };
        await batch.ExecuteNonQueryAsync(ct);
        return items;
    }

    private static DomainEvent Event(string change, Guid id, UnmatchedBankItemResource item, DateTimeOffset now) => new(
        PrefixedId.New<EventId>(now), MerchantId.Platform, $"unmatched_bank_item.{change}", "unmatched_bank_item", id, JsonSerializer.Serialize(item, PayoutJson.Default.UnmatchedBankItemResource), now);

    // Banks send texts of any length. Postgres refuses a null character in a text.
    [return: System.Diagnostics.CodeAnalysis.NotNullIfNotNull(nameof(text))]
    private static string? Cut(string? text) => (text is { Length: > MaximumText } ? text[..MaximumText] : text)?.Replace('\0', ' ');

    private static async Task<List<UnmatchedBankItemResource>> ReadAsync(NpgsqlCommand command, CancellationToken ct)
    {
        var items = new List<UnmatchedBankItemResource>();
        await using var row = await command.ExecuteReaderAsync(ct);
        while (await row.ReadAsync(ct))
        {
            items.Add(new UnmatchedBankItemResource(
                new UnmatchedBankItemId(row.GetGuid(0)).ToString(), "unmatched_bank_item", row.GetString(1), row.GetString(2), row.GetString(3), row.GetString(4),
                Convert.ToHexStringLower(row.GetFieldValue<byte[]>(5)), Text(6), row.IsDBNull(7) ? null : new PayoutId(row.GetGuid(7)).ToString(),
                row.IsDBNull(8) ? null : new MerchantId(row.GetGuid(8)).ToString(), Text(9), Text(10), Text(11), Text(12), row.IsDBNull(13) ? null : row.GetInt64(13), Text(14), row.GetInt32(15),
                row.GetFieldValue<DateTimeOffset>(16), row.IsDBNull(17) ? null : row.GetFieldValue<DateTimeOffset>(17), Text(18), Text(19)));
        }

        return items;

        string? Text(int at) => row.IsDBNull(at) ? null : row.GetString(at);
    }
}

internal static class UnmatchedBankItemSql
{
    private const string Columns =
        """
        i.id, i.reason, i.reference, i.detail, i.file_name, i.sha256, i.report_id, i.payout_id, i.merchant_id, COALESCE(f.blob_name, replace(i.payout_file_id::text, '-', '')), i.said, i.code, i.bank_text,
            i.amount, i.currency, i.times, i.created_at, i.acknowledged_at, i.acknowledged_by, i.acknowledged_reason
        """;

    public const string List =
        $"""
        SELECT {Columns} FROM payments.unmatched_bank_items i LEFT JOIN payments.payout_files f ON f.id = i.payout_file_id
        WHERE (i.acknowledged_at IS NOT NULL) = $1 AND ($2::text IS NULL OR i.reason = $2) AND ($3::uuid IS NULL OR i.id < $3)
        ORDER BY i.id DESC LIMIT $4
        """;

    public const string Get = $"SELECT {Columns} FROM payments.unmatched_bank_items i LEFT JOIN payments.payout_files f ON f.id = i.payout_file_id WHERE i.id = $1";

    public const string Acknowledge =
        $"""
        WITH i AS (
            UPDATE payments.unmatched_bank_items SET acknowledged_at = $2, acknowledged_by = $3, acknowledged_reason = $4
            WHERE id = $1 AND acknowledged_at IS NULL RETURNING *
        )
        SELECT {Columns} FROM i LEFT JOIN payments.payout_files f ON f.id = i.payout_file_id
        """;

    // A hold is new if no item was created since the payout was held. A process may crash after it records the hold and before it creates
    // the item. The next report then creates the item. A hold that has ended gets no item.
    public const string Insert =
        $"""
        WITH i AS (
            INSERT INTO payments.unmatched_bank_items (
                id, position, reason, reference, detail, merchant_id, payout_id, payout_file_id, said, code, bank_text, amount, currency, sha256, file_name, report_id, created_at)
            SELECT t.*, $14, $15, $16, $17
            FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) AS t (
                id, position, reason, reference, detail, merchant_id, payout_id, payout_file_id, said, code, bank_text, amount, currency)
            WHERE t.reason <> 'held_by_bank' OR EXISTS (
                SELECT FROM payments.payouts p
                WHERE p.merchant_id = t.merchant_id AND p.id = t.payout_id AND p.hold_code IS NOT NULL AND NOT EXISTS (
                    SELECT FROM payments.unmatched_bank_items o
                    WHERE o.payout_id = t.payout_id AND o.reason = 'held_by_bank' AND o.created_at >= p.updated_at))
            OR (t.payout_id IS NULL AND EXISTS (
                SELECT FROM payments.payout_files f
                JOIN payments.payouts p ON p.run_id = f.run_id AND p.merchant_id BETWEEN f.first_merchant AND f.last_merchant
                WHERE f.id = t.payout_file_id AND p.hold_code IS NOT NULL AND NOT EXISTS (
                    SELECT FROM payments.unmatched_bank_items o
                    WHERE o.payout_file_id = f.id AND o.payout_id IS NULL AND o.reason = 'held_by_bank' AND o.created_at >= p.updated_at)))
            ON CONFLICT (sha256, position) DO NOTHING
            RETURNING *
        )
        SELECT {Columns} FROM i LEFT JOIN payments.payout_files f ON f.id = i.payout_file_id
        """;

    public const string RejectAgain = "UPDATE payments.unmatched_bank_items SET times = times + 1 WHERE sha256 = $1 AND position = 0";

    // The same file was rejected before and is applied now, so a setting or this program was at fault.
    public const string EndRejection =
        """
        UPDATE payments.unmatched_bank_items SET acknowledged_at = $2, acknowledged_by = 'bank_report', acknowledged_reason = 'The file was applied later.'
        WHERE sha256 = $1 AND position = 0 AND acknowledged_at IS NULL
        """;

    public const string EndHolds =
        """
        UPDATE payments.unmatched_bank_items SET acknowledged_at = $2, acknowledged_by = 'bank_report', acknowledged_reason = 'The bank went on.'
        WHERE payout_id = ANY($1) AND reason = 'held_by_bank' AND acknowledged_at IS NULL
        """;

    public const string EndFileHold =
        """
        UPDATE payments.unmatched_bank_items SET acknowledged_at = $2, acknowledged_by = 'bank_report', acknowledged_reason = 'The bank went on.'
        WHERE payout_file_id = $1 AND payout_id IS NULL AND reason = 'held_by_bank' AND acknowledged_at IS NULL
        """;
}
