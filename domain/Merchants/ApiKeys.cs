using System.Collections.Concurrent;
using System.Text.Json;
using Dapper;
using Microsoft.Extensions.Options;
using Npgsql;
using Payments.Domain.Audit;
using Payments.Domain.Database;
using Payments.Domain.Idempotency;

namespace Payments.Domain.Merchants;

/// <summary>The settings of the platform's own keys.</summary>
public sealed class PlatformOptions
{
    /// <summary>
    /// The valid platform keys by name and hash, as <see cref="PlatformKeys"/> reads them. No setting holds the keys themselves.
    /// </summary>
    public string ApiKeyHashes { get; set; } = "";
}

public sealed record CreateApiKeyRequest(string? Mode, IReadOnlyList<string>? Scopes, DateTimeOffset? ExpiresAt);

/// <summary>Issues, finds and revokes merchants' keys.</summary>
public sealed class ApiKeys(NpgsqlDataSource dataSource, IdempotencyStore idempotency, IOptions<PlatformOptions> platform, TimeProvider time)
{
    private const int CacheCapacity = 50_000;

    private readonly PlatformKeys _platform = PlatformKeys.Parse(platform.Value.ApiKeyHashes);

    private readonly ConcurrentDictionary<string, (ApiKey Key, long ReadAt)> _keys = new(StringComparer.Ordinal);

    /// <summary>
    /// The caller that holds the key, or null if the key is unknown, expired or revoked. A revocation takes effect on every instance within
    /// <see cref="MerchantReads.CacheLifetime"/>.
    /// </summary>
    public async ValueTask<Caller?> AuthenticateAsync(string secret, CancellationToken ct)
    {
        var hash = ApiKeySecret.Hash(secret);
        if (_platform.Find(hash) is { } known)
            return known;
        if (!secret.StartsWith(ApiKeySecret.TestPrefix, StringComparison.Ordinal) && !secret.StartsWith(ApiKeySecret.LivePrefix, StringComparison.Ordinal))
            return null;
        var key = await FindAsync(hash, ct);
        return key is null || key.RevokedAt is not null || key.ExpiresAt <= time.GetUtcNow()
            ? null
            : new Caller(key.Merchant, key.Id, key.Scopes.Contains(ApiKeyScope.Write));
    }

