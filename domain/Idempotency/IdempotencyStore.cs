using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Secrets;

namespace Payments.Domain.Idempotency;

/// <summary>
/// Idempotency keys and their stored answers. A key is taken in the transaction that records the intent, and completed in the transaction
/// of the outcome. So even after a crash, a repeated request finds no key, an operation in progress, or the answer.
/// </summary>
public sealed class IdempotencyStore(NpgsqlDataSource dataSource, SecretBox secrets, TimeProvider time)
{
    /// <summary>Answers are kept at least this long. After it, the key may be used for a new request.</summary>
    public static readonly TimeSpan Retention = TimeSpan.FromHours(48);

    private static readonly TimeSpan RetryInFlight = TimeSpan.FromSeconds(2);

    /// <summary>
    /// Takes the key, has the effect and stores the answer in one transaction. Use it for effects that are entirely in the database. A
    /// refusal rolls everything back and stores nothing.
    /// </summary>
    public async Task<Result<StoredResponse>> RunAsync(
        IdempotentRequest request, Func<NpgsqlConnection, NpgsqlTransaction, Task<Result<StoredResponse>>> effect, CancellationToken ct)
    {
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        var now = time.GetUtcNow();
        if (!await TakeAsync(connection, transaction, request, now, ct))
        {
            await transaction.RollbackAsync(ct);
            return await RecallAsync(request, ct);
        }

        var result = await effect(connection, transaction);
        if (!result.TryGet(out var response, out var refusal))
        {
            await transaction.RollbackAsync(ct);
            return refusal;
        }

        var body = response.HoldsSecret ? secrets.Seal(response.Body, Owner(request)) : response.Body;
        await using var complete = new NpgsqlCommand(IdempotencySql.Complete, connection, transaction)
        {
            Parameters = { new() { Value = request.Merchant.Value }, new() { Value = request.Key.Value }, new() { Value = (short)response.Status }, new() { Value = body }, new() { Value = response.HoldsSecret }, new() { Value = now } },
        };
        await complete.ExecuteNonQueryAsync(ct);
        await transaction.CommitAsync(ct);
        return response;
    }

    /// <summary>
    /// The answer to a request whose key was taken before. Refused if the first request is still running, or was a different request.
    /// </summary>
    public async Task<Result<StoredResponse>> RecallAsync(IdempotentRequest request, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(IdempotencySql.Get);
        command.Parameters.Add(new() { Value = request.Merchant.Value });
        command.Parameters.Add(new() { Value = request.Key.Value });
        await using var reader = await command.ExecuteReaderAsync(ct);
        if (!await reader.ReadAsync(ct))
        {
            // The key was purged or rolled back between the two reads. A repeat of the request takes it.
            return InProgress();
        }

        if (!reader.GetFieldValue<byte[]>(0).AsSpan().SequenceEqual(request.Fingerprint))
        {
            return new Refusal(
                RefusalCode.IdempotencyKeyReused, $"The Idempotency-Key '{request.Key}' was used for another request. Use a new key for a new request.");
        }

        if (await reader.IsDBNullAsync(1, ct))
            return InProgress();
        var body = reader.GetFieldValue<byte[]>(2);
        return new StoredResponse(reader.GetInt16(1), reader.GetBoolean(3) ? secrets.Open(body, Owner(request)) : body, Replayed: true);
    }

    /// <summary>
    /// The answer stored under a key, or null if there is none yet. Do not use it for answers that hold a secret: it does not decrypt them.
    /// </summary>
    public async Task<StoredResponse?> FindAsync(MerchantId merchant, string key, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(IdempotencySql.Get);
        command.Parameters.Add(new() { Value = merchant.Value });
        command.Parameters.Add(new() { Value = key });
        await using var reader = await command.ExecuteReaderAsync(ct);
        return await reader.ReadAsync(ct) && !await reader.IsDBNullAsync(1, ct) ? new StoredResponse(reader.GetInt16(1), reader.GetFieldValue<byte[]>(2)) : null;
    }

    /// <summary>Deletes at most <paramref name="limit"/> keys with answers older than <see cref="Retention"/>. Returns how many.</summary>
    public async Task<int> PurgeAsync(int limit, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(IdempotencySql.Purge);
        command.Parameters.Add(new() { Value = time.GetUtcNow() - Retention });
        command.Parameters.Add(new() { Value = limit });
        return await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>The statement that stores the answers of several keys, for the end of a batch.</summary>
    public static NpgsqlBatchCommand CompleteMany(IReadOnlyList<(MerchantId Merchant, string Key, StoredResponse Response)> answers, DateTimeOffset now) => new(IdempotencySql.CompleteMany)
    {
        Parameters =
        {
            new() { Value = answers.Select(a => a.Merchant.Value).ToArray() },
            new() { Value = answers.Select(a => a.Key).ToArray() },
            new() { Value = answers.Select(a => (short)a.Response.Status).ToArray() },
            new() { Value = answers.Select(a => a.Response.Body).ToArray(), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Bytea },
            new() { Value = now },
        },
    };

    private static async Task<bool> TakeAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, IdempotentRequest request, DateTimeOffset now, CancellationToken ct)
    {
        await using var take = new NpgsqlCommand(IdempotencySql.Take, connection, transaction)
        {
            Parameters = { new() { Value = request.Merchant.Value }, new() { Value = request.Key.Value }, new() { Value = request.Fingerprint }, new() { Value = Guid.Empty }, new() { Value = now } },
        };
        return await take.ExecuteNonQueryAsync(ct) == 1;
    }

    private static string Owner(IdempotentRequest request) => $"idempotency_key/{request.Merchant}/{request.Key}";

    /// <summary>
    /// The answer if the request had its effect, or may have had it, and its outcome could not be recorded. No other answer is allowed:
    /// every repeat of a request must get the same answer. The resolver finds the outcome, and its answer is then stored under the key.
    /// </summary>
    public static Refusal Unrecorded() => new(
        RefusalCode.RequestInProgress,
        "The provider's answer is not recorded yet. Repeat the request with the same Idempotency-Key to get it.", RetryAfter: RetryInFlight);

    private static Refusal InProgress() =>
        new(RefusalCode.RequestInProgress, "The first request with this Idempotency-Key is still running. Repeat it shortly to get its answer.", RetryAfter: RetryInFlight);
}
