using Azure.Storage.Blobs;
using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Audit;
using Payments.Domain.Disputes.Evidence;

namespace Payments.Domain.Privacy;

/// <param name="Redacted">How many charges were redacted now.</param>
/// <param name="NotFinal">Charges that were not redacted, because they have an attempt, a refund or a dispute in progress.</param>
/// <param name="HasMore">Whether there are more charges. If so, call again.</param>
public sealed record RedactionResult(int Redacted, IReadOnlyList<ChargeId> NotFinal, bool HasMore);

/// <summary>
/// Removes personal data on request, from charges, their refunds and their events: the customer, texts and labels, the card's last digits
/// and token, and evidence of disputes. Amounts, times, references and the ledger stay, because they name no person. A charge with anything
/// in progress is left until that has ended. Repeating a call changes nothing.
/// </summary>
public sealed class Redact(NpgsqlDataSource dataSource, BlobServiceClient blobs, TimeProvider time)
{
    private const int AtOnce = 200;

    /// <param name="charge">One charge. Null: all charges of <paramref name="customer"/>.</param>
    public async Task<Result<RedactionResult>> RunAsync(MerchantId merchant, ChargeId? charge, string? customer, Actor actor, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        var found = await CandidatesAsync(connection, transaction, merchant, charge, customer, ct);
        if (charge is { } one && found.Count == 0)
            return Refusal.NotFound(one.ToString());
        if (charge is not null && !found[0].IsFinal)
            return new Refusal(RefusalCode.StateConflict, "The charge has an attempt, a refund or a dispute in progress. Redact it when that has ended.");
        var final = found.Take(AtOnce).Where(row => row.IsFinal).Select(row => row.Id.Value).ToArray();
        if (final.Length > 0)
        {
            // Order: files, then the commit. After a crash in between, the rows still exist, and the next call removes the files again.
            foreach (var (dispute, hash) in await ExecuteAsync(connection, transaction, merchant, final, now, ct))
                await blobs.GetBlobContainerClient(EvidenceFolder.Container).GetBlobClient($"{merchant}/{dispute}/{Convert.ToHexStringLower(hash)}").DeleteIfExistsAsync(cancellationToken: ct);
            await using var audit = new NpgsqlBatch(connection, transaction)
            {
                BatchCommands = { AuditLog.Append([.. final.Select(id => new AuditEntry(actor, "charge.redacted", "charge", new ChargeId(id).ToString(), merchant))], now) },
            };
            await audit.ExecuteNonQueryAsync(ct);
        }

        await transaction.CommitAsync(ct);
        return new RedactionResult(final.Length, [.. found.Take(AtOnce).Where(row => !row.IsFinal).Select(row => row.Id)], found.Count > AtOnce);
    }

    private static async Task<List<(ChargeId Id, bool IsFinal)>> CandidatesAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, MerchantId merchant, ChargeId? charge, string? customer, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(RedactSql.Candidates, connection, transaction)
        {
            Parameters =
            {
                new() { Value = merchant.Value },
                new() { Value = (object?)charge?.Value ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Uuid },
                new() { Value = (object?)customer ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text },
                new() { Value = AtOnce + 1 },
            },
        };
        var rows = new List<(ChargeId, bool)>();
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
            rows.Add((new ChargeId(reader.GetGuid(0)), reader.GetBoolean(1)));
        return rows;
    }

    private static async Task<List<(DisputeId Dispute, byte[] Hash)>> ExecuteAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, MerchantId merchant, Guid[] charges, DateTimeOffset now, CancellationToken ct)
    {
        await using var batch = new NpgsqlBatch(connection, transaction);
        foreach (var sql in new[] { RedactSql.EvidenceFiles, RedactSql.Evidence, RedactSql.Events, RedactSql.Refunds, RedactSql.Charges })
        {
            var command = new NpgsqlBatchCommand(sql) { Parameters = { new() { Value = merchant.Value }, new() { Value = charges } } };
            if (sql.Contains("$3", StringComparison.Ordinal))
                command.Parameters.Add(new() { Value = now });
            batch.BatchCommands.Add(command);
        }

        var files = new List<(DisputeId, byte[])>();
        await using var reader = await batch.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
            files.Add((new DisputeId(reader.GetGuid(0)), reader.GetFieldValue<byte[]>(1)));
        return files;
    }
}
