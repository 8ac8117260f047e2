using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Audit;
using Payments.Domain.Database;
using Payments.Domain.Secrets;

namespace Payments.Domain.Providers.Credentials;

/// <summary>Credentials as the API shows them: secret values only as a hint.</summary>
/// <param name="Source"><c>merchant</c>, or <c>platform</c> if the merchant has none and uses the platform's.</param>
public sealed record ProviderCredentialsResource(
    string Object, string Merchant, string Provider, string Type, string Source, IReadOnlyDictionary<string, string> Credentials, DateTimeOffset? CreatedAt, DateTimeOffset? UpdatedAt);

public sealed record ProviderCredentialsRequest(IReadOnlyDictionary<string, string?>? Credentials);

/// <summary>
/// Merchants' own credentials at providers, encrypted at rest (<see cref="SecretBox"/>). Merchants without them use the platform's
/// credentials, which are in the settings.
/// </summary>
public sealed class ProviderCredentials(NpgsqlDataSource dataSource, SecretBox secrets, IReadOnlyList<ConfiguredProvider> providers, TimeProvider time)
{
    /// <summary>The greatest age of cached credentials. A change takes effect on every instance within this time.</summary>
    public static readonly TimeSpan CacheLifetime = TimeSpan.FromSeconds(5);

    // A full cache is cleared as a whole. That is simpler than evicting entries, and a miss costs only one indexed read.
    private const int CacheCapacity = 50_000;

    private readonly Dictionary<string, ConfiguredProvider> _providers = providers.ToDictionary(provider => provider.Name, StringComparer.Ordinal);
    private readonly ConcurrentDictionary<(MerchantId, string), (ProviderSecrets? Secrets, long ReadAt)> _cache = new();

    /// <summary>The credentials for a merchant's payments. Null if neither the merchant nor the platform has any.</summary>
    public async ValueTask<ProviderSecrets?> FindAsync(MerchantId merchant, string provider, CancellationToken ct)
    {
        if (_cache.TryGetValue((merchant, provider), out var cached) && time.GetElapsedTime(cached.ReadAt) < CacheLifetime)
            return cached.Secrets;
        var readAt = time.GetTimestamp();
        var configured = _providers.GetValueOrDefault(provider);

        // The last check before a provider is called: a test payment never reaches a provider of live payments, or the other way round.
        var found = configured is null || configured.Serves(merchant.Mode)
            ? await ReadAsync(merchant, provider, ct) ?? configured?.Platform
            : null;
        if (_cache.Count >= CacheCapacity)
            _cache.Clear();
        _cache[(merchant, provider)] = (found, readAt);
        return found;
    }

    public async Task<Result<ProviderCredentialsResource>> GetAsync(MerchantId merchant, string provider, CancellationToken ct)
    {
        if (!_providers.TryGetValue(provider, out var configured))
            return NoProvider(provider);
        await using var command = dataSource.CreateCommand(ProviderCredentialSql.Get);
        Add(command, merchant, provider);
        await using var row = await command.ExecuteReaderAsync(ct);
        if (await row.ReadAsync(ct))
        {
            return Resource(
                merchant, configured, "merchant", JsonSerializer.Deserialize(row.GetString(0), CredentialJson.Default.DictionaryStringString)!,
                row.GetFieldValue<DateTimeOffset>(1), row.GetFieldValue<DateTimeOffset>(2));
        }

        return configured.Serves(merchant.Mode) && configured.Platform is { } platform
            ? Resource(merchant, configured, "platform", Shown(configured.Type, platform.Values), null, null)
            : new Refusal(RefusalCode.NotFound, $"Neither {merchant} nor the platform has credentials for {provider}.");
    }

