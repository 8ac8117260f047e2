using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Database;
using Payments.Domain.Idempotency;
using Payments.Domain.Merchants;
using Payments.Domain.Observability;
using Payments.Domain.Providers;
using Payments.Domain.Providers.Routing;

namespace Payments.Domain.Charges;

/// <param name="Amount">Minor units of <paramref name="Currency"/>.</param>
/// <param name="PaymentMethod">
/// The provider's token of the payment method. Card numbers are refused, because they must never reach this API.
/// </param>
/// <param name="CaptureMethod"><c>automatic</c> captures at once. <c>manual</c> holds the amount until it is captured.</param>
/// <param name="PaymentMethods">
/// Tokens by provider, if each provider has its own token for the same card. The charge is tried at these providers, and at others with
/// <paramref name="PaymentMethod"/>.
/// </param>
/// <param name="Card">What the caller knows of the card. Routing rules may use it.</param>
/// <param name="StatementDescriptor">
/// The text on the customer's statement: 5 to 22 Latin letters, digits, spaces and . - &amp; *, with at least one letter.
/// </param>
public sealed partial record CreateChargeRequest(
    long? Amount,
    string? Currency,
    string? PaymentMethod,
    string? CaptureMethod,
    string? Customer,
    string? Description,
    string? StatementDescriptor,
    string? ReturnUrl,
    IReadOnlyDictionary<string, string?>? Metadata,
    IReadOnlyDictionary<string, string?>? PaymentMethods = null,
    CardHint? Card = null)
{
    public Refusal? Validate(out Money amount)
    {
        amount = default;
        if (Amount is null)
            return Refusal.Invalid("amount", "`amount` is required, in minor units: 1050 is EUR 10.50 and JPY 1050.");
        if (!Domain.Currency.TryParse(Currency, out var currency))
            return Refusal.Invalid("currency", "`currency` must be an ISO 4217 code, such as EUR.");
        if (Amount < ChargeLimits.Minimum)
        {
            return new Refusal(
                RefusalCode.AmountTooSmall, $"`amount` must be at least {new Money(ChargeLimits.Minimum, currency)}.", "amount");
        }

        if (Amount > ChargeLimits.Maximum)
        {
            return new Refusal(
                RefusalCode.AmountTooLarge, $"`amount` must be at most {new Money(ChargeLimits.Maximum, currency)}.", "amount");
        }

        if ((PaymentMethod is not null || PaymentMethods is not { Count: > 0 }) && CheckToken(PaymentMethod, "payment_method") is { } wrong)
            return wrong;
        if (PaymentMethods is { Count: > 20 })
            return Refusal.Invalid("payment_methods", "`payment_methods` must hold at most 20 tokens.");
        foreach (var (provider, token) in PaymentMethods ?? new Dictionary<string, string?>())
        {
            if (CheckToken(token, $"payment_methods.{provider}") is { } mistaken)
                return mistaken;
        }

        if (Card?.Validate() is { } hint)
            return hint;
        if (CaptureMethod is not (null or "automatic" or "manual"))
            return Refusal.Invalid("capture_method", "`capture_method` must be automatic (capture at once) or manual (authorize now, capture later).");
        if (StatementDescriptor is not null && !Descriptor().IsMatch(StatementDescriptor))
            return Refusal.Invalid("statement_descriptor", "`statement_descriptor` must have 5 to 22 letters, digits, spaces and . - & *, with at least one letter.");
        if (Tooling.TooLong(Customer, 200))
            return Refusal.Invalid("customer", "`customer` must have at most 200 characters.");
        if (Tooling.TooLong(Description, 1000))
            return Refusal.Invalid("description", "`description` must have at most 1000 characters.");
        if (ReturnUrl is not null && (!Uri.TryCreate(ReturnUrl, UriKind.Absolute, out var url) || url.Scheme is not ("https" or "http") || ReturnUrl.Length > 2000))
            return Refusal.Invalid("return_url", "`return_url` must be an absolute http or https URL.");
        amount = new Money(Amount.Value, currency);
        return MetadataRules.Validate(Metadata);
    }

    /// <summary>The token for a provider, or null if there is none.</summary>
    internal string? TokenFor(string provider) => PaymentMethods?.GetValueOrDefault(provider) ?? PaymentMethod;

    private static Refusal? CheckToken(string? token, string param) =>
        string.IsNullOrEmpty(token) || token.Length > 200 || token.Any(c => c is < '!' or > '~')
            ? Refusal.Invalid(param, "The payment method must be a token from the provider: printable ASCII, at most 200 characters.")
        : CardNumber().IsMatch(token)
            ? Refusal.Invalid(param, "This looks like a card number. Never send card numbers here. Send a token from the provider.")
        : null;

    // 12 to 19 digits, perhaps grouped: the shape of a primary account number (ISO/IEC 7812).
    [GeneratedRegex(@"^(?:\d[ -]?){12,19}$", RegexOptions.CultureInvariant)]
    private static partial Regex CardNumber();

    [GeneratedRegex(@"^(?=.*[A-Za-z])[A-Za-z0-9 .\-&*]{5,22}$", RegexOptions.CultureInvariant)]
    private static partial Regex Descriptor();

    private static class Tooling
    {
        public static bool TooLong(string? text, int limit) => text is not null && (text.Length > limit || text.Contains('\0', StringComparison.Ordinal));
    }
}

