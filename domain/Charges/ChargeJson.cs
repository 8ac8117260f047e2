using System.Text.Json;
using System.Text.Json.Serialization;
using Payments.Domain.Database;
using Payments.Domain.Pricing;
using Payments.Domain.Providers;
using Payments.Domain.Refunds;

namespace Payments.Domain.Charges;

/// <summary>A decline as the API shows it.</summary>
public sealed record DeclineResource(string Code, bool IsRetryable, string Message)
{
    public static DeclineResource? Of(DeclineCode? code) => code is { } c ? new(DbText.Of(c), c.IsRetryable(), c.Message()) : null;
}

/// <summary>
/// The outcome of a capture or cancel. The response to the operation and its events show it. Reading the charge does not.
/// </summary>
/// <param name="Type"><c>capture</c> or <c>cancel</c>.</param>
/// <param name="Status">
/// <c>succeeded</c>, <c>processing</c>, <c>pending</c>, <c>declined</c> by the provider, or <c>failed</c>: the provider never carried it
/// out.
/// </param>
/// <param name="Amount">Minor units of the charge's currency.</param>
/// <param name="MadeElsewhere">True if a person made it at the provider, for example in its dashboard. Omitted otherwise.</param>
public sealed record OperationResource(string Type, string Status, long Amount, DeclineResource? Decline, bool? MadeElsewhere = null)
{
    public static OperationResource? Of(Attempt? attempt) => attempt is { Operation: PaymentOperation.Capture or PaymentOperation.Cancel }
        ? new(DbText.Of(attempt.Operation), Text(attempt.Status), attempt.Amount.MinorUnits, DeclineResource.Of(attempt.Decline),
            attempt.MadeElsewhere ? true : null)
        : null;

    private static string Text(AttemptStatus status) => status is AttemptStatus.Started or AttemptStatus.Unknown ? "processing" : DbText.Of(status);
}

public sealed record NextActionResource(string Type, string RedirectUrl);

/// <summary>A charge as the API, its events and its webhooks show it. Amounts are minor units of <see cref="Currency"/>.</summary>
public sealed record ChargeResource(
    string Id,
    string Object,
    string Merchant,
    string Status,
    long Amount,
    string Currency,
    string CaptureMethod,
    long AmountAuthorized,
    long AmountCapturable,
    long AmountCaptured,
    long AmountCanceled,
    long AmountRefunded,
    long AmountRefundable,
    long Fee,
    long FeeReturned,
    IReadOnlyList<FeeDetail>? FeeDetails,
    string Provider,
    string? ProviderReference,
    DeclineResource? Decline,
    NextActionResource? NextAction,
    CardDetails? Card,
    string? Customer,
    string? Description,
    string? StatementDescriptor,
    JsonElement Metadata,
    DateTimeOffset CreatedAt,
    DateTimeOffset UpdatedAt,
    DateTimeOffset? ExpiresAt,
    OperationResource? Operation)
{
    public static ChargeResource Of(Charge charge) => Of(charge, null);

    /// <param name="attempt">The attempt that the response or event is about.</param>
    public static ChargeResource Of(Charge charge, Attempt? attempt)
    {
        using var metadata = JsonDocument.Parse(charge.MetadataJson);
        return new(
            charge.Id.ToString(), "charge", charge.Merchant.ToString(), DbText.Of(charge.Status), charge.Amount.MinorUnits, charge.Currency.Code,
            DbText.Of(charge.CaptureMethod), charge.Authorized.MinorUnits, charge.Capturable.MinorUnits, charge.Captured.MinorUnits, charge.Canceled.MinorUnits,
            charge.Refunded.MinorUnits, charge.Refundable.MinorUnits, charge.Fee.MinorUnits, charge.FeeReturned.MinorUnits,
            charge.FeeDetails.Count == 0 ? null : charge.FeeDetails, charge.Provider, charge.ProviderReference, DeclineResource.Of(charge.Decline),
            charge is { Status: ChargeStatus.RequiresAction, RedirectUrl: { } url } ? new NextActionResource("redirect", url) : null, charge.Card, charge.Customer,
            charge.Description, charge.StatementDescriptor, metadata.RootElement.Clone(), charge.CreatedAt, charge.UpdatedAt, charge.ExpiresAt,
            OperationResource.Of(attempt));
    }

    public static byte[] Json(Charge charge, Attempt? attempt = null) => JsonSerializer.SerializeToUtf8Bytes(Of(charge, attempt), ChargeJson.Default.ChargeResource);
}

/// <summary>A refund as the API, its events and its webhooks show it.</summary>
/// <param name="MadeElsewhere">True if a person made it at the provider, for example in its dashboard. Omitted otherwise.</param>
public sealed record RefundResource(
    string Id, string Object, string Charge, string Status, long Amount, string Currency, long FeeReturned, string? Reason, DeclineResource? Failure, string? ProviderReference, JsonElement Metadata,
    DateTimeOffset CreatedAt, DateTimeOffset UpdatedAt, bool? MadeElsewhere = null)
{
    public static RefundResource Of(Refund refund)
    {
        using var metadata = JsonDocument.Parse(refund.MetadataJson);
        return new(
            refund.Id.ToString(), "refund", refund.Charge.ToString(), DbText.Of(refund.Status), refund.Amount.MinorUnits, refund.Amount.Currency.Code,
            refund.FeeReturned.MinorUnits, refund.Reason is { } reason ? DbText.Of(reason) : null, Failed(refund.FailureCode),
            refund.ProviderReference, metadata.RootElement.Clone(), refund.CreatedAt, refund.UpdatedAt,
            refund.MadeElsewhere ? true : null);
    }

    private static DeclineResource? Failed(string? code) => code is null ? null : DeclineResource.Of(DbText.Parse<DeclineCode>(code));

    public static byte[] Json(Refund refund) => JsonSerializer.SerializeToUtf8Bytes(Of(refund), ChargeJson.Default.RefundResource);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, Converters = [typeof(UtcTimeJson)])]
[JsonSerializable(typeof(ChargeResource))]
[JsonSerializable(typeof(IReadOnlyList<ChargeResource>))]
[JsonSerializable(typeof(RefundResource))]
[JsonSerializable(typeof(IReadOnlyList<RefundResource>))]
[JsonSerializable(typeof(CardDetails))]
[JsonSerializable(typeof(CreateChargeRequest))]
[JsonSerializable(typeof(CompleteChargeRequest))]
[JsonSerializable(typeof(CaptureChargeRequest))]
[JsonSerializable(typeof(CancelChargeRequest))]
[JsonSerializable(typeof(CreateRefundRequest))]
[JsonSerializable(typeof(IReadOnlyDictionary<string, string>))]
public sealed partial class ChargeJson : JsonSerializerContext;
