namespace Payments.Acquirer;

/// <summary>How a dispute moves. Every change writes the whole of the dispute's new terms, so a line of the journal reads alone.</summary>
internal static class DisputeRules
{
    /// <summary>Evidence that contains this wins.</summary>
    public const string WinningText = "winning_evidence";

    /// <summary>Evidence that contains this loses.</summary>
    public const string LosingText = "losing_evidence";

    /// <summary>
    /// The network decides, escalates or corrects. A correction takes back what the network said before: any status of the stage may follow any other, and the money goes where
    /// that status has it.
    /// </summary>
    public static Decision Change(Dispute dispute, ChangeDisputeRequest request)
    {
        var stage = request.Stage ?? dispute.Stage;
        if (stage < dispute.Stage)
            return new Refusal(409, "dispute_cannot_change", "A dispute does not go back to an earlier stage.");
        var warning = DisputeTransitions.IsWarning(stage);
        var status = request.Status
            ?? (stage == dispute.Stage ? dispute.Status : warning ? DisputeStatus.WarningNeedsResponse : DisputeStatus.NeedsResponse);
        var ofWarning = status is DisputeStatus.WarningNeedsResponse or DisputeStatus.WarningUnderReview or DisputeStatus.WarningClosed or DisputeStatus.Prevented;
        var corrects = request.Correction == true || (status == dispute.Status && !DisputeTransitions.IsClosed(status));
        if (ofWarning != warning || (!corrects && !DisputeTransitions.Allows(dispute.Status, status)))
            return new Refusal(409, "dispute_cannot_change", $"A dispute that is {JsonText.Of(dispute.Status)} cannot become {JsonText.Of(status)} at stage {JsonText.Of(stage)}.");
        var amount = request.Amount ?? dispute.Amount;
        var entry = Terms(dispute, status) with
        {
            Stage = stage,
            Amount = amount,
            Code = request.ReasonCode ?? dispute.ReasonCode,
            EvidenceDueBy = request.EvidenceDueBy?.UtcDateTime ?? dispute.EvidenceDueBy,
        };
        if (DisputeTransitions.IsClosed(status))
        {
            var back = request.ReinstatedAmount ?? (status == DisputeStatus.Won ? dispute.Held : 0);
            if (back > dispute.Held)
                return new Refusal(422, "reinstatement_exceeds_held", $"Only {dispute.Held} is held.");
            if (back == 0 && !warning && status != DisputeStatus.Won && amount > dispute.Held)
                return entry with { Withdrawn = amount - dispute.Held };
            return entry with { Reinstated = back == 0 ? null : back };
        }
        if (warning || amount == dispute.Held)
            return entry;
        return amount > dispute.Held ? entry with { Withdrawn = amount - dispute.Held } : entry with { Reinstated = dispute.Held - amount };
    }

    /// <summary>The merchant answers, or keeps a draft with <c>submit: false</c>.</summary>
    public static Decision TakeEvidence(Dispute dispute, EvidenceRequest request)
    {
        var under = dispute.Status switch
        {
            DisputeStatus.NeedsResponse => DisputeStatus.UnderReview,
            DisputeStatus.WarningNeedsResponse => DisputeStatus.WarningUnderReview,
            _ => (DisputeStatus?)null,
        };
        if (under is null)
            return new Refusal(409, "dispute_not_awaiting_evidence", $"The dispute is {JsonText.Of(dispute.Status)}.");
        var text = string.Join('\n', [request.Text ?? "", .. request.Fields?.Values ?? Enumerable.Empty<string>()]).Trim();
        return text.Length == 0
            ? new Refusal(400, "evidence_required", "Give text or fields.")
            : Terms(dispute, request.Submit == false ? dispute.Status : under.Value) with { Evidence = text };
    }

    public static Decision Accept(Dispute dispute) => dispute.Status == DisputeStatus.NeedsResponse
        ? Terms(dispute, DisputeStatus.Accepted)
        : new Refusal(409, "dispute_not_acceptable", $"The dispute is {JsonText.Of(dispute.Status)}.");

    /// <summary>Magic words in the evidence decide at once; anything else waits for the control API.</summary>
    public static JournalEntry? Judge(Dispute dispute)
    {
        var evidence = dispute.Evidence ?? "";
        var wins = evidence.Contains(WinningText, StringComparison.Ordinal);
        if (!wins && !evidence.Contains(LosingText, StringComparison.Ordinal))
            return null;
        return dispute.Status switch
        {
            DisputeStatus.UnderReview when wins => Terms(dispute, DisputeStatus.Won) with { Reinstated = dispute.Held },
            DisputeStatus.UnderReview => Terms(dispute, DisputeStatus.Lost),
            DisputeStatus.WarningUnderReview => Terms(dispute, DisputeStatus.WarningClosed),
            _ => null,
        };
    }

    /// <summary>Nobody answered in time.</summary>
    public static JournalEntry? CloseUnanswered(Dispute dispute, DateTime now) => dispute.Status switch
    {
        _ when dispute.EvidenceDueBy > now => null,
        DisputeStatus.NeedsResponse => Terms(dispute, DisputeStatus.Expired),
        DisputeStatus.WarningNeedsResponse => Terms(dispute, DisputeStatus.WarningClosed),
        _ => null,
    };

    private static JournalEntry Terms(Dispute dispute, DisputeStatus status) => new()
    {
        Type = EntryType.DisputeChange,
        Id = dispute.Id,
        PaymentId = dispute.Payment.Id,
        PaymentReference = dispute.Payment.Reference,
        Amount = dispute.Amount,
        Currency = dispute.Currency,
        Code = dispute.ReasonCode,
        Stage = dispute.Stage,
        DisputeStatus = status,
        EvidenceDueBy = dispute.EvidenceDueBy,
        Version = dispute.Version + 1,
    };
}