/// <summary>What the caller knows of the card from the provider that made the token. Only routing reads it.</summary>
/// <param name="Brand">In lower case, as providers spell it: <c>visa</c>.</param>
/// <param name="Country">ISO 3166-1 alpha-2 of the issuer.</param>
public sealed record CardHint(string? Brand, string? Country)
{
    internal Refusal? Validate() =>
        Brand is not null && (Brand.Length is 0 or > 40 || !Brand.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '_'))
            ? Refusal.Invalid("card.brand", "`card.brand` must have 1 to 40 lower-case letters, digits and underscores, such as visa.")
        : Country is not null && (Country.Length != 2 || !Country.All(char.IsAsciiLetterUpper))
            ? Refusal.Invalid("card.country", "`card.country` must be the issuer's ISO 3166-1 code of two upper-case letters, such as DE.")
        : null;
}

/// <summary>
/// Takes a charge in three steps: intent, call, outcome. The intent is committed before the provider is called. It carries the attempt's
/// id, which is the provider's idempotency key. The first process that learns the outcome records it. After a crash in any step there is
/// still one effect and one answer.
/// </summary>
public sealed class CreateCharge(
    GroupCommit<ChargeIntent, RecordedIntent> intents, AttemptOutcomes outcomes, IdempotencyStore idempotency, MerchantReads merchants, PaymentProviders providers, RoutingRules routing,
    TimeProvider time, IOptions<ChargesOptions> options, ILogger<CreateCharge> log)
{
    /// <returns>The charge as JSON with 201, or with 202 while the provider's answer is unknown.</returns>
    /// <exception cref="OverloadedException">Nothing was done. The caller may repeat the request.</exception>
    public async Task<Result<StoredResponse>> HandleAsync(IdempotentRequest request, CreateChargeRequest input, CancellationToken ct)
    {
        if (input.Validate(out var amount) is { } invalid)
            return invalid;
        if (options.Value.Refuse(amount) is { } beyond)
            return beyond;
        if (input.StatementDescriptor is { } descriptor && providers.RefuseDescriptor(descriptor, request.Merchant.Mode) is { } wrong)
            return await RecallOrAsync(request, Refusal.Invalid("statement_descriptor", wrong), ct);
        if (await merchants.GetCachedAsync(request.Merchant, ct) is not { } merchant)
            return Refusal.NotFound(request.Merchant.ToString());
        if (merchant.Status is not MerchantStatus.Active)
            return new Refusal(RefusalCode.MerchantInactive, $"The merchant is {DbText.Of(merchant.Status)} and cannot take charges.");

        var now = time.GetUtcNow();
        var id = PrefixedId.New<ChargeId>(now);
        var route = await routing.PlanAsync(id, request.Merchant, new RoutingFacts(amount, input.Card?.Brand, input.Card?.Country), provider => input.TokenFor(provider) is not null, ct);
        if (input.TokenFor(route[0]) is not { } token)
        {
            return await RecallOrAsync(
                request, Refusal.Invalid("payment_methods", $"`payment_methods` must hold a token for {route[0]}."), ct);
        }

        var intent = Plan(request, input, id, route[0], token, amount, now);
        var recorded = await intents.SubmitAsync(intent, ct);
        if (!recorded.IsNew)
            return await idempotency.RecallAsync(request, ct);

        // From here on the work ignores the caller's cancellation: the provider is called and its answer is recorded.
        var attempt = intent.Attempt;
        PaymentSteps.Reached(PaymentSteps.IntentCommitted, PaymentOperation.Charge);
        try
        {
            for (var step = 1; ; step++)
            {
                var answer = await providers.Get(attempt.Provider).SendAsync((intent with { Attempt = attempt }).ToPaymentRequest(input.ReturnUrl, token), CancellationToken.None);
                PaymentSteps.Reached(PaymentSteps.Answered, PaymentOperation.Charge);
                var next = step < route.Count && Route.MayGoOn(answer) ? Next(attempt, route[step], input.TokenFor(route[step])!, time.GetUtcNow()) : null;
                var outcome = await outcomes.RecordAsync(attempt.Reference, answer, CancellationToken.None, next, step == 1 ? new WrittenIntent(intent, recorded.PayoutDelayDays) : null);
                PaymentSteps.Reached(PaymentSteps.OutcomeCommitted, PaymentOperation.Charge);
                if (outcome.Started is not { } started)
                    return outcome.Response ?? throw new InvalidOperationException($"The attempt {attempt.Id} was recorded without an answer.");
                (attempt, token) = (started.Attempt, started.Token);
            }
        }
        catch (Exception e) when (e is not InvalidOperationException)
        {
            // The provider answered, but recording the outcome failed. The attempt stays open, and the resolver asks the provider again. Do
            // not answer the caller with the outcome: the resolver may record a different one.
            ChargeLog.OutcomeNotRecorded(log, attempt.Id, e);
            return IdempotencyStore.Unrecorded();
        }
    }

    /// <summary>Settings and rules may have changed since the first request with this key. Its stored response still counts.</summary>
    private async Task<Result<StoredResponse>> RecallOrAsync(IdempotentRequest request, Refusal refusal, CancellationToken ct) =>
        await idempotency.FindAsync(request.Merchant, request.Key.Value, ct) is null ? refusal : await idempotency.RecallAsync(request, ct);

    /// <summary>The next attempt, at another provider and under a reference of its own.</summary>
    private static NextAttempt Next(Attempt before, string provider, string token, DateTimeOffset now)
    {
        // The newest attempt counts, and ids sort by millisecond. A provider whose circuit is open may answer within the same millisecond,
        // so the next attempt gets a later one.
        var at = now > before.CreatedAt.AddMilliseconds(1) ? now : before.CreatedAt.AddMilliseconds(1);
        return new(before with { Id = PrefixedId.New<AttemptId>(at), Provider = provider, NextCheckAt = at + ChargeRules.FirstCheck, CreatedAt = at }, token);
    }

    private static ChargeIntent Plan(
        IdempotentRequest request, CreateChargeRequest input, ChargeId id, string provider, string token, Money amount, DateTimeOffset now)
    {
        // Cut to microseconds, as the database stores times. The outcome is decided on this record without reading the row again.
        now = now.AddTicks(-(now.Ticks % TimeSpan.TicksPerMicrosecond));
        var zero = Money.Zero(amount.Currency);
        var method = input.CaptureMethod is { } text ? DbText.Parse<CaptureMethod>(text) : CaptureMethod.Automatic;
        var charge = new Charge(
            request.Merchant, id, ChargeStatus.Pending, amount, method, zero, zero, zero, zero, zero, zero, zero, token, provider, null,
            null, null, null, input.Customer, input.Description, input.StatementDescriptor,
            JsonSerializer.Serialize(MetadataRules.Clean(input.Metadata), ChargeJson.Default.IReadOnlyDictionaryStringString), now, now, null);
        var attempt = new Attempt(
            charge.Merchant, AttemptId.FirstOf(charge.Id), charge.Id, null, PaymentOperation.Charge, AttemptStatus.Started, charge.Provider, amount, null, null, request.Key.Value, 0,
            now + ChargeRules.FirstCheck, now, null);
        return new ChargeIntent(request, charge, attempt);
    }
}