    /// <summary>
    /// Issues a key for the merchant's account in the mode that the request names. The answer and its repeats show the secret, and are
    /// stored encrypted. Of the key itself only a hash is stored.
    /// </summary>
    /// <param name="merchant">
    /// Either account of the merchant. The live account can get keys of both modes, the test account only test keys.
    /// </param>
    public async Task<Result<StoredResponse>> CreateAsync(IdempotentRequest request, MerchantId merchant, CreateApiKeyRequest input, Actor actor, CancellationToken ct)
    {
        if (!DbText.TryParse<Mode>(input.Mode ?? "test", out var mode))
            return Refusal.Invalid("mode", "`mode` must be test or live.");
        if (mode == Mode.Live && merchant.Mode == Mode.Test)
            return Refusal.Invalid("mode", $"`mode` must be test: {merchant} is a test account. Name the live account for a live key.");
        var account = merchant.In(mode);
        var scopes = new List<ApiKeyScope>();
        foreach (var text in input.Scopes ?? ["read", "write"])
        {
            if (!DbText.TryParse<ApiKeyScope>(text, out var scope))
                return Refusal.Invalid("scopes", "`scopes` must hold only read and write.");
            if (!scopes.Contains(scope))
                scopes.Add(scope);
        }

        var now = time.GetUtcNow();
        if (scopes.Count == 0)
            return Refusal.Invalid("scopes", "`scopes` must hold at least one of read and write.");
        if (input.ExpiresAt <= now)
            return Refusal.Invalid("expires_at", "`expires_at` must be in the future. Omit it for a key that does not expire.");
        return await idempotency.RunAsync(request, async (connection, transaction) =>
        {
            var secret = ApiKeySecret.Generate(mode);
            var key = new ApiKey(
                PrefixedId.New<ApiKeyId>(now), account, scopes, ApiKeySecret.Hint(secret), now, input.ExpiresAt?.ToUniversalTime(), null);
            try
            {
                await connection.ExecuteAsync(new CommandDefinition(
                    MerchantSql.InsertKey,
                    new
                    {
                        id = key.Id.Value,
                        merchant = account.Value,
                        scopes = scopes.Select(DbText.Of).ToArray(),
                        hash = ApiKeySecret.Hash(secret),
                        hint = key.Hint,
                        now,
                        expiresAt = key.ExpiresAt,
                    },
                    transaction,
                    cancellationToken: ct));
            }
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.ForeignKeyViolation)
            {
                return Refusal.NotFound(merchant.ToString());
            }

            var detail = AuditEntry.Details(("mode", DbText.Of(mode)), ("scopes", scopes.Select(DbText.Of)), ("hint", key.Hint), ("expires_at", key.ExpiresAt));
            var entry = new AuditEntry(actor, "api_key.created", "api_key", key.Id.ToString(), account, detail);
            await AuditLog.WriteAsync(connection, transaction, entry, now, ct);
            return new StoredResponse(201, JsonSerializer.SerializeToUtf8Bytes(ApiKeyResource.Of(key, secret), MerchantJson.Default.ApiKeyResource)) { HoldsSecret = true };
        }, ct);
    }

    /// <summary>The keys of an account. For a live account, also the keys of the merchant's test account.</summary>
    public async Task<IReadOnlyList<ApiKey>> ListAsync(MerchantId merchant, CancellationToken ct)
    {
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        var rows = await connection.QueryAsync<ApiKeyRow>(
            new CommandDefinition(MerchantSql.ListKeys, new { accounts = Accounts(merchant) }, cancellationToken: ct));
        return [.. rows.Select(row => row.ToKey())];
    }

    /// <summary>
    /// Revokes a key of the account, or for a live account also of the merchant's test account. Idempotent. Null if there is no such key.
    /// </summary>
    public async Task<ApiKey?> RevokeAsync(MerchantId merchant, ApiKeyId id, Actor actor, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        var row = await connection.QuerySingleOrDefaultAsync<ApiKeyRow>(
            new CommandDefinition(
                MerchantSql.RevokeKey, new { accounts = Accounts(merchant), id = id.Value, now }, transaction, cancellationToken: ct));
        if (row is not null)
        {
            var account = new MerchantId(row.MerchantId);
            var entry = new AuditEntry(actor, "api_key.revoked", "api_key", id.ToString(), account, AuditEntry.Details(("hint", row.Hint)));
            await AuditLog.WriteAsync(connection, transaction, entry, now, ct);
        }

        await transaction.CommitAsync(ct);
        _keys.Clear();
        return row?.ToKey();
    }

    private static Guid[] Accounts(MerchantId merchant) =>
        merchant.Mode == Mode.Live ? [merchant.Value, merchant.In(Mode.Test).Value] : [merchant.Value];

    private async ValueTask<ApiKey?> FindAsync(byte[] hash, CancellationToken ct)
    {
        var cacheKey = Convert.ToHexString(hash);
        if (_keys.TryGetValue(cacheKey, out var cached) && time.GetElapsedTime(cached.ReadAt) < MerchantReads.CacheLifetime)
            return cached.Key;
        var readAt = time.GetTimestamp();
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        var row = await connection.QuerySingleOrDefaultAsync<ApiKeyRow>(new CommandDefinition(MerchantSql.FindKey, new { hash }, cancellationToken: ct));
        if (row is null)
        {
            _keys.TryRemove(cacheKey, out _);
            return null;
        }

        if (_keys.Count >= CacheCapacity)
            _keys.Clear();
        var key = row.ToKey();
        _keys[cacheKey] = (key, readAt);
        return key;
    }

    private sealed record ApiKeyRow(
        Guid Id, Guid MerchantId, string Scopes, string Hint,
        DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt, DateTimeOffset? RevokedAt)
    {
        public ApiKey ToKey() => new(
            new ApiKeyId(Id), new MerchantId(MerchantId), [.. Scopes.Split(' ').Select(DbText.Parse<ApiKeyScope>)], Hint,
            CreatedAt, ExpiresAt, RevokedAt);
    }
}
