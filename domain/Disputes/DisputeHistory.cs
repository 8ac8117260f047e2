namespace Payments.Domain.Disputes;

/// <summary>
/// Computes the state of a dispute from the set of its updates. Late, early, repeated and shuffled updates give the same state,
/// because the set is sorted first and nothing else is read.
/// </summary>
public static class DisputeHistory
{
    /// <summary>
    /// Goes through the updates by stage and time, and takes each step that <see cref="DisputeTransitions"/> allows. A field comes from the
    /// last of these updates that gives it. A due date and a returned part belong to one stage and are not carried into the next.
    /// </summary>
    /// <param name="updates">All updates of one dispute. Duplicates are ignored.</param>
    /// <param name="charge">
    /// The dispute's <see cref="Dispute.ChargeAmount"/>. An early warning without an amount is about all of it.
    /// </param>
    /// <returns>Null while no update has given an amount. Until then there is nothing to post.</returns>
    public static DisputeState? Fold(IEnumerable<DisputeUpdate> updates, Money? charge = null)
    {
        var sorted = Sort(updates);
        var path = Path(sorted);
        if (path.Count == 0)
        {
            return null;
        }

        var last = path[^1];
        if ((path.LastOrDefault(u => u.Amount is not null)?.Amount ?? (last.Stage == DisputeStage.EarlyWarning ? charge : null)) is not { } amount)
        {
            return null;
        }

        var stage = path.Where(u => u.Stage == last.Stage).ToList();
        var network = Latest(path, u => u.Network);
        var code = Latest(path, u => u.NetworkReasonCode);
        var dueByProvider = stage.LastOrDefault(u => u.EvidenceDueBy is not null)?.EvidenceDueBy;
        var due = dueByProvider ?? EvidenceDeadlines.Default(network, last.Stage, stage.Min(u => u.OccurredAt));
        var returned = last.Status == DisputeStatus.Won
            ? stage.LastOrDefault(u => u.Status == DisputeStatus.Won && u.Returned is not null)?.Returned
            : null;
        var expiredAt = last.Status == DisputeStatus.NeedsResponse
            ? sorted.FirstOrDefault(u => IsOurClock(u) && u.Stage == last.Stage && u.OccurredAt >= due)?.OccurredAt
            : null;
        return new DisputeState(
            last.Stage,
            expiredAt is null ? last.Status : DisputeStatus.Expired,
            amount,
            returned is { } part && part.Currency == amount.Currency && part < amount ? part : null,
            path.LastOrDefault(u => u.MerchantAmount is not null)?.MerchantAmount,
            network,
            code,
            path.LastOrDefault(u => u.Reason is not null)?.Reason ?? DisputeReasons.FromNetwork(network, code),
            due,
            dueByProvider is null && due is not null,
            path.Min(u => u.OccurredAt),
            expiredAt ?? last.OccurredAt);
    }

    /// <summary>
    /// The distinct updates by stage, time, rank and fingerprint. The order is total, so equal sets always give equal lists.
    /// </summary>
    public static IReadOnlyList<DisputeUpdate> Sort(IEnumerable<DisputeUpdate> updates)
    {
        // Most disputes of a file have one update, so there is nothing to compare.
        var all = updates as IReadOnlyList<DisputeUpdate> ?? [.. updates];
        if (all.Count <= 1)
            return all;
        return
        [
            .. all
                .Select(update => (Update: update, Fingerprint: update.Fingerprint()))
                .DistinctBy(u => u.Fingerprint)
                .OrderBy(u => u.Update.Stage)
                .ThenBy(u => u.Update.OccurredAt.UtcTicks)
                .ThenBy(u => DisputeTransitions.Rank(u.Update.Status))
                .ThenBy(u => u.Fingerprint)
                .Select(u => u.Update),
        ];
    }

    private static List<DisputeUpdate> Path(IReadOnlyList<DisputeUpdate> sorted)
    {
        var path = new List<DisputeUpdate>(sorted.Count);
        foreach (var update in sorted)
        {
            var follows = path.Count == 0
                || (path[^1].Stage == update.Stage && path[^1].Status == update.Status)
                || DisputeTransitions.Allows(path[^1].Stage, path[^1].Status, update.Stage, update.Status);
            if (follows && !IsOurClock(update))
            {
                path.Add(update);
            }
        }

        return path;
    }

    /// <summary>
    /// The platform's own clock knows nothing of the provider. Its update counts only while the provider's last report asks for a response,
    /// and only for the current due date. So it overrides neither an answer that is reported late nor a postponed date.
    /// </summary>
    private static bool IsOurClock(DisputeUpdate update) => update is { Status: DisputeStatus.Expired, Source: DisputeSource.Clock };

    private static string? Latest(List<DisputeUpdate> path, Func<DisputeUpdate, string?> field) =>
        path.Select(field).LastOrDefault(value => value is not null);
}