/// <summary>The result of recording an intent.</summary>
/// <param name="IsNew">False if the key was taken before. Nothing was recorded then.</param>
/// <param name="PayoutDelayDays">
/// The payout delay in business days from the merchant's settings for the charge's currency. Null means the merchant's own delay.
/// </param>
public readonly record struct RecordedIntent(bool IsNew, int? PayoutDelayDays);

/// <summary>An intent that this process committed. The rows still equal it, unless another process recorded an outcome.</summary>
public sealed record WrittenIntent(ChargeIntent Intent, int? PayoutDelayDays);

/// <summary>The record of a charge and its first attempt before the provider is called.</summary>
public sealed record ChargeIntent(IdempotentRequest Request, Charge Charge, Attempt Attempt)
{
    internal PaymentRequest ToPaymentRequest(string? returnUrl, string token) => ToPaymentRequest(Charge, Attempt, returnUrl) with { Token = token };

    internal static PaymentRequest ToPaymentRequest(Charge charge, Attempt attempt, string? returnUrl = null) => new(
        attempt.Operation, attempt.Reference, attempt.Amount, attempt.Operation is PaymentOperation.Charge ? charge.PaymentToken : null,
        charge.CaptureMethod is CaptureMethod.Automatic, charge.ProviderReference, IsFinal: false, charge.StatementDescriptor, returnUrl, charge.Customer);

