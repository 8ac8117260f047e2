using System.Text.Json;
using System.Text.Json.Serialization;
using Payments.Domain.Database;
using Payments.Domain.Messaging;

namespace Payments.Domain.Disputes;

/// <summary>A dispute as the API and the events show it. Amounts are minor units.</summary>
/// <param name="Amount">The disputed amount, in <paramref name="Currency"/>.</param>
/// <param name="Withdrawn">
/// The amount withdrawn from the merchant for the dispute, without fees, in <paramref name="ChargeCurrency"/>.
/// </param>
/// <param name="Fee">The fees that were charged and not returned, in <paramref name="ChargeCurrency"/>.</param>
public sealed record DisputeResource(
    string Id,
    string Object,
    string Charge,
    string Provider,
    string ProviderDisputeId,
    string Stage,
    string Status,
    long Amount,
    string Currency,
    long? ReturnedAmount,
    string? Network,
    string? NetworkReasonCode,
    string Reason,
    DateTimeOffset? EvidenceDueBy,
    bool EvidenceDueByEstimated,
    bool IsClosed,
    long Withdrawn,
    long Fee,
    string ChargeCurrency,
    int Version,
    DateTimeOffset OpenedAt,
    DateTimeOffset CreatedAt,
    DateTimeOffset UpdatedAt)
{
    public static DisputeResource Of(Dispute dispute) => new(
        dispute.Id.ToString(),
        "dispute",
        dispute.Charge.ToString(),
        dispute.Provider,
        dispute.ProviderDisputeId,
        DbText.Of(dispute.State.Stage),
        DbText.Of(dispute.State.Status),
        dispute.State.Amount.MinorUnits,
        dispute.State.Amount.Currency.Code,
        dispute.State.Returned?.MinorUnits,
        dispute.State.Network,
        dispute.State.NetworkReasonCode,
        DbText.Of(dispute.State.Reason),
        dispute.State.EvidenceDueBy,
        dispute.State.EvidenceDueByIsDefault,
        dispute.State.IsClosed,
        dispute.Posted.Withdrawn.MinorUnits,
        dispute.Posted.Fee.MinorUnits,
        dispute.ChargeAmount.Currency.Code,
        dispute.Version,
        dispute.State.OpenedAt,
        dispute.CreatedAt,
        dispute.UpdatedAt);

    /// <summary>The events of a change, with the dispute as it is after the change.</summary>
    internal static IEnumerable<DomainEvent> Events(Dispute dispute, IEnumerable<DisputeEventKind> kinds, DateTimeOffset now)
    {
        var data = JsonSerializer.Serialize(Of(dispute), DisputeJson.Default.DisputeResource);
        return kinds.Select(kind =>
            new DomainEvent(PrefixedId.New<EventId>(now), dispute.Merchant, DisputeDecider.EventType(kind), "dispute", dispute.Id.Value, data, now));
    }
}

/// <summary>One entry of a dispute's history: the update, its source, and when the platform received it.</summary>
/// <param name="Cursor">Set only for an update that waits for its charge: the next page starts after it.</param>
public sealed record DisputeUpdateResource(
    string Object,
    string Provider,
    string ProviderDisputeId,
    string? ChargeReference,
    string Stage,
    string Status,
    long? Amount,
    string? Currency,
    long? ReturnedAmount,
    long? MerchantAmount,
    string? MerchantCurrency,
    string? Network,
    string? NetworkReasonCode,
    string? Reason,
    DateTimeOffset? EvidenceDueBy,
    DateTimeOffset OccurredAt,
    DateTimeOffset ReceivedAt,
    string Source,
    string SourceReference,
    string? Cursor = null)
{
    public static DisputeUpdateResource Of(DisputeHistoryEntry entry) => new(
        "dispute_update",
        entry.Update.Provider,
        entry.Update.ProviderDisputeId,
        entry.Update.ChargeReference,
        DbText.Of(entry.Update.Stage),
        DbText.Of(entry.Update.Status),
        entry.Update.Amount?.MinorUnits,
        entry.Update.Amount?.Currency.Code,
        entry.Update.Returned?.MinorUnits,
        entry.Update.MerchantAmount?.MinorUnits,
        entry.Update.MerchantAmount?.Currency.Code,
        entry.Update.Network,
        entry.Update.NetworkReasonCode,
        entry.Update.Reason is { } reason ? DbText.Of(reason) : null,
        entry.Update.EvidenceDueBy,
        entry.Update.OccurredAt,
        entry.ReceivedAt,
        DbText.Of(entry.Update.Source),
        entry.Update.SourceReference);

    public static DisputeUpdateResource Waiting(DisputeHistoryEntry entry) => Of(entry) with { Cursor = UnmatchedCursor.After(entry).ToString() };
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, Converters = [typeof(UtcTimeJson)])]
[JsonSerializable(typeof(DisputeResource))]
[JsonSerializable(typeof(IReadOnlyList<DisputeResource>))]
[JsonSerializable(typeof(ImportDisputesRequest))]
[JsonSerializable(typeof(DisputeImportResource))]
[JsonSerializable(typeof(DisputeUpdateResource))]
[JsonSerializable(typeof(IReadOnlyList<DisputeUpdateResource>))]
public sealed partial class DisputeJson : JsonSerializerContext;
