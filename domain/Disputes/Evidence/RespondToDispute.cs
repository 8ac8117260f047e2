using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Audit;
using Payments.Domain.Database;
using Payments.Domain.Idempotency;
using Payments.Domain.Messaging;

namespace Payments.Domain.Disputes.Evidence;

/// <summary>
/// Sends a merchant's answer to the provider once. It records the intent, calls the provider outside any transaction, and records the
/// outcome with the changed dispute. <see cref="ResolveAsync"/> finishes the answers that a crash or a silent provider leaves open.
/// </summary>
public sealed class RespondToDispute(
    NpgsqlDataSource dataSource, DisputeIngestion ingestion, DisputeReads reads, IdempotencyStore idempotency, IEnumerable<IDisputeProvider> providers, OutboxSignal outbox,
    TimeProvider time, ILogger<RespondToDispute> logger)
{
    /// <summary>How long an answer may be in progress before the resolver checks it.</summary>
    private static readonly TimeSpan FirstLook = TimeSpan.FromMinutes(1);

    private readonly Dictionary<string, IDisputeProvider> _providers = providers.ToDictionary(p => p.Name, StringComparer.Ordinal);

    /// <returns>200 with the dispute after the answer, 202 while the outcome is unknown, or a refusal.</returns>
    /// <param name="actor">The author of the answer for the audit log.</param>
    public async Task<Result<StoredResponse>> HandleAsync(IdempotentRequest request, DisputeId id, DisputeResponseKind kind, Actor actor, CancellationToken ct)
    {
        if (await reads.GetAsync(request.Merchant, id, ct) is not { } dispute)
            return Refusal.NotFound(id.ToString());
        if (!_providers.TryGetValue(dispute.Provider, out var provider))
            return new Refusal(RefusalCode.StateConflict, $"Answer disputes of {dispute.Provider} at {dispute.Provider}.");
        var evidence = kind == DisputeResponseKind.Submit
            ? await EvidenceFolder.LoadAsync(dataSource, request.Merchant, id, ct)
            : new EvidencePack(null, new Dictionary<string, string>(), []);
        if (!(await StartAsync(request, id, kind, evidence, actor, ct)).TryGet(out var started, out var refusal))
            return refusal;
        if (started.Response is null)
            return await idempotency.RecallAsync(request, ct);

        // From here on the provider may have the answer, so a caller that leaves does not cancel the call.
        var answer = await provider.RespondAsync(dispute.ProviderDisputeId, kind, evidence, CancellationToken.None);
        return await FinishAsync(started.Response, answer, checks: 0, CancellationToken.None);
    }

    /// <summary>Resolves answers without an outcome, and sends those again that the provider did not take.</summary>
    /// <returns>How many answers were checked. Fewer than <paramref name="limit"/> means that no more are due.</returns>
    public async Task<int> ResolveAsync(int limit, CancellationToken ct)
    {
        var open = new List<(OpenResponse Response, DisputeResponseKind Kind, EvidencePack Evidence, string Provider, string ProviderDisputeId, int Checks)>();
        await using (var command = dataSource.CreateCommand(EvidenceSql.TakeOpen))
        {
            command.Parameters.Add(Time(time.GetUtcNow()));
            command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = limit });
            await using var row = await command.ExecuteReaderAsync(ct);
            while (await row.ReadAsync(ct))
            {
                open.Add((
                    new OpenResponse(new MerchantId(row.GetGuid(0)), row.GetGuid(1), new DisputeId(row.GetGuid(2)), row.GetString(5)),
                    DbText.Parse<DisputeResponseKind>(row.GetString(3)),
                    JsonSerializer.Deserialize(row.GetString(4), EvidenceJson.Default.EvidencePack)!,
                    row.GetString(6),
                    row.GetString(7),
                    row.GetInt32(8)));
            }
        }

        foreach (var (response, kind, evidence, providerName, providerDisputeId, checks) in open)
        {
            if (!_providers.TryGetValue(providerName, out var known))
                continue;
            var answer = await known.RespondAsync(providerDisputeId, kind, evidence, ct);
            await FinishAsync(response, answer, checks + 1, ct);
        }

        return open.Count;
    }

    private async Task<Result<Started>> StartAsync(
        IdempotentRequest request, DisputeId id, DisputeResponseKind kind, EvidencePack evidence, Actor actor, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        var response = new OpenResponse(request.Merchant, Guid.CreateVersion7(now), id, request.Key.Value);
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await using (var take = new NpgsqlCommand(IdempotencySql.Take, connection, transaction))
        {
            take.Parameters.Add(Uuid(request.Merchant.Value));
            take.Parameters.Add(Text(request.Key.Value));
            take.Parameters.Add(new NpgsqlParameter { Value = request.Fingerprint, NpgsqlDbType = NpgsqlDbType.Bytea });
            take.Parameters.Add(Uuid(response.Id));
            take.Parameters.Add(Time(now));
            if (await take.ExecuteNonQueryAsync(ct) == 0)
                return new Started(null);
        }

        Dispute dispute;
        await using (var command = new NpgsqlCommand(EvidenceSql.LockDispute, connection, transaction) { Parameters = { Uuid(request.Merchant.Value), Uuid(id.Value) } })
        {
            await using var row = await command.ExecuteReaderAsync(ct);
            if (!await row.ReadAsync(ct))
                return Refusal.NotFound(id.ToString());
            dispute = DisputeRows.Read(row);
        }

        if (EvidenceRules.CheckResponse(dispute.State, kind, evidence) is { } refusal)
            return refusal;
        await using var start = new NpgsqlCommand(EvidenceSql.StartResponse, connection, transaction)
        {
            Parameters =
            {
                Uuid(response.Merchant.Value), Uuid(response.Id), Uuid(id.Value), Text(DbText.Of(dispute.State.Stage)), Text(DbText.Of(kind)),
                Text(JsonSerializer.Serialize(evidence, EvidenceJson.Default.EvidencePack)), Text(response.IdempotencyKey), Time(now + FirstLook), Time(now),
            },
        };
        if (await start.ExecuteNonQueryAsync(ct) == 0)
            return new Refusal(RefusalCode.StateConflict, "Another answer to this dispute is in progress.", RetryAfter: TimeSpan.FromSeconds(5));
        var action = kind switch
        {
            DisputeResponseKind.Submit => "dispute.evidence_submitted",
            DisputeResponseKind.Accept => "dispute.accepted",
        };
        await AuditLog.WriteAsync(connection, transaction, new AuditEntry(actor, action, "dispute", id.ToString(), request.Merchant), now, ct);
        await transaction.CommitAsync(ct);
        return new Started(response);
    }

    private async Task<Result<StoredResponse>> FinishAsync(OpenResponse response, DisputeAnswer answer, int checks, CancellationToken ct)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await TryFinishAsync(response, answer, checks, ct);
            }
            catch (Exception e) when (attempt < 5 && DatabaseErrors.Advise(e) == RetryAdvice.Again)
            {
                DisputeLog.TransactionRetried(logger, attempt, e);
            }
        }
    }

    private async Task<Result<StoredResponse>> TryFinishAsync(OpenResponse response, DisputeAnswer answer, int checks, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        Result<StoredResponse> result;
        switch (answer.Kind)
        {
            case DisputeAnswerKind.Done:
                var applied = (await ingestion.ApplyAsync(connection, transaction, [answer.Update!], ct))[0];
                var dispute = applied.Dispute ?? await reads.GetAsync(response.Merchant, response.Dispute, ct)
                    ?? throw new InvalidOperationException($"The dispute {response.Dispute} was answered and is not there.");
                var stored = new StoredResponse(200, JsonSerializer.SerializeToUtf8Bytes(DisputeResource.Of(dispute), DisputeJson.Default.DisputeResource));
                await EndAsync(connection, transaction, response, "done", null, null, now, ct);
                await KeepAsync(connection, transaction, response, stored, now, ct);
                result = stored;
                break;
            case DisputeAnswerKind.Refused:
                await EndAsync(connection, transaction, response, "refused", answer.Detail, null, now, ct);
                await using (var forget = new NpgsqlCommand(EvidenceSql.ForgetKey, connection, transaction) { Parameters = { Uuid(response.Merchant.Value), Text(response.IdempotencyKey) } })
                {
                    await forget.ExecuteNonQueryAsync(ct);
                }

                result = new Refusal(RefusalCode.StateConflict, $"The provider did not accept the answer. {answer.Detail}");
                break;
            case DisputeAnswerKind.Unknown:
                var next = now + TimeSpan.FromSeconds(Math.Min(3600, 30 * Math.Pow(2, Math.Min(checks, 7))));
                await EndAsync(connection, transaction, response, "unknown", answer.Detail, next, null, ct);
                var current = await reads.GetAsync(response.Merchant, response.Dispute, ct)
                    ?? throw new InvalidOperationException($"The dispute {response.Dispute} was answered and is not there.");
                var open = new StoredResponse(202, JsonSerializer.SerializeToUtf8Bytes(DisputeResource.Of(current), DisputeJson.Default.DisputeResource));
                await KeepAsync(connection, transaction, response, open, now, ct);
                result = open;
                break;
            default:
                throw new InvalidOperationException($"Unknown answer {answer.Kind}.");
        }

        await transaction.CommitAsync(ct);
        outbox.Set();

        // The response is the answer that was kept first under the key, now and on every repeat.
        return await idempotency.FindAsync(response.Merchant, response.IdempotencyKey, ct) ?? result;
    }

    /// <summary>The first answer under the key stays. A later one does not replace it.</summary>
    private static async Task KeepAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, OpenResponse response, StoredResponse answer, DateTimeOffset now, CancellationToken ct)
    {
        await using var batch = new NpgsqlBatch(connection, transaction)
        {
            BatchCommands = { IdempotencyStore.CompleteMany([(response.Merchant, response.IdempotencyKey, answer)], now) },
        };
        await batch.ExecuteNonQueryAsync(ct);
    }

    private static async Task EndAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, OpenResponse response, string status, string? detail, DateTimeOffset? next, DateTimeOffset? finished, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(EvidenceSql.EndResponse, connection, transaction)
        {
            Parameters = { Uuid(response.Merchant.Value), Uuid(response.Id), Text(status), Text(detail), Time(next), Time(finished) },
        };
        await command.ExecuteNonQueryAsync(ct);
    }

    private static NpgsqlParameter Uuid(Guid value) => new() { Value = value, NpgsqlDbType = NpgsqlDbType.Uuid };

    private static NpgsqlParameter Text(string? value) => new() { Value = (object?)value ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text };

    private static NpgsqlParameter Time(DateTimeOffset? value) => new() { Value = (object?)value?.UtcDateTime ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.TimestampTz };

    private sealed record OpenResponse(MerchantId Merchant, Guid Id, DisputeId Dispute, string IdempotencyKey);

    /// <param name="Response">Null if the key was taken before.</param>
    private sealed record Started(OpenResponse? Response);
}

/// <summary>Evidence as the API shows it.</summary>
public sealed record EvidenceResource(string Object, string Dispute, string? Text, IReadOnlyDictionary<string, string> Fields, IReadOnlyList<EvidenceFile> Files)
{
    public static EvidenceResource Of(DisputeId dispute, EvidencePack pack) => new("dispute_evidence", dispute.ToString(), pack.Text, pack.Fields, pack.Files);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, Converters = [typeof(UtcTimeJson)])]
[JsonSerializable(typeof(EvidencePack))]
[JsonSerializable(typeof(EvidenceResource))]
[JsonSerializable(typeof(SaveEvidenceRequest))]
[JsonSerializable(typeof(Dictionary<string, string>))]
public sealed partial class EvidenceJson : JsonSerializerContext;
