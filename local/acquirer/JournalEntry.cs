namespace Payments.Acquirer;

/// <summary>What really happened. The state of the processor is these, applied in order.</summary>
internal enum EntryType
{
    Payment,
    Completion,
    Capture,
    Cancel,
    Expiry,
    Refund,
    RefundResult,
    Dispute,
    DisputeChange,
    Payout,
    PayoutChange,
    ClockSet,
    WebhooksDelivered,
}

/// <summary>One fact. Fields that say nothing for a type are absent. Amounts are in minor units, times in UTC.</summary>
internal sealed record JournalEntry
{
    public long Seq { get; init; }
    public DateTime At { get; init; }
    public required EntryType Type { get; init; }
    public string? Id { get; init; }
    public string? Reference { get; init; }
    public string? PaymentId { get; init; }
    public string? PaymentReference { get; init; }
    public long? Amount { get; init; }
    public string? Currency { get; init; }
    public PaymentStatus? PaymentStatus { get; init; }
    public OperationStatus? OperationStatus { get; init; }
    public PayoutStatus? PayoutStatus { get; init; }
    public DisputeStatus? DisputeStatus { get; init; }
    public DisputeStage? Stage { get; init; }
    public string? Code { get; init; }
    public string? Token { get; init; }
    public bool? Capture { get; init; }
    public bool? Final { get; init; }
    public bool? Instant { get; init; }
    public string? StatementDescriptor { get; init; }
    public string? ReturnUrl { get; init; }
    public string? Customer { get; init; }
    public Dictionary<string, string>? Metadata { get; init; }
    public BankAccount? BankAccount { get; init; }
    public int? Version { get; init; }
    public DateTime? EvidenceDueBy { get; init; }
    public string? Evidence { get; init; }
    public long? Withdrawn { get; init; }
    public long? Reinstated { get; init; }
    public long? OffsetMilliseconds { get; init; }
    public long[]? Delivered { get; init; }
}

/// <summary>
/// A line of the journal: the fact, whose answer it is, and the webhooks that tell of it. Behind them the line holds <c>body</c>, the
/// object as the fact left it; it is read from the file when an answer is repeated or a webhook is sent.
/// </summary>
internal sealed record JournalLine
{
    public required JournalEntry Entry { get; init; }
    public JournalAnswer? Answer { get; init; }
    public JournalEvent[]? Events { get; init; }
}

/// <summary>The request that a fact answers.</summary>
internal sealed record JournalAnswer(string Key, string Fingerprint, int Status);

/// <summary>A webhook that tells of a fact.</summary>
internal sealed record JournalEvent(string Id, string Type);
