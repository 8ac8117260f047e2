using System.Text.Json;
using System.Text.Json.Serialization;
using Payments.Domain.Audit;
using Payments.Domain.Database;

namespace Payments.Domain.Charges;

/// <summary>An attempt as the operators' API and its events show it.</summary>
/// <param name="Reference">The reference of the attempt at the provider. The operators' API addresses the attempt by it.</param>
/// <param name="Amount">Minor units of <paramref name="Currency"/>.</param>
/// <param name="NextCheckAt">When the resolver asks the provider next. Null once the attempt is settled.</param>
/// <param name="OverdueAt">When the platform raised an alert because the attempt was still open.</param>
/// <param name="Contradictions">The results that contradict the recorded outcome. Null in lists.</param>
/// <param name="MadeElsewhere">True if a person made it at the provider. Omitted otherwise.</param>
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

/// <param name="Result">The result that the provider reported.</param>
/// <param name="Times">How often the provider reported it.</param>
public sealed record ContradictionResource(
    string Result, string? ProviderReference, string? Detail, int Times, DateTimeOffset FirstAt, DateTimeOffset LastAt, DateTimeOffset? AcknowledgedAt);

/// <summary>
/// The detail of an audit entry: the operator's reason, and the attempt before and after. The entry itself holds the actor and the time.
/// </summary>
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
