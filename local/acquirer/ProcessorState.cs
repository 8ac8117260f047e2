namespace Payments.Acquirer;

/// <summary>Where the answer to an idempotency key lies in the journal, and what request it answered.</summary>
internal readonly record struct AnswerPlace(long Offset, int Length, int Status, UInt128 Fingerprint);

internal enum DueStep
{
    ExpireAuthorization,
    EndRefund,
    OpenDispute,
    JudgeEvidence,
    CloseUnanswered,
    AdvancePayout,
}

/// <summary>Something that happens by itself later, if it still applies then.</summary>
internal readonly record struct Due(DueStep Step, object Subject);

/// <summary>Everything the processor knows: the fold of the journal. Touched only under the processor's lock.</summary>
internal sealed class ProcessorState(AcquirerOptions options)
{
    private readonly TimeSpan _step = TimeSpan.FromMilliseconds(options.StepMilliseconds);
    private readonly TimeSpan _authorizationLifetime = TimeSpan.FromDays(options.AuthorizationDays);

    public Dictionary<Guid, Payment> Payments { get; } = [];
    public Dictionary<Guid, Payout> Payouts { get; } = [];
    public Dictionary<Guid, Dispute> Disputes { get; } = [];

    /// <summary>Whoever has a reference of the caller: a <see cref="Payment"/>, <see cref="Operation"/> or <see cref="Payout"/>.</summary>
    public Dictionary<string, object> References { get; } = [];

    public Dictionary<UInt128, AnswerPlace> Answers { get; } = [];
    public HashSet<Guid> DisputedPayments { get; } = [];
    public PriorityQueue<Due, DateTime> Due { get; } = new();

    /// <summary>Applies a fact, live or read back, and answers whom it concerns (null: nobody).</summary>
    public object? Apply(JournalEntry entry)
    {
        switch (entry.Type)
        {
            case EntryType.Payment:
                {
                    var payment = new Payment(Ids.Parse(Ids.Payment, entry.Id), entry);
                    payment.Settle(entry.PaymentStatus!.Value, entry.Code);
                    Payments.Add(payment.Key, payment);
                    References.Add(payment.Reference, payment);
                    ScheduleAfterVerdict(payment, entry.At);
                    return payment;
                }
            case EntryType.Completion:
                {
                    var payment = PaymentOf(entry);
                    payment.Settle(entry.PaymentStatus!.Value, entry.Code);
                    ScheduleAfterVerdict(payment, entry.At);
                    return payment;
                }
            case EntryType.Expiry:
                {
                    var payment = PaymentOf(entry);
                    payment.Expire();
                    return payment;
                }
            case EntryType.Capture:
            case EntryType.Cancel:
            case EntryType.Refund:
                return ApplyOperation(entry);
            case EntryType.RefundResult:
                {
                    var refund = (Operation)References[entry.Reference!];
                    refund.Payment.EndRefund(refund, entry.OperationStatus!.Value, entry.Code);
                    return refund;
                }
            case EntryType.Dispute:
                {
                    var dispute = new Dispute(Ids.Parse(Ids.Dispute, entry.Id), PaymentOf(entry), entry);
                    dispute.Move(entry);
                    Disputes.Add(dispute.Key, dispute);
                    DisputedPayments.Add(dispute.Payment.Key);
                    Schedule(DueStep.CloseUnanswered, dispute, dispute.EvidenceDueBy);
                    return dispute;
                }
            case EntryType.DisputeChange:
                {
                    var dispute = Disputes[Ids.Parse(Ids.Dispute, entry.Id)];
                    dispute.Change(entry);
                    if (dispute.Status is DisputeStatus.UnderReview or DisputeStatus.WarningUnderReview)
                        Schedule(DueStep.JudgeEvidence, dispute, entry.At + _step);
                    else if (!DisputeTransitions.IsClosed(dispute.Status))
                        Schedule(DueStep.CloseUnanswered, dispute, dispute.EvidenceDueBy);
                    return dispute;
                }
            case EntryType.Payout:
                {
                    var payout = new Payout(Ids.Parse(Ids.Payout, entry.Id), entry);
                    Payouts.Add(payout.Key, payout);
                    References.Add(payout.Reference, payout);
                    Schedule(DueStep.AdvancePayout, payout, payout.Instant ? entry.At : entry.At + _step);
                    return payout;
                }
            case EntryType.PayoutChange:
                {
                    var payout = Payouts[Ids.Parse(Ids.Payout, entry.Id)];
                    payout.Status = entry.PayoutStatus!.Value;
                    payout.FailureCode = entry.Code;
                    if (payout.Status is PayoutStatus.InTransit or PayoutStatus.Paid)
                        Schedule(DueStep.AdvancePayout, payout, payout.Instant && payout.Status == PayoutStatus.InTransit ? entry.At : entry.At + _step);
                    return payout;
                }
            case EntryType.ClockSet:
            case EntryType.WebhooksDelivered:
                return null;
            default:
                throw new InvalidDataException($"Entry {entry.Seq} has no type.");
        }
    }

    private Operation ApplyOperation(JournalEntry entry)
    {
        var payment = PaymentOf(entry);
        var (kind, prefix) = entry.Type switch
        {
            EntryType.Capture => (OperationKind.Capture, Ids.Capture),
            EntryType.Cancel => (OperationKind.Cancel, Ids.Cancel),
            _ => (OperationKind.Refund, Ids.Refund),
        };
        var operation = payment.Add(Ids.Parse(prefix, entry.Id), kind, entry);
        References.Add(operation.Reference, operation);
        if (kind == OperationKind.Capture)
            ScheduleDispute(payment, entry.At);
        if (operation is { Kind: OperationKind.Refund, Status: OperationStatus.Pending })
            Schedule(DueStep.EndRefund, operation, entry.At + _step);
        return operation;
    }

    private void ScheduleAfterVerdict(Payment payment, DateTime at)
    {
        if (payment.Status is PaymentStatus.Authorized or PaymentStatus.RequiresAction)
            Schedule(DueStep.ExpireAuthorization, payment, at + _authorizationLifetime);
        if (payment.Status == PaymentStatus.Captured)
            ScheduleDispute(payment, at);
    }

    private void ScheduleDispute(Payment payment, DateTime at)
    {
        if (Tokens.Card(payment.Token) is { DisputeStage: not null } && !DisputedPayments.Contains(payment.Key))
            Schedule(DueStep.OpenDispute, payment, at + _step);
    }

    private void Schedule(DueStep step, object subject, DateTime at) => Due.Enqueue(new(step, subject), at);

    private Payment PaymentOf(JournalEntry entry) => Payments[Ids.Parse(Ids.Payment, entry.PaymentId ?? entry.Id)];
}
