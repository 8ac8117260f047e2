using Payments.Domain.Pricing;

namespace Payments.Domain.Disputes;

/// <summary>How far a dispute has gone, in the order of the card networks. A dispute never goes back a stage.</summary>
public enum DisputeStage
{
    /// <summary>A fraud report or an alert: no money has moved, and a refund may still prevent the chargeback.</summary>
    EarlyWarning,

    /// <summary>The issuer asks about the payment (a retrieval request). No money has moved.</summary>
    Inquiry,

    /// <summary>The issuer took the money back.</summary>
    Chargeback,

    /// <summary>The issuer contests the evidence. If it had returned the money, it takes the money again.</summary>
    PreArbitration,

    /// <summary>The network decides.</summary>
    Arbitration,
}

/// <summary>Where a dispute stands inside its stage. The warning statuses belong to the stages that move no money.</summary>
public enum DisputeStatus
{
    WarningNeedsResponse,
    WarningUnderReview,
    WarningClosed,

    /// <summary>A refund or an alert service settled it before it became a chargeback.</summary>
    Prevented,

    NeedsResponse,

    /// <summary>
    /// <c>evidence_due_by</c> passed without a response. The dispute counts as lost until the provider reports something else.
    /// </summary>
    Expired,

    UnderReview,

    /// <summary>The merchant accepted the dispute. The provider confirms it, usually as lost.</summary>
    Accepted,

    Won,
    Lost,
}

/// <summary>The neutral reason, the same for every network and provider.</summary>
public enum DisputeReason
{
    BankCannotProcess,
    CheckReturned,
    CreditNotProcessed,
    CustomerInitiated,
    DebitNotAuthorized,
    Duplicate,
    Fraudulent,
    General,
    IncorrectAccountDetails,
    InsufficientFunds,
    Noncompliant,
    ProductNotReceived,
    ProductUnacceptable,
    SubscriptionCanceled,
    Unrecognized,
}

/// <summary>
/// The source of an update. <see cref="DisputeSource.Clock"/> is the platform's own clock, with a rule of its own in
/// <see cref="DisputeHistory"/>. The other sources are only recorded: they do not change how an update is applied.
/// </summary>
public enum DisputeSource
{
    Webhook,
    File,
    Import,
    Merchant,
    Clock,
    Rule,
}

/// <summary>
/// The state of a dispute: the result of all its updates, whatever their order of arrival (<see cref="DisputeHistory.Fold"/>).
/// </summary>
/// <param name="Amount">
/// The disputed amount in the dispute's own currency. The currency may differ from the charge's, and the amount may exceed the charge.
/// </param>
/// <param name="Returned">The part of <paramref name="Amount"/> that a won dispute returned. Null means all of it.</param>
/// <param name="MerchantAmount">
/// The amount that the provider takes, if it reports one besides the disputed amount. It counts only in the charge's currency.
/// </param>
/// <param name="EvidenceDueBy">UTC. The provider's date, or the network's default if the provider gave none.</param>
/// <param name="OpenedAt">UTC. When the earliest update happened at the provider.</param>
public sealed record DisputeState(
    DisputeStage Stage,
    DisputeStatus Status,
    Money Amount,
    Money? Returned,
    Money? MerchantAmount,
    string? Network,
    string? NetworkReasonCode,
    DisputeReason Reason,
    DateTimeOffset? EvidenceDueBy,
    bool EvidenceDueByIsDefault,
    DateTimeOffset OpenedAt,
    DateTimeOffset ChangedAt)
{
    /// <summary>The merchant need not act any more. The money stays where it is unless a later report of the provider moves it.</summary>
    public bool IsClosed => DisputeTransitions.IsClosed(Status);
}

/// <summary>A stored dispute: its state, and what the ledger has posted for it so far.</summary>
/// <param name="ChargeAmount">
/// What was captured of the charge when the dispute opened, in the charge's currency: no more was taken from the customer. If no capture is
/// recorded yet, it is the authorized amount, and without an authorization the charge's full amount.
/// </param>
/// <param name="Fees">The merchant's fees when the dispute opened. A later fee plan does not change them.</param>
/// <param name="Posted">
/// What the ledger holds for the dispute. It changes only in the transaction that posts the journal of the change.
/// </param>
/// <param name="Journals">How many journals were posted. The external key of the next journal contains the next number.</param>
/// <param name="Version">Counts the visible changes.</param>
public sealed record Dispute(
    DisputeId Id,
    MerchantId Merchant,
    ChargeId Charge,
    string Provider,
    string ProviderDisputeId,
    Money ChargeAmount,
    DisputeFees Fees,
    DisputeState State,
    DisputePosition Posted,
    int Journals,
    int Version,
    DateTimeOffset CreatedAt,
    DateTimeOffset UpdatedAt);
