using System.Text.Json;
using System.Text.Json.Serialization;
using Payments.Domain.Audit;
using Payments.Domain.Database;

namespace Payments.Domain.Charges;

/// <summary>An attempt as operators and its events see it.</summary>
/// <param name="Reference">The name under which the provider knows it, and its address here.</param>
/// <param name="Amount">Minor units of <paramref name="Currency"/>.</param>
/// <param name="NextCheckAt">When the provider is asked next; null once the attempt is settled.</param>
/// <param name="OverdueAt">When people were told that it is still open.</param>
/// <param name="Contradictions">Of one attempt: what the provider reported against what is settled.</param>
/// <param name="MadeElsewhere">True where somebody made it at the provider; left out otherwise.</param>
public sealed record OperatorAttemptResource(
    string Id,
    string Object,
    string Reference,
    string Merchant,
    string Charge,
    string? Refund,
    string Operation,
    string Status,
    string Provider,
    long Amount,
    string Currency,
    string? ProviderReference,
    DeclineResource? Decline,
    int Checks,
    DateTimeOffset? NextCheckAt,
    DateTimeOffset? OverdueAt,
    DateTimeOffset CreatedAt,
    DateTimeOffset? FinishedAt,
    IReadOnlyList<ContradictionResource>? Contradictions = null,
    bool? MadeElsewhere = null)
{
    public static OperatorAttemptResource Of(Attempt attempt) => new(
        attempt.Id.ToString(), "attempt", attempt.Reference.ToString(), attempt.Merchant.ToString(), attempt.Charge.ToString(), attempt.Refund?.ToString(), DbText.Of(attempt.Operation),
        DbText.Of(attempt.Status), attempt.Provider, attempt.Amount.MinorUnits, attempt.Amount.Currency.Code, attempt.ProviderReference, DeclineResource.Of(attempt.Decline), attempt.Checks,
        attempt.NextCheckAt, attempt.OverdueAt, attempt.CreatedAt, attempt.FinishedAt, MadeElsewhere: attempt.MadeElsewhere ? true : null);

    public static string Text(Attempt attempt) => JsonSerializer.Serialize(Of(attempt), OperatorAttemptJson.Default.OperatorAttemptResource);
}

/// <param name="Result">What the provider says became of the attempt.</param>
/// <param name="Times">How often it said so.</param>
public sealed record ContradictionResource(
    string Result, string? ProviderReference, string? Detail, int Times, DateTimeOffset FirstAt, DateTimeOffset LastAt, DateTimeOffset? AcknowledgedAt);

/// <summary>Why a person decided about an attempt, and the attempt before and after: what the audit log keeps beside who and when.</summary>
internal sealed record AttemptDecision(string Reason, OperatorAttemptResource Before, OperatorAttemptResource After)
{
    /// <param name="action"><c>attempt.settled</c> or <c>attempt.acknowledged</c>.</param>
    public AuditEntry Entry(Actor actor, string action, MerchantId merchant) =>
        new(actor, action, "attempt", After.Id, merchant, JsonSerializer.Serialize(this, AttemptDecisionJson.Default.AttemptDecision));
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, Converters = [typeof(UtcTimeJson)])]
[JsonSerializable(typeof(OperatorAttemptResource))]
[JsonSerializable(typeof(SettleAttemptRequest))]
[JsonSerializable(typeof(AcknowledgeRequest))]
public sealed partial class OperatorAttemptJson : JsonSerializerContext;

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, Converters = [typeof(UtcTimeJson)])]
[JsonSerializable(typeof(AttemptDecision))]
internal sealed partial class AttemptDecisionJson : JsonSerializerContext;
