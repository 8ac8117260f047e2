using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Database;
using Payments.Domain.Idempotency;
using Payments.Domain.Merchants;
using Payments.Domain.Providers;

namespace Payments.Domain.Charges;

/// <param name="Amount">Minor units of <paramref name="Currency"/>.</param>
/// <param name="PaymentMethod">The processor's token of the payment method. Card numbers are refused: they must never reach this API.</param>
/// <param name="CaptureMethod"><c>automatic</c>, which captures at once, or <c>manual</c>, which holds the amount until it is captured.</param>
/// <param name="StatementDescriptor">What the customer reads on the statement: 5 to 22 characters of the Latin alphabet.</param>
public sealed partial record CreateChargeRequest(
    long? Amount,
    string? Currency,
    string? PaymentMethod,
    string? CaptureMethod,
    string? Customer,
    string? Description,
    string? StatementDescriptor,
    string? ReturnUrl,
    IReadOnlyDictionary<string, string?>? Metadata)
{
    public Refusal? Validate(out Money amount)
    {
        amount = default;
        if (Amount is null)
            return Refusal.Invalid("amount", "Give the amount in minor units: 1050 is EUR 10.50 and JPY 1050.");
        if (!Domain.Currency.TryParse(Currency, out var currency))
            return Refusal.Invalid("currency", "Give the currency as its ISO 4217 code, such as EUR.");
        if (Amount < ChargeLimits.Minimum)
            return new Refusal(RefusalCode.AmountTooSmall, $"The least amount is {new Money(ChargeLimits.Minimum, currency)}.", "amount");
        if (Amount > ChargeLimits.Maximum)
            return new Refusal(RefusalCode.AmountTooLarge, $"The largest amount is {new Money(ChargeLimits.Maximum, currency)}.", "amount");
        if (string.IsNullOrEmpty(PaymentMethod) || PaymentMethod.Length > 200 || PaymentMethod.Any(c => c is < '!' or > '~'))
            return Refusal.Invalid("payment_method", "Give the processor's token of the payment method: printable ASCII, at most 200 characters.");
        if (CardNumber().IsMatch(PaymentMethod))
            return Refusal.Invalid("payment_method", "This looks like a card number. Send a token made by the processor; card numbers must never be sent here.");
        if (CaptureMethod is not (null or "automatic" or "manual"))
            return Refusal.Invalid("capture_method", "The capture method is automatic, which captures at once, or manual, which holds the amount until it is captured.");
        if (StatementDescriptor is not null && !Descriptor().IsMatch(StatementDescriptor))
            return Refusal.Invalid("statement_descriptor", "A statement descriptor is 5 to 22 characters: letters, digits, spaces and . - & *, with at least one letter.");
        if (Tooling.TooLong(Customer, 200))
            return Refusal.Invalid("customer", "A customer reference has at most 200 characters.");
        if (Tooling.TooLong(Description, 1000))
            return Refusal.Invalid("description", "A description has at most 1000 characters.");
        if (ReturnUrl is not null && (!Uri.TryCreate(ReturnUrl, UriKind.Absolute, out var url) || url.Scheme is not ("https" or "http") || ReturnUrl.Length > 2000))
            return Refusal.Invalid("return_url", "The return address is an absolute http or https URL.");
        amount = new Money(Amount.Value, currency);
        return MetadataRules.Validate(Metadata);
    }

    // 12 to 19 digits, perhaps grouped: what a primary account number looks like (ISO/IEC 7812).
    [GeneratedRegex(@"^(?:\d[ -]?){12,19}$", RegexOptions.CultureInvariant)]
    private static partial Regex CardNumber();

    [GeneratedRegex(@"^(?=.*[A-Za-z])[A-Za-z0-9 .\-&*]{5,22}$", RegexOptions.CultureInvariant)]
    private static partial Regex Descriptor();

    private static class Tooling
    {
        public static bool TooLong(string? text, int limit) => text is not null && (text.Length > limit || text.Contains('\0', StringComparison.Ordinal));
    }
}

