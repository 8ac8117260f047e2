using System.Text.Json;
using System.Text.Json.Serialization;

namespace Payments.Acquirer;

/// <summary>A request was refused; nothing happened.</summary>
internal sealed record Refusal(int Status, string Code, string Message);

internal sealed record ErrorBody(ErrorDetail Error);

/// <param name="AsOf">What is not there was not there at this time of the bank, and a request that was valid until then is refused from now
/// on.</param>
internal sealed record ErrorDetail(string Code, string Message, DateTime? AsOf = null);

internal sealed record PaymentRequest(
    string? Reference, long? Amount, string? Currency, string? Token, bool? Capture, string? StatementDescriptor, string? ReturnUrl,
    Dictionary<string, string>? Metadata, string? Customer);

internal sealed record OperationRequest(string? Reference, long? Amount, bool? Final);

internal sealed record CompleteRequest(string? Outcome);

internal sealed record PayoutRequest(string? Reference, long? Amount, string? Currency, BankAccount? BankAccount,
    string? StatementDescriptor, string? Method,
    DateTimeOffset? ValidUntil);

internal sealed record PayeeCheckRequest(string? Currency, BankAccount? BankAccount);

internal sealed record PayeeCheckView(string Result, string? SuggestedName, bool InstantReachable)
{
    public string Object { get; } = "payee_check";
}

internal sealed record EvidenceRequest(string? Text, Dictionary<string, string>? Fields, bool? Submit);

internal sealed record OpenDisputeRequest(
    string? PaymentId, string? PaymentReference, long? Amount, string? Currency, string? ReasonCode, DisputeStage? Stage, DateTimeOffset? EvidenceDueBy);

internal sealed record ChangeDisputeRequest(
    DisputeStatus? Status, DisputeStage? Stage, long? Amount, string? ReasonCode, DateTimeOffset? EvidenceDueBy, long? ReinstatedAmount, bool? Correction);

internal sealed record ChangePayoutRequest(PayoutStatus? Status, string? FailureCode);

internal sealed record FaultsRequest(ulong? Seed, FaultRule[]? Rules, WebhookFaults? Webhooks);

internal sealed record FaultsView(ulong Seed, IReadOnlyList<FaultRule> Rules, WebhookFaults Webhooks, long Injected);

internal sealed record ClockRequest(double? OffsetSeconds, double? AdvanceSeconds);

internal sealed record ClockView(DateTime Now, double OffsetSeconds);

internal sealed record HealthView(string Status, long JournalSeq, int Payments, int PendingWebhooks);

internal sealed record CountView(int Count);

/// <summary>What a webhook carries; <c>data</c> is the object as it was then.</summary>
internal sealed record WebhookBody(string Id, string Type, DateTime CreatedAt, JsonElement Data);

internal sealed record CardView(string Brand, string Last4, string Country);

internal sealed record PaymentView
{
    public string Object { get; } = "payment";
    public required string Id { get; init; }
    public required string Reference { get; init; }
    public required PaymentStatus Status { get; init; }
    public required long Amount { get; init; }
    public required string Currency { get; init; }
    public required long AuthorizedAmount { get; init; }
    public required long CapturedAmount { get; init; }
    public required long RefundedAmount { get; init; }
    public required long PendingRefundAmount { get; init; }
    public required long CanceledAmount { get; init; }
    public string? DeclineCode { get; init; }
    public string? RedirectUrl { get; init; }
    public required string NetworkTransactionId { get; init; }
    public required CardView Card { get; init; }
    public string? StatementDescriptor { get; init; }
    public string? ReturnUrl { get; init; }
    public string? Customer { get; init; }
    public Dictionary<string, string>? Metadata { get; init; }
    public required DateTime CreatedAt { get; init; }
    public OperationView[]? Operations { get; init; }
}

internal sealed record OperationView
{
    public required OperationKind Object { get; init; }
    public required string Id { get; init; }
    public required string Reference { get; init; }
    public required OperationStatus Status { get; init; }
    public required long Amount { get; init; }
    public required string Currency { get; init; }
    public string? FailureCode { get; init; }
    public required DateTime CreatedAt { get; init; }
    public string? PaymentId { get; init; }
    public string? PaymentReference { get; init; }
    public PaymentView? Payment { get; init; }
}

internal sealed record PayoutView
{
    public string Object { get; } = "payout";
    public required string Id { get; init; }
    public required string Reference { get; init; }
    public required PayoutStatus Status { get; init; }
    public required long Amount { get; init; }
    public required string Currency { get; init; }
    public string? FailureCode { get; init; }
    public string? StatementDescriptor { get; init; }
    public string? AccountEnding { get; init; }
    public required DateTime CreatedAt { get; init; }
}

