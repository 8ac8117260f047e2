using Payments.Domain.Pricing;

namespace Payments.Domain.Disputes;

/// <summary>The changes of a dispute of which merchants get an event.</summary>
public enum DisputeEventKind
{
    Created,
    Updated,
    FundsWithdrawn,
    FundsReinstated,
    DueSoon,
    Closed,
}

/// <summary>The consequence of a set of updates: the dispute's new state, the journals to post and the events to send.</summary>
public sealed record DisputeDecision(Dispute After, IReadOnlyList<DisputeMovement> Movements, IReadOnlyList<DisputeEventKind> Events)
{
    public bool Changed => Events.Count > 0 || Movements.Count > 0;
}

/// <summary>Decides from a dispute's updates what must be posted and which events must be sent.</summary>
public static class DisputeDecider
{
    /// <summary>The names under which merchants receive the events.</summary>
    public static string EventType(DisputeEventKind kind) => kind switch
    {
        DisputeEventKind.Created => "dispute.created",
        DisputeEventKind.Updated => "dispute.updated",
        DisputeEventKind.FundsWithdrawn => "dispute.funds_withdrawn",
        DisputeEventKind.FundsReinstated => "dispute.funds_reinstated",
        DisputeEventKind.DueSoon => "dispute.due_soon",
        DisputeEventKind.Closed => "dispute.closed",
    };

    /// <summary>Opens a dispute of a known charge. It posts nothing: <see cref="Decide"/> does that with the same state.</summary>
    public static Dispute Open(DisputeId id, MerchantId merchant, ChargeId charge, Money chargeAmount, DisputeFees fees, string provider, string providerDisputeId, DisputeState state, DateTimeOffset now) =>
        new(id, merchant, charge, provider, providerDisputeId, chargeAmount, fees, state, DisputePosition.None(chargeAmount.Currency, state.Amount.Currency), Journals: 0, Version: 0, now, now);

    /// <summary>
    /// Brings a dispute to the state of all its updates. Deciding again with the same updates changes nothing.
    /// </summary>
    /// <param name="before">The dispute as stored. Version 0 means that <see cref="Open"/> has just created it.</param>
    /// <param name="state">The fold of all its updates.</param>
    public static DisputeDecision Decide(Dispute before, DisputeState state, DateTimeOffset now)
    {
        var target = DisputePosition.Target(state, before.ChargeAmount, before.Fees);
        var movements = DisputeJournals.For(before, target, state.ChangedAt, now);
        var opened = before.Version == 0;
        var events = new List<DisputeEventKind>(3);
        if (opened)
        {
            events.Add(DisputeEventKind.Created);
        }
        else if (state != before.State)
        {
            events.Add(DisputeEventKind.Updated);
        }

        if (movements.Any(m => m.Kind == DisputeMovementKind.Withdrawn))
        {
            events.Add(DisputeEventKind.FundsWithdrawn);
        }

        if (movements.Any(m => m.Kind == DisputeMovementKind.Reinstated))
        {
            events.Add(DisputeEventKind.FundsReinstated);
        }

        if (state.IsClosed && (opened || before.State.Status != state.Status || before.State.Stage != state.Stage))
        {
            events.Add(DisputeEventKind.Closed);
        }

        if (events.Count == 0 && movements.Count == 0)
        {
            return new DisputeDecision(before, [], []);
        }

        var after = before with
        {
            State = state,
            Posted = target,
            Journals = before.Journals + movements.Count,
            Version = before.Version + 1,
            UpdatedAt = now,
        };
        return new DisputeDecision(after, movements, events);
    }
}
