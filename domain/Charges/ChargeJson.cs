using System.Text.Json;
using System.Text.Json.Serialization;
using Payments.Domain.Database;
using Payments.Domain.Providers;
using Payments.Domain.Refunds;

namespace Payments.Domain.Charges;

/// <summary>A decline as the API shows it.</summary>
public sealed record DeclineResource(string Code, bool IsRetryable, string Message)
{
    public static DeclineResource? Of(DeclineCode? code) => code is { } c ? new(DbText.Of(c), c.IsRetryable(), c.Message()) : null;
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
    long Fee,
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
    DateTimeOffset? ExpiresAt)
{
    public static ChargeResource Of(Charge charge)
    {
        using var metadata = JsonDocument.Parse(charge.MetadataJson);
        return new(
            charge.Id.ToString(), "charge", charge.Merchant.ToString(), DbText.Of(charge.Status), charge.Amount.MinorUnits, charge.Currency.Code,
            DbText.Of(charge.CaptureMethod), charge.Authorized.MinorUnits, charge.Capturable.MinorUnits, charge.Captured.MinorUnits, charge.Canceled.MinorUnits,
            charge.Refunded.MinorUnits, charge.Fee.MinorUnits, charge.Provider, charge.ProviderReference, DeclineResource.Of(charge.Decline),
            charge is { Status: ChargeStatus.RequiresAction, RedirectUrl: { } url } ? new NextActionResource("redirect", url) : null, charge.Card, charge.Customer,
            charge.Description, charge.StatementDescriptor, metadata.RootElement.Clone(), charge.CreatedAt, charge.UpdatedAt, charge.ExpiresAt);
    }

    public static byte[] Json(Charge charge) => JsonSerializer.SerializeToUtf8Bytes(Of(charge), ChargeJson.Default.ChargeResource);
}

/// <summary>A refund as the API, its events and its webhooks show it.</summary>
public sealed record RefundResource(
    string Id, string Object, string Charge, string Status, long Amount, string Currency, string? Reason, string? FailureCode, string? ProviderReference, JsonElement Metadata,
    DateTimeOffset CreatedAt, DateTimeOffset UpdatedAt)
{
    public static RefundResource Of(Refund refund)
    {
        using var metadata = JsonDocument.Parse(refund.MetadataJson);
        return new(
            refund.Id.ToString(), "refund", refund.Charge.ToString(), DbText.Of(refund.Status), refund.Amount.MinorUnits, refund.Amount.Currency.Code,
            refund.Reason is { } reason ? DbText.Of(reason) : null, refund.FailureCode, refund.ProviderReference, metadata.RootElement.Clone(), refund.CreatedAt, refund.UpdatedAt);
    }

    public static byte[] Json(Refund refund) => JsonSerializer.SerializeToUtf8Bytes(Of(refund), ChargeJson.Default.RefundResource);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, Converters = [typeof(UtcTimeJson)])]
[JsonSerializable(typeof(ChargeResource))]
[JsonSerializable(typeof(IReadOnlyList<ChargeResource>))]
[JsonSerializable(typeof(RefundResource))]
[JsonSerializable(typeof(IReadOnlyList<RefundResource>))]
[JsonSerializable(typeof(CardDetails))]
[JsonSerializable(typeof(CreateChargeRequest))]
[JsonSerializable(typeof(IReadOnlyDictionary<string, string>))]
public sealed partial class ChargeJson : JsonSerializerContext;
