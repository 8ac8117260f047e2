using System.Diagnostics;

namespace Payments.Domain.Messaging;

/// <summary>A change of a merchant's object, with the object as it was right after the change.</summary>
/// <param name="Type"><c>object.change</c> in lower case: <c>charge.captured</c>.</param>
/// <param name="ObjectType"><c>charge</c>, <c>refund</c>, <c>dispute</c>, <c>payout</c>, ...</param>
/// <param name="Data">The object as the API shows it, as JSON text.</param>
public sealed record DomainEvent(
    EventId Id, MerchantId Merchant, string Type, string ObjectType, Guid ObjectId, string Data, DateTimeOffset CreatedAt)
{
    /// <summary>
    /// The trace that the change belongs to. The default is the trace that is active where the event is created.
    /// In a batch that several requests share, set it to the trace of the request.
    /// </summary>
    public string? TraceParent { get; init; } = Activity.Current?.Id;
}