internal sealed record DisputeView
{
    public string Object { get; } = "dispute";
    public required string Id { get; init; }
    public required string PaymentId { get; init; }
    public required string PaymentReference { get; init; }
    public required DisputeStatus Status { get; init; }
    public required DisputeStage Stage { get; init; }
    public required long Amount { get; init; }
    public required string Currency { get; init; }
    public required string ReasonCode { get; init; }
    public required string Network { get; init; }
    public required DateTime EvidenceDueBy { get; init; }
    public required bool HasEvidence { get; init; }
    public required long HeldAmount { get; init; }
    public required IReadOnlyList<DisputeFunds> Funds { get; init; }
    public required int Version { get; init; }
    public required DateTime CreatedAt { get; init; }
    public required DateTime UpdatedAt { get; init; }
}

/// <summary>What a reference stands for; exactly one of the objects is present.</summary>
internal sealed record ReferenceView(string Type, PaymentView? Payment, OperationView? Operation, PayoutView? Payout);

/// <summary>Sums of one group of payments, to hold against the books of the caller.</summary>
internal sealed class GroupSums(string group)
{
    public string Group { get; } = group;
    public int Payments { get; set; }
    public int Approved { get; set; }
    public int Captures { get; set; }
    public int Refunds { get; set; }
    public long AuthorizedAmount { get; set; }
    public long CapturedAmount { get; set; }
    public long CanceledAmount { get; set; }
    public long RefundedAmount { get; set; }
    public long PendingRefundAmount { get; set; }
}

/// <summary>What the processor and the bank hold of one currency.</summary>
internal sealed class CurrencySums(string currency)
{
    public string Currency { get; } = currency;
    public int Payments { get; set; }
    public long AuthorizedAmount { get; set; }
    public long CapturedAmount { get; set; }
    public long CanceledAmount { get; set; }
    public long RefundedAmount { get; set; }
    public long PendingRefundAmount { get; set; }
    public int Disputes { get; set; }
    public long DisputeHeldAmount { get; set; }
    public int Payouts { get; set; }
    public long PayoutsPaidAmount { get; set; }
    public long PayoutsOpenAmount { get; set; }
    public long PayoutsBackAmount { get; set; }
}

internal sealed record SummaryView(Dictionary<string, int> PaymentsByStatus, Dictionary<string, int> PayoutsByStatus, Dictionary<string, int> DisputesByStatus, IReadOnlyList<CurrencySums> Currencies);

/// <summary>The writing of JSON: enum members and properties in snake_case, absent values left out.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    Converters =
    [
        typeof(SnakeCase<PaymentStatus>), typeof(SnakeCase<OperationStatus>), typeof(SnakeCase<OperationKind>), typeof(SnakeCase<PayoutStatus>),
        typeof(SnakeCase<DisputeStatus>), typeof(SnakeCase<DisputeStage>), typeof(SnakeCase<FaultKind>), typeof(SnakeCase<EntryType>),
    ])]
[JsonSerializable(typeof(JournalLine))]
[JsonSerializable(typeof(WebhookBody))]
[JsonSerializable(typeof(PaymentRequest))]
[JsonSerializable(typeof(OperationRequest))]
[JsonSerializable(typeof(CompleteRequest))]
[JsonSerializable(typeof(PayoutRequest))]
[JsonSerializable(typeof(PayeeCheckRequest))]
[JsonSerializable(typeof(PayeeCheckView))]
[JsonSerializable(typeof(EvidenceRequest))]
[JsonSerializable(typeof(OpenDisputeRequest))]
[JsonSerializable(typeof(ChangeDisputeRequest))]
[JsonSerializable(typeof(ChangePayoutRequest))]
[JsonSerializable(typeof(FaultsRequest))]
[JsonSerializable(typeof(FaultsView))]
[JsonSerializable(typeof(ClockRequest))]
[JsonSerializable(typeof(ClockView))]
[JsonSerializable(typeof(HealthView))]
[JsonSerializable(typeof(CountView))]
[JsonSerializable(typeof(ErrorBody))]
[JsonSerializable(typeof(PaymentView))]
[JsonSerializable(typeof(OperationView))]
[JsonSerializable(typeof(PayoutView))]
[JsonSerializable(typeof(DisputeView))]
[JsonSerializable(typeof(ReferenceView))]
[JsonSerializable(typeof(GroupSums))]
[JsonSerializable(typeof(SummaryView))]
internal sealed partial class AcquirerJson : JsonSerializerContext;

/// <summary>Writes enum members in snake_case and refuses numbers.</summary>
internal sealed class SnakeCase<TEnum>() : JsonStringEnumConverter<TEnum>(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false)
    where TEnum : struct, Enum;

internal static class JsonText
{
    /// <summary>An enum member as the API writes it.</summary>
    public static string Of<TEnum>(TEnum value)
        where TEnum : struct, Enum => JsonNamingPolicy.SnakeCaseLower.ConvertName(value.ToString());
}