    /// <summary>
    /// Records and commits, with one statement, the intents of a batch whose keys were free. Idempotent: repeated after a lost connection,
    /// it finds its own charges under the keys and returns the same. No two intents have the same charge id.
    /// </summary>
    internal static async Task<IReadOnlyList<RecordedIntent>> RecordAsync(NpgsqlConnection connection, IReadOnlyList<ChargeIntent> intents)
    {
        // Other processes derive the charge's id from the id of its first attempt.
        if (intents.FirstOrDefault(i => i.Attempt.Id != AttemptId.FirstOf(i.Charge.Id)) is { } strange)
            throw new ArgumentException($"{strange.Attempt.Id} is not the first attempt of {strange.Charge.Id}.", nameof(intents));
        PaymentSteps.Reached(PaymentSteps.IntentWritten, PaymentOperation.Charge);
        await using var command = new NpgsqlCommand(ChargeSql.InsertIntents, connection)
        {
            Parameters =
            {
                Columns.Of(intents, i => i.Charge.Merchant.Value, NpgsqlDbType.Uuid),
                Columns.Of(intents, i => i.Request.Key.Value, NpgsqlDbType.Text),
                Columns.Of(intents, i => i.Request.Fingerprint, NpgsqlDbType.Bytea),
                Columns.Of(intents, i => i.Charge.Id.Value, NpgsqlDbType.Uuid),
                Columns.Of(intents, i => i.Charge.Amount.MinorUnits, NpgsqlDbType.Bigint),
                Columns.Of(intents, i => i.Charge.Currency.Code, NpgsqlDbType.Text),
                Columns.Of(intents, i => DbText.Of(i.Charge.CaptureMethod), NpgsqlDbType.Text),
                Columns.Of(intents, i => i.Charge.PaymentToken, NpgsqlDbType.Text),
                Columns.Of(intents, i => i.Charge.Provider, NpgsqlDbType.Text),
                Columns.Of(intents, i => i.Charge.Customer, NpgsqlDbType.Text),
                Columns.Of(intents, i => i.Charge.Description, NpgsqlDbType.Text),
                Columns.Of(intents, i => i.Charge.StatementDescriptor, NpgsqlDbType.Text),
                Columns.Of(intents, i => i.Charge.MetadataJson, NpgsqlDbType.Text),
                Columns.Of(intents, i => i.Charge.CreatedAt, NpgsqlDbType.TimestampTz),
                Columns.Of(intents, i => i.Attempt.NextCheckAt, NpgsqlDbType.TimestampTz),
            },
        };
        var recorded = new Dictionary<Guid, int?>(intents.Count);
        await ReadAsync(command, recorded);
        if (recorded.Count < intents.Count)
        {
            var others = intents.Where(i => !recorded.ContainsKey(i.Charge.Id.Value)).ToList();
            await using var own = new NpgsqlCommand(ChargeSql.OwnIntents, connection)
            {
                Parameters =
                {
                    Columns.Of(others, i => i.Charge.Merchant.Value, NpgsqlDbType.Uuid),
                    Columns.Of(others, i => i.Request.Key.Value, NpgsqlDbType.Text),
                    Columns.Of(others, i => i.Charge.Id.Value, NpgsqlDbType.Uuid),
                },
            };
            await ReadAsync(own, recorded);
        }

        return [.. intents.Select(i => new RecordedIntent(recorded.TryGetValue(i.Charge.Id.Value, out var delay), delay))];
    }

    private static async Task ReadAsync(NpgsqlCommand command, Dictionary<Guid, int?> recorded)
    {
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
            recorded.Add(reader.GetGuid(0), reader.IsDBNull(1) ? null : reader.GetInt16(1));
    }
}