    /// <summary>
    /// Replaces all credentials of a merchant at a provider. Omitted values are deleted. Idempotent, except for <c>updated_at</c>.
    /// </summary>
    public async Task<Result<ProviderCredentialsResource>> PutAsync(
        MerchantId merchant, string provider, ProviderCredentialsRequest request, Actor actor, CancellationToken ct)
    {
        if (!_providers.TryGetValue(provider, out var configured))
            return NoProvider(provider);
        if (!configured.Serves(merchant.Mode))
            return OtherMode("provider", $"{provider} takes {DbText.Of(configured.Mode!.Value)} payments", merchant);
        if (!Validate(configured.Type, request.Credentials).TryGet(out var values, out var refusal))
            return refusal;
        if (configured.Type.ModeOf(values) is { } ofKey && ofKey != merchant.Mode)
            return OtherMode("credentials", $"The key is a {DbText.Of(ofKey)} key of {provider}", merchant);
        var now = time.GetUtcNow();
        var shown = Shown(configured.Type, values);
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await using var command = new NpgsqlCommand(ProviderCredentialSql.Put, connection, transaction);
        Add(command, merchant, provider);
        command.Parameters.Add(new() { Value = Seal(merchant, provider, values), NpgsqlDbType = NpgsqlDbType.Bytea });
        command.Parameters.Add(new() { Value = JsonSerializer.Serialize(shown, CredentialJson.Default.DictionaryStringString) });
        command.Parameters.Add(new() { Value = now });
        DateTime created;
        try
        {
            created = (DateTime)(await command.ExecuteScalarAsync(ct))!;
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.ForeignKeyViolation)
        {
            return Refusal.NotFound(merchant.ToString());
        }

        await AuditLog.WriteAsync(connection, transaction, Entry(actor, "set", merchant, provider, AuditEntry.Details([.. shown.Select(pair => (pair.Key, (object?)pair.Value))])), now, ct);
        await transaction.CommitAsync(ct);
        _cache.TryRemove((merchant, provider), out _);
        return Resource(merchant, configured, "merchant", shown, new DateTimeOffset(created, TimeSpan.Zero), now);
    }

    /// <summary>Deletes a merchant's credentials, so that the platform's are used. Returns false if there were none.</summary>
    public async Task<bool> DeleteAsync(MerchantId merchant, string provider, Actor actor, CancellationToken ct)
    {
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await using var command = new NpgsqlCommand(ProviderCredentialSql.Delete, connection, transaction);
        Add(command, merchant, provider);
        var deleted = await command.ExecuteNonQueryAsync(ct) == 1;
        if (deleted)
            await AuditLog.WriteAsync(connection, transaction, Entry(actor, "deleted", merchant, provider, null), time.GetUtcNow(), ct);
        await transaction.CommitAsync(ct);
        _cache.TryRemove((merchant, provider), out _);
        return deleted;
    }

    /// <summary>
    /// Seals credentials with the active key that are sealed with an older one. Returns how many. A timer runs it, so that keys can be
    /// rotated.
    /// </summary>
    /// <exception cref="CryptographicException">Some credentials do not open. All others are sealed with the active key.</exception>
    public async Task<int> ResealAsync(CancellationToken ct)
    {
        var resealed = 0;
        var unreadable = new List<string>();
        var after = (Merchant: Guid.Empty, Provider: "");
        while (true)
        {
            var page = new List<(Guid Merchant, string Provider, byte[] Sealed)>();
            await using (var command = dataSource.CreateCommand(ProviderCredentialSql.Page))
            {
                command.Parameters.Add(new() { Value = after.Merchant });
                command.Parameters.Add(new() { Value = after.Provider });
                await using var row = await command.ExecuteReaderAsync(ct);
                while (await row.ReadAsync(ct))
                    page.Add((row.GetGuid(0), row.GetString(1), row.GetFieldValue<byte[]>(2)));
            }

            if (page.Count == 0)
            {
                return unreadable.Count == 0
                    ? resealed
                    : throw new CryptographicException($"{unreadable.Count} credentials do not open: {string.Join(", ", unreadable.Take(5))}. Their merchants' payments are not sent until they are set again.");
            }

            foreach (var (merchant, provider, before) in page.Where(row => !secrets.IsCurrent(row.Sealed)))
            {
                var owner = Owner(new MerchantId(merchant), provider);
                byte[] secret;
                try
                {
                    secret = secrets.Open(before, owner);
                }
                catch (CryptographicException)
                {
                    unreadable.Add(owner);
                    continue;
                }

                await using var command = dataSource.CreateCommand(ProviderCredentialSql.Reseal);
                command.Parameters.Add(new() { Value = merchant });
                command.Parameters.Add(new() { Value = provider });
                command.Parameters.Add(new() { Value = before });
                command.Parameters.Add(new() { Value = secrets.Seal(secret, owner) });
                resealed += await command.ExecuteNonQueryAsync(ct);
            }

            after = (page[^1].Merchant, page[^1].Provider);
        }
    }

