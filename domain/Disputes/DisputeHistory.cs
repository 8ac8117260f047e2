namespace Payments.Domain.Disputes;

/// <summary>
/// The state of a dispute as a function of the set of its updates. Late, early, repeated and shuffled updates end in the same state because
/// the set is sorted before it is read, and nothing else is looked at.
/// </summary>
public static class DisputeHistory
{
    /// <summary>
    /// Reads the updates by stage, ground gained and time. Each field comes from the furthest update that gives it; a date due
    /// and a returned part belong to one stage and are not carried into the next.
    /// </summary>
    /// <param name="updates">All updates of one dispute; duplicates do no harm.</param>
    /// <returns>Null while no update has given an amount: until then there is nothing to post.</returns>
    public static DisputeState? Fold(IEnumerable<DisputeUpdate> updates)
    {
        var sorted = Sort(updates);
        if (sorted.Count == 0 || sorted.LastOrDefault(u => u.Amount is not null)?.Amount is not { } amount)
        {
            return null;
        }

        var last = sorted[^1];
        var stageOpenedAt = sorted.Where(u => u.Stage == last.Stage).Min(u => u.OccurredAt);
        var network = Latest(sorted, u => u.Network);
        var code = Latest(sorted, u => u.NetworkReasonCode);
        var dueByProvider = sorted.LastOrDefault(u => u.Stage == last.Stage && u.EvidenceDueBy is not null)?.EvidenceDueBy;
        var due = dueByProvider ?? EvidenceDeadlines.Default(network, last.Stage, stageOpenedAt);
        var returned = last.Status == DisputeStatus.Won
            ? sorted.LastOrDefault(u => u.Stage == last.Stage && u.Status == DisputeStatus.Won && u.Returned is not null)?.Returned
            : null;
        return new DisputeState(
            last.Stage,
            last.Status,
            amount,
            returned is { } part && part.Currency == amount.Currency && part < amount ? part : null,
            sorted.LastOrDefault(u => u.MerchantAmount is not null)?.MerchantAmount,
            network,
            code,
            sorted.LastOrDefault(u => u.Reason is not null)?.Reason ?? DisputeReasons.FromNetwork(network, code),
            due,
            dueByProvider is null && due is not null,
            sorted.Min(u => u.OccurredAt),
            last.OccurredAt);
    }

    /// <summary>The distinct updates, least telling first: a total order, so that equal sets always give equal lists.</summary>
    public static IReadOnlyList<DisputeUpdate> Sort(IEnumerable<DisputeUpdate> updates) =>
    [
        .. updates
            .Select(update => (Update: update, Fingerprint: update.Fingerprint()))
            .DistinctBy(u => u.Fingerprint)
            .OrderBy(u => u.Update.Stage)
            .ThenBy(u => DisputeTransitions.Rank(u.Update.Status))
            .ThenBy(u => u.Update.OccurredAt.UtcTicks)
            .ThenBy(u => u.Fingerprint)
            .Select(u => u.Update),
    ];

    private static string? Latest(IReadOnlyList<DisputeUpdate> sorted, Func<DisputeUpdate, string?> field) =>
        sorted.Select(field).LastOrDefault(value => value is not null);
}
