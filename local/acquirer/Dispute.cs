namespace Payments.Acquirer;

internal enum DisputeStage
{
    EarlyWarning,
    Inquiry,
    Chargeback,
    PreArbitration,
    Arbitration,
}

internal enum DisputeStatus
{
    WarningNeedsResponse,
    WarningUnderReview,
    WarningClosed,
    NeedsResponse,
    UnderReview,
    Won,
    Lost,
    Accepted,
    Expired,
    Prevented,
}

/// <summary>Money that the network took for a dispute (positive) or gave back (negative).</summary>
internal sealed record DisputeFunds(string Type, long Amount, string Currency, DateTime At);

/// <summary>A dispute has an amount and a currency of its own: they may differ from the payment's.</summary>
internal sealed class Dispute(Guid key, Payment payment, JournalEntry opened)
{
    private readonly List<DisputeFunds> _funds = [];

    public Guid Key { get; } = key;
    public string Id => Ids.Text(Ids.Dispute, Key);
    public Payment Payment { get; } = payment;
    public long Amount { get; private set; } = opened.Amount!.Value;
    public string Currency { get; } = string.Intern(opened.Currency!);
    public string ReasonCode { get; private set; } = opened.Code!;
    public DisputeStage Stage { get; private set; } = opened.Stage!.Value;
    public DisputeStatus Status { get; private set; } = opened.DisputeStatus!.Value;
    public DateTime EvidenceDueBy { get; private set; } = opened.EvidenceDueBy!.Value;
    public DateTime CreatedAt { get; } = opened.At;
    public DateTime UpdatedAt { get; private set; } = opened.At;
    public string? Evidence { get; private set; }
    public int Version { get; private set; } = 1;
    public IReadOnlyList<DisputeFunds> Funds => _funds;

    /// <summary>What the network holds at the moment.</summary>
    public long Held { get; private set; }

    public void Change(JournalEntry entry)
    {
        Version++;
        Status = entry.DisputeStatus ?? Status;
        Stage = entry.Stage ?? Stage;
        Amount = entry.Amount ?? Amount;
        ReasonCode = entry.Code ?? ReasonCode;
        EvidenceDueBy = entry.EvidenceDueBy ?? EvidenceDueBy;
        Evidence = entry.Evidence ?? Evidence;
        Move(entry);
    }

    /// <summary>Applies the money of an entry; both amounts are positive.</summary>
    public void Move(JournalEntry entry)
    {
        UpdatedAt = entry.At;
        if (entry.Withdrawn is { } withdrawn)
        {
            Held += withdrawn;
            _funds.Add(new("withdrawal", withdrawn, Currency, entry.At));
        }
        if (entry.Reinstated is { } reinstated)
        {
            Held -= reinstated;
            _funds.Add(new("reinstatement", reinstated, Currency, entry.At));
        }
    }
}

internal static class DisputeTransitions
{
    public static bool IsWarning(DisputeStage stage) => stage switch
    {
        DisputeStage.EarlyWarning or DisputeStage.Inquiry => true,
        DisputeStage.Chargeback or DisputeStage.PreArbitration or DisputeStage.Arbitration => false,
    };

    public static bool IsClosed(DisputeStatus status) => status switch
    {
        DisputeStatus.WarningNeedsResponse or DisputeStatus.WarningUnderReview or DisputeStatus.NeedsResponse or DisputeStatus.UnderReview => false,
        DisputeStatus.WarningClosed or DisputeStatus.Won or DisputeStatus.Lost or DisputeStatus.Accepted or DisputeStatus.Expired or DisputeStatus.Prevented => true,
    };

    /// <summary>A case that was won or a warning can come back at a later stage; what was lost stays lost.</summary>
    public static bool Allows(DisputeStatus from, DisputeStatus to) => from switch
    {
        DisputeStatus.WarningNeedsResponse or DisputeStatus.WarningUnderReview =>
            to is DisputeStatus.WarningUnderReview or DisputeStatus.WarningClosed or DisputeStatus.Prevented or DisputeStatus.NeedsResponse,
        DisputeStatus.WarningClosed => to is DisputeStatus.NeedsResponse,
        DisputeStatus.NeedsResponse =>
            to is DisputeStatus.NeedsResponse or DisputeStatus.UnderReview or DisputeStatus.Won or DisputeStatus.Lost or DisputeStatus.Accepted or DisputeStatus.Expired,
        DisputeStatus.UnderReview => to is DisputeStatus.NeedsResponse or DisputeStatus.Won or DisputeStatus.Lost,
        DisputeStatus.Won => to is DisputeStatus.NeedsResponse,
        DisputeStatus.Lost or DisputeStatus.Accepted or DisputeStatus.Expired or DisputeStatus.Prevented => false,
    };

    /// <summary>How long a merchant has to answer where the opener does not say.</summary>
    public static TimeSpan ResponseTime(string brand) => TimeSpan.FromDays(brand switch { "mastercard" => 45, "amex" => 20, _ => 30 });
}