    private static Result<Dictionary<string, string>> Validate(ProviderType type, IReadOnlyDictionary<string, string?>? given)
    {
        if (given is null)
            return Refusal.Invalid("credentials", $"`credentials` must hold {string.Join(", ", type.Credentials.Select(field => field.Name))}.");
        if (given.Keys.FirstOrDefault(name => type.Credentials.All(field => field.Name != name)) is { } unknown)
            return Refusal.Invalid($"credentials.{unknown}", $"{type.Name} takes only {string.Join(", ", type.Credentials.Select(field => field.Name))}.");
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var field in type.Credentials)
        {
            var value = given.GetValueOrDefault(field.Name);
            if (string.IsNullOrEmpty(value))
            {
                if (field.IsRequired)
                    return Refusal.Invalid($"credentials.{field.Name}", $"`{field.Name}` is required for {type.Name}.");
                continue;
            }

            // Credentials go into headers. Other characters would fail at the first payment instead of here.
            if (value.Length > 1000 || value.Any(c => c is < '!' or > '~'))
                return Refusal.Invalid($"credentials.{field.Name}", "A credential must have at most 1000 printable ASCII characters without spaces.");
            values[field.Name] = value;
        }

        return values;
    }

    /// <summary>
    /// The last four characters of a secret of at least 16, so that people can tell keys apart. Nothing of a shorter secret.
    /// </summary>
    private static Dictionary<string, string> Shown(ProviderType type, IReadOnlyDictionary<string, string> values) =>
        type.Credentials.Where(field => values.ContainsKey(field.Name)).ToDictionary(
            field => field.Name,
            field => !field.IsSecret ? values[field.Name] : values[field.Name].Length >= 16 ? $"...{values[field.Name][^4..]}" : "...",
            StringComparer.Ordinal);

    private static ProviderCredentialsResource Resource(
        MerchantId merchant, ConfiguredProvider configured, string source, Dictionary<string, string> shown, DateTimeOffset? created, DateTimeOffset? updated) =>
        new("provider_credentials", merchant.ToString(), configured.Name, configured.Type.Name, source, shown, created, updated);

    private static AuditEntry Entry(Actor actor, string verb, MerchantId merchant, string provider, string? detail) =>
        new(actor, $"provider_credentials.{verb}", "provider_credentials", provider, merchant, detail);

    private static string Owner(MerchantId merchant, string provider) => $"provider_credentials:{merchant}:{provider}";

    private static void Add(NpgsqlCommand command, MerchantId merchant, string provider)
    {
        command.Parameters.Add(new() { Value = merchant.Value });
        command.Parameters.Add(new() { Value = provider });
    }

    private static Refusal OtherMode(string param, string what, MerchantId merchant) =>
        Refusal.Invalid(param, $"{what}, and {merchant} is a {DbText.Of(merchant.Mode)} account.");

    private Refusal NoProvider(string provider) =>
        new(RefusalCode.NotFound, $"There is no provider '{provider}'. The providers are {string.Join(", ", _providers.Keys.Order(StringComparer.Ordinal))}.");

    private byte[] Seal(MerchantId merchant, string provider, Dictionary<string, string> values) =>
        secrets.Seal(JsonSerializer.SerializeToUtf8Bytes(values, CredentialJson.Default.DictionaryStringString), Owner(merchant, provider));

    private async Task<ProviderSecrets?> ReadAsync(MerchantId merchant, string provider, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(ProviderCredentialSql.Find);
        Add(command, merchant, provider);
        return await command.ExecuteScalarAsync(ct) is byte[] found
            ? new ProviderSecrets(JsonSerializer.Deserialize(secrets.Open(found, Owner(merchant, provider)), CredentialJson.Default.DictionaryStringString)!)
            : null;
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, Converters = [typeof(UtcTimeJson)])]
[JsonSerializable(typeof(ProviderCredentialsResource))]
[JsonSerializable(typeof(ProviderCredentialsRequest))]
[JsonSerializable(typeof(Dictionary<string, string>))]
public sealed partial class CredentialJson : JsonSerializerContext;
