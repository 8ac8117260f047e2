using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Serialization;
using Npgsql;
using Payments.Domain.Audit;
using Payments.Domain.Database;

namespace Payments.Domain.Providers.Routing;

public sealed record RoutingTargetResource(string? Provider, int? Weight);

/// <summary>A rule as the API takes and shows it. An omitted condition matches every charge.</summary>
public sealed record RoutingRuleResource(
    string? Name, IReadOnlyList<string>? Currencies, IReadOnlyList<string>? CardCountries, IReadOnlyList<string>? CardBrands, long? AmountMin, long? AmountMax,
    IReadOnlyList<RoutingTargetResource>? Providers, int? MaxAttempts);

public sealed record RoutingRequest(IReadOnlyList<RoutingRuleResource>? Rules);

/// <param name="DefaultProvider">The provider of charges that no rule matches.</param>
public sealed record RoutingResource(string Object, string Merchant, string DefaultProvider, IReadOnlyList<RoutingRuleResource> Rules, DateTimeOffset? UpdatedAt);

/// <summary>Stores and checks merchants' routing rules, and plans the route of each charge.</summary>
public sealed class RoutingRules(NpgsqlDataSource dataSource, PaymentProviders providers, TimeProvider time)
{
    /// <summary>The greatest age of cached rules. A change takes effect on every instance within this time.</summary>
    public static readonly TimeSpan CacheLifetime = TimeSpan.FromSeconds(5);

    private const int MaximumRules = 50;
    private const int MaximumTargets = 10;
    private const int MaximumValues = 300;

    // A full cache is cleared as a whole. That is simpler than evicting entries, and a miss costs only one indexed read.
    private const int CacheCapacity = 50_000;

    private readonly ConcurrentDictionary<MerchantId, (IReadOnlyList<RoutingRule> Rules, long ReadAt)> _cache = new();

    /// <summary>The route of a charge: its providers, in the order in which they are tried.</summary>
    /// <param name="takes">Whether the charge has a payment method for the provider.</param>
    public async ValueTask<IReadOnlyList<string>> PlanAsync(ChargeId charge, MerchantId merchant, RoutingFacts facts, Func<string, bool> takes, CancellationToken ct)
    {
        if (!_cache.TryGetValue(merchant, out var cached) || time.GetElapsedTime(cached.ReadAt) >= CacheLifetime)
        {
            var readAt = time.GetTimestamp();
            var (rules, _) = await ReadAsync(merchant, ct);
            if (_cache.Count >= CacheCapacity)
                _cache.Clear();
            _cache[merchant] = cached = ([.. rules.Select(ToRule)], readAt);
        }

        // The seed is the second half of the charge's id, which is random in a version 7 id.
        Span<byte> bytes = stackalloc byte[16];
        charge.Value.TryWriteBytes(bytes, bigEndian: true, out _);
        return Route.Plan(cached.Rules, facts, providers.DefaultOf(merchant.Mode),
            name => providers.Serves(name, merchant.Mode) && takes(name), BitConverter.ToUInt64(bytes[8..]));
    }

    public async Task<RoutingResource> GetAsync(MerchantId merchant, CancellationToken ct)
    {
        var (rules, updated) = await ReadAsync(merchant, ct);
        return new RoutingResource("routing", merchant.ToString(), providers.DefaultOf(merchant.Mode), rules, updated);
    }

    /// <summary>Replaces all rules of a merchant. Idempotent, except for <c>updated_at</c>.</summary>
    public async Task<Result<RoutingResource>> PutAsync(MerchantId merchant, RoutingRequest request, Actor actor, CancellationToken ct)
    {
        if (Validate(request.Rules, merchant.Mode) is { } refusal)
            return refusal;
        var now = time.GetUtcNow();
        var rules = JsonSerializer.Serialize(request.Rules!, RoutingJson.Default.IReadOnlyListRoutingRuleResource);
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await using var command = new NpgsqlCommand(RoutingSql.Put, connection, transaction);
        command.Parameters.Add(new() { Value = merchant.Value });
        command.Parameters.Add(new() { Value = rules });
        command.Parameters.Add(new() { Value = now });
        try
        {
            await command.ExecuteNonQueryAsync(ct);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.ForeignKeyViolation)
        {
            return Refusal.NotFound(merchant.ToString());
        }

        await AuditLog.WriteAsync(connection, transaction, new AuditEntry(actor, "routing.set", "routing", merchant.ToString(), merchant, $$"""{"rules":{{rules}}}"""), now, ct);
        await transaction.CommitAsync(ct);
        _cache.TryRemove(merchant, out _);
        return new RoutingResource("routing", merchant.ToString(), providers.DefaultOf(merchant.Mode), request.Rules!, now);
    }

    private Refusal? Validate(IReadOnlyList<RoutingRuleResource>? rules, Mode mode)
    {
        if (rules is null)
            return Refusal.Invalid("rules", "`rules` is required. Send an empty list to send every charge to the default provider.");
        if (rules.Count > MaximumRules)
            return Refusal.Invalid("rules", $"`rules` must hold at most {MaximumRules} rules.");
        for (var i = 0; i < rules.Count; i++)
        {
            if (Validate(rules[i], $"rules[{i}]", mode) is { } refusal)
                return refusal;
        }

        return null;
    }