/// <summary>
/// Takes a charge: intent, call, outcome. The intent is on disk before the processor is called and carries the attempt's id, which is the
/// processor's idempotency key; the outcome is recorded by whoever learns it first. Whatever crashes in between, there is one effect and one answer.
/// </summary>
public sealed class CreateCharge(
    GroupCommit<ChargeIntent, bool> intents, AttemptOutcomes outcomes, IdempotencyStore idempotency, MerchantReads merchants, PaymentProviders providers, TimeProvider time,
    ILogger<CreateCharge> log)
{
    /// <returns>The charge as JSON with 201, or 202 while the processor's answer is unknown.</returns>
    /// <exception cref="OverloadedException">Nothing was done; the caller may repeat the request.</exception>
    public async Task<Result<StoredResponse>> HandleAsync(IdempotentRequest request, CreateChargeRequest input, CancellationToken ct)
    {
        if (input.Validate(out var amount) is { } invalid)
            return invalid;
        if (await merchants.GetCachedAsync(request.Merchant, ct) is not { } merchant)
            return Refusal.NotFound(request.Merchant.ToString());
        if (merchant.Status is not MerchantStatus.Active)
            return new Refusal(RefusalCode.MerchantInactive, $"The merchant is {DbText.Of(merchant.Status)} and takes no charges.");

        var now = time.GetUtcNow();
        var intent = Plan(request, input, amount, now);
        if (!await intents.SubmitAsync(intent, ct))
            return await idempotency.RecallAsync(request, ct);

        // From here on the caller's going away must not stop the work: the processor is called and its answer recorded.
        var answer = await providers.Get(intent.Charge.Provider).SendAsync(intent.ToPaymentRequest(input.ReturnUrl), CancellationToken.None);
        try
        {
            var outcome = await outcomes.RecordAsync(intent.Attempt.Reference, answer, CancellationToken.None);
            return outcome.Response ?? throw new InvalidOperationException($"The attempt {intent.Attempt.Id} was recorded without an answer.");
        }
        catch (Exception e) when (e is not InvalidOperationException)
        {
            // The processor has answered and we could not write it down: to the caller that is an unknown outcome, not a failure. The
            // attempt is still open, so the resolver asks the processor again and records what it says.
            ChargeLog.OutcomeNotRecorded(log, intent.Attempt.Id, e);
            return new StoredResponse(202, ChargeResource.Json(intent.Charge with { Status = ChargeStatus.Processing }));
        }
    }

    private static ChargeIntent Plan(IdempotentRequest request, CreateChargeRequest input, Money amount, DateTimeOffset now)
    {
        var zero = Money.Zero(amount.Currency);
        var method = input.CaptureMethod is { } text ? DbText.Parse<CaptureMethod>(text) : CaptureMethod.Automatic;
        var charge = new Charge(
            request.Merchant, PrefixedId.New<ChargeId>(now), ChargeStatus.Pending, amount, method, zero, zero, zero, zero, zero, zero, zero, input.PaymentMethod!, Sandbox, null,
            null, null, null, input.Customer, input.Description, input.StatementDescriptor,
            JsonSerializer.Serialize(MetadataRules.Clean(input.Metadata), ChargeJson.Default.IReadOnlyDictionaryStringString), now, now, null);
        var attempt = new Attempt(
            charge.Merchant, PrefixedId.New<AttemptId>(now), charge.Id, null, PaymentOperation.Charge, AttemptStatus.Started, charge.Provider, amount, null, null, request.Key.Value, 0,
            now + ChargeRules.FirstCheck, now, null);
        return new ChargeIntent(request, charge, attempt);
    }

    private const string Sandbox = "sandbox";
}

/// <summary>A charge about to be attempted: what is recorded before the processor hears of it.</summary>
public sealed record ChargeIntent(IdempotentRequest Request, Charge Charge, Attempt Attempt)
{
    internal PaymentRequest ToPaymentRequest(string? returnUrl) => ToPaymentRequest(Charge, Attempt, returnUrl);

    internal static PaymentRequest ToPaymentRequest(Charge charge, Attempt attempt, string? returnUrl = null) => new(
        attempt.Operation, attempt.Reference, attempt.Amount, attempt.Operation is PaymentOperation.Charge ? charge.PaymentToken : null,
        charge.CaptureMethod is CaptureMethod.Automatic, charge.ProviderReference, IsFinal: false, charge.StatementDescriptor, returnUrl);

    /// <summary>Records all intents of a batch; answers for each whether its key was free.</summary>
    internal static async ValueTask<IReadOnlyList<bool>> RecordAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyList<ChargeIntent> intents, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(ChargeSql.InsertIntents, connection, transaction)
        {
            Parameters =
            {
                Columns.Of(intents, i => i.Charge.Merchant.Value, NpgsqlDbType.Uuid),
                Columns.Of(intents, i => i.Request.Key.Value, NpgsqlDbType.Text),
                Columns.Of(intents, i => i.Request.Fingerprint, NpgsqlDbType.Bytea),
                Columns.Of(intents, i => i.Charge.Id.Value, NpgsqlDbType.Uuid),
                Columns.Of(intents, i => i.Attempt.Id.Value, NpgsqlDbType.Uuid),
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
        var recorded = new HashSet<Guid>(intents.Count);
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
            recorded.Add(reader.GetGuid(0));
        return [.. intents.Select(i => recorded.Contains(i.Charge.Id.Value))];
    }
}
