namespace Payments.Faults;

/// <summary>Each webhook that the acquirer made is stored, once: it repeats each until it is acknowledged, and none other is ours.</summary>
internal static class ProviderWebhooks
{
    private const string Stored = "SELECT type, count(*) FROM payments.provider_events WHERE provider = 'sandbox' GROUP BY type";

    /// <param name="settled">Whether the acquirer has none left to deliver; until then there may be fewer.</param>
    public static async Task<IReadOnlyList<Violation>> CheckAsync(Snapshot snapshot, AcquirerJournal journal, bool settled, CancellationToken ct)
    {
        var stored = (await snapshot.ReadAsync(Stored, row => (row.GetString(0), row.GetInt64(1)), ct)).ToDictionary(StringComparer.Ordinal);
        return
        [
            .. from type in journal.Webhooks.Keys.Union(stored.Keys)
                let made = journal.Webhooks.GetValueOrDefault(type)
                let kept = stored.GetValueOrDefault(type)
                where settled ? kept != made : kept > made
                select new Violation("provider_events", $"the acquirer has made {made} webhooks {type}, and {kept} are stored"),
        ];
    }
}
