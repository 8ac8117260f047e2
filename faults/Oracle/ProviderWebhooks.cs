namespace Payments.Faults;

/// <summary>
/// Each webhook that the acquirer created is stored once, and no other is stored. The acquirer repeats a webhook until it is acknowledged.
/// </summary>
internal static class ProviderWebhooks
{
    private const string Stored = "SELECT type, count(*) FROM payments.provider_events WHERE provider = 'sandbox' GROUP BY type";

    /// <param name="settled">Whether the acquirer has delivered every webhook. Until then fewer may be stored.</param>
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
