using Payments.Domain.Pricing;

namespace Payments.Domain.Disputes;

/// <summary>How far a dispute has gone, in the order of the card networks. A dispute never goes back a stage.</summary>
public enum DisputeStage
{
    /// <summary>A fraud report or an alert: no money has moved, and a refund may still prevent the chargeback.</summary>
    EarlyWarning,

    /// <summary>The issuer asks about the payment (a retrieval request); no money has moved.</summary>
    Inquiry,

    /// <summary>The cardholder's bank took the money back.</summary>
    Chargeback,

    /// <summary>The bank contests the evidence; the money is taken a second time if it had been returned.</summary>
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

    /// <summary><c>evidence_due_by</c> passed without a response: as good as lost, until the provider says something else.</summary>
    Expired,

    UnderReview,

    /// <summary>The merchant gave in. The provider confirms it, usually as lost.</summary>
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

/// <summary>Who told us. It is recorded and never weighs in what is applied.</summary>
public enum DisputeSource
{
    Webhook,
    File,
    Import,
    Merchant,
    Clock,
    Rule,
}

/// <summary>A cardholder's objection to a charge: what all its updates, in any order, say together (<see cref="DisputeHistory.Fold"/>).</summary>
/// <param name="Amount">What is disputed, in the dispute's own currency; it may differ from the charge's, and may exceed the charge.</param>
/// <param name="Returned">The part of <paramref name="Amount"/> that a dispute which was won gave back; null means all of it.</param>
/// <param name="MerchantAmount">What the processor takes in the charge's currency, where it said so.</param>
/// <param name="EvidenceDueBy">UTC. The provider's date, or the network's default where the provider gave none.</param>
/// <param name="OpenedAt">UTC: when the earliest update happened at the provider.</param>
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
    /// <summary>Nothing more is expected of the merchant, and the money is where it stays unless a later word of the provider moves it.</summary>
    public bool IsClosed => DisputeTransitions.IsClosed(Status);
}

/// <summary>A dispute as stored: its state, and what the ledger has posted for it so far.</summary>
/// <param name="ChargeAmount">What was captured of the charge when the dispute met it, in the charge's currency: the merchant's balance moves in it.</param>
/// <param name="Fees">The merchant's fees as they were when the dispute opened: a later plan does not reprice it.</param>
/// <param name="Posted">What the ledger holds for it; it changes only in the transaction of the journal that changes it.</param>
/// <param name="Journals">How many journals were posted; the next one's key is built from it.</param>
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