    private Refusal? Validate(RoutingRuleResource? rule, string at, Mode mode)
    {
        if (rule is null)
            return Refusal.Invalid(at, "A rule must be an object.");
        if (rule.Name is { Length: 0 or > 100 } || rule.Name?.Contains('\0', StringComparison.Ordinal) is true)
            return Refusal.Invalid($"{at}.name", "`name` must have 1 to 100 characters.");
        if (Any(rule.Currencies, code => !Currency.TryParse(code, out _)) is { } currency)
            return Refusal.Invalid($"{at}.currencies", $"'{currency}' in `currencies` must be an ISO 4217 code.");
        if (Any(rule.CardCountries, code => code is not { Length: 2 } || !code.All(char.IsAsciiLetterUpper)) is { } country)
            return Refusal.Invalid($"{at}.card_countries", $"'{country}' in `card_countries` must be an ISO 3166-1 code, such as DE.");
        if (Any(rule.CardBrands, brand => brand is not { Length: >= 1 and <= 40 } || !brand.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '_')) is { } brand)
            return Refusal.Invalid($"{at}.card_brands", $"'{brand}' in `card_brands` must be a lower-case name, such as visa.");
        if (new[] { rule.Currencies, rule.CardCountries, rule.CardBrands }.Any(list => list?.Count > MaximumValues))
            return Refusal.Invalid(at, $"Each list of a rule must hold at most {MaximumValues} values.");
        if ((rule.AmountMin ?? rule.AmountMax) is not null && rule.Currencies?.Count != 1)
            return Refusal.Invalid($"{at}.amount_min", "`currencies` must name exactly one currency for `amount_min` or `amount_max`.");
        if (rule.AmountMin < 0 || rule.AmountMax < (rule.AmountMin ?? 0))
            return Refusal.Invalid($"{at}.amount_max", "`amount_min` must be at least 0, and `amount_max` at least `amount_min`.");
        if (rule.Providers is not { Count: >= 1 and <= MaximumTargets })
            return Refusal.Invalid($"{at}.providers", $"`providers` must hold 1 to {MaximumTargets} providers.");
        for (var i = 0; i < rule.Providers.Count; i++)
        {
            var target = rule.Providers[i];
            if (target?.Provider is not { } name || !providers.Serves(name, mode))
            {
                var names = string.Join(", ", providers.NamesOf(mode));
                return Refusal.Invalid(
                    $"{at}.providers[{i}].provider", $"`provider` must be one of {names}, which take {DbText.Of(mode)} payments.");
            }

            if (target.Weight is < 0 or > 1_000_000)
                return Refusal.Invalid($"{at}.providers[{i}].weight", "`weight` must be from 0 to 1000000. 0 means after the others.");
        }

        if (rule.Providers.Select(target => target.Provider).Distinct(StringComparer.Ordinal).Count() < rule.Providers.Count)
            return Refusal.Invalid($"{at}.providers", "`providers` must hold each provider only once.");
        return rule.MaxAttempts is < 1 or > Route.MostAttempts ? Refusal.Invalid($"{at}.max_attempts", $"`max_attempts` must be from 1 to {Route.MostAttempts}.") : null;
    }

    /// <summary>The first wrong value, for the text of the refusal. Null if all are right.</summary>
    private static string? Any(IReadOnlyList<string>? values, Func<string?, bool> wrong) =>
        values?.FirstOrDefault(value => value is null || wrong(value)) is { } found ? found : values?.Contains(null!) is true ? "null" : null;

    private static RoutingRule ToRule(RoutingRuleResource rule) => new(
        rule.Name, rule.Currencies ?? [], rule.CardCountries ?? [], rule.CardBrands ?? [], rule.AmountMin, rule.AmountMax,
        [.. rule.Providers!.Select(target => new RoutingTarget(target.Provider!, target.Weight ?? 1))], rule.MaxAttempts ?? Route.MostAttempts);

    private async Task<(IReadOnlyList<RoutingRuleResource> Rules, DateTimeOffset? UpdatedAt)> ReadAsync(MerchantId merchant, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(RoutingSql.Get);
        command.Parameters.Add(new() { Value = merchant.Value });
        await using var row = await command.ExecuteReaderAsync(ct);
        return await row.ReadAsync(ct)
            ? (JsonSerializer.Deserialize(row.GetString(0), RoutingJson.Default.IReadOnlyListRoutingRuleResource)!, row.GetFieldValue<DateTimeOffset>(1))
            : ([], null);
    }
}

internal static class RoutingSql
{
    public const string Get = "SELECT rules::text, updated_at FROM payments.routing WHERE merchant_id = $1";

    public const string Put =
        """
        INSERT INTO payments.routing (bucket, merchant_id, rules, updated_at)
        VALUES (payments.bucket_of($1), $1, $2::jsonb, $3)
        ON CONFLICT (merchant_id, bucket) DO UPDATE SET rules = excluded.rules, updated_at = excluded.updated_at
        """;
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, Converters = [typeof(UtcTimeJson)])]
[JsonSerializable(typeof(RoutingResource))]
[JsonSerializable(typeof(RoutingRequest))]
[JsonSerializable(typeof(IReadOnlyList<RoutingRuleResource>))]
public sealed partial class RoutingJson : JsonSerializerContext;
