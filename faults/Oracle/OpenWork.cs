using System.Security.Cryptography;
using System.Text;

namespace Payments.Faults;

/// <summary>
/// Work that is open and will end by itself. Work that waits for a person, a customer or a date is at rest and does not count. Examples are
/// a payment that waits for its cardholder, an authorization for its capture, a failed delivery for its next try, and a payout that its
/// bank holds. A delivery to an endpoint whose server always fails is at rest too.
/// </summary>
internal static class OpenWork
{
    // One row for each kind of work: its name, its count, and the first item.
    private const string InTheDatabase =
        """
        SELECT 'attempts without an end (' || operation || ', ' || status || ')', count(*), min('att_' || replace(id::text, '-', '')) FROM payments.all_attempts
            WHERE status IN ('started', 'unknown', 'pending') GROUP BY operation, status
        UNION ALL
        SELECT 'messages in the outbox (' || type || ')', count(*), min(id::text || COALESCE(': ' || last_error, '')) FROM payments.outbox GROUP BY type
        UNION ALL
        SELECT 'events of partners (' || type || ', ' || status || ')', count(*), min(event_id || COALESCE(': ' || detail, '')) FROM payments.provider_events
            WHERE status IN ('received', 'waiting') GROUP BY type, status
        UNION ALL
        SELECT 'payout runs (' || status || ')', count(*), min(date || ' ' || currency) FROM payments.payout_runs WHERE status <> 'submitted' GROUP BY status
        UNION ALL
        SELECT 'payout files', count(*), min(blob_name) FROM payments.payout_files WHERE uploaded_at IS NULL
        UNION ALL
        SELECT 'dispute files', count(*), min(partner || '/' || name) FROM payments.dispute_files WHERE status = 'processing'
        UNION ALL
        SELECT 'answers to disputes', count(*), min('dp_' || replace(dispute_id::text, '-', '')) FROM payments.dispute_responses WHERE status IN ('started', 'unknown')
        UNION ALL
        SELECT 'refunds of warnings', count(*), min('dp_' || replace(dispute_id::text, '-', '')) FROM payments.dispute_refunds WHERE status = 'started'
        UNION ALL
        SELECT 'updates of disputes whose charge is known', count(*), min(u.provider_dispute_id) FROM payments.unmatched_dispute_updates u
            WHERE u.amount IS NOT NULL AND 1 = (SELECT count(*) FROM payments.charges c WHERE c.provider = u.provider AND c.provider_reference = u.charge_reference)
        UNION ALL
        SELECT 'deliveries that were never tried', count(*), min('evt_' || replace(d.event_id::text, '-', '')) FROM payments.webhook_deliveries d
            JOIN payments.webhook_endpoints w ON w.merchant_id = d.merchant_id AND w.id = d.endpoint_id AND w.status = 'enabled'
            WHERE d.status = 'pending' AND d.attempts = 0 AND w.url NOT LIKE '%/broken/%'
        UNION ALL
        SELECT 'deliveries to endpoints that take none', count(*), min('evt_' || replace(d.event_id::text, '-', '')) FROM payments.webhook_deliveries d
            WHERE d.status = 'pending' AND NOT EXISTS (SELECT FROM payments.webhook_endpoints w WHERE w.merchant_id = d.merchant_id AND w.id = d.endpoint_id AND w.status = 'enabled')
        """;

    private const string Undelivered = $"SELECT count(*), min('evt_' || replace(event::text, '-', '') || ', ' || type) FROM ({DeliveryRules.Undelivered}) AS missing";

    // The sandbox bank never takes a payout to an account that ends in 0009, and never says so. The platform asks about it for ever.
    private const string Payouts =
        """
        SELECT 'pf_' || replace(p.merchant_id::text, '-', '') || '_' || replace(p.id::text, '-', ''), p.status
        FROM payments.payouts p JOIN payments.bank_accounts b ON b.merchant_id = p.merchant_id AND b.id = p.bank_account_id
        WHERE p.rail = 'sandbox' AND (p.status = 'in_transit' OR (p.status = 'pending' AND COALESCE(b.account_number, b.iban) NOT LIKE '%0009'))
        """;

    private const string Files = "SELECT partner, hash, name FROM payments.dispute_files WHERE status <> 'processing'";

    /// <param name="uploaded">The dispute files that are, or were, in the inbox.</param>
    public static async Task<IReadOnlyList<string>> ListAsync(Snapshot snapshot, AcquirerJournal journal, long pendingWebhooks, IReadOnlyCollection<DisputeFile> uploaded, CancellationToken ct)
    {
        var rows = await snapshot.ReadAsync(InTheDatabase, row => (What: row.GetString(0), Count: row.GetInt64(1), First: row.IsDBNull(2) ? "" : row.GetString(2)), ct);
        rows.AddRange(await snapshot.ReadAsync(Undelivered, row => (What: "events that have not reached their endpoints' queues", Count: row.GetInt64(0), First: row.IsDBNull(1) ? "" : row.GetString(1)), ct));
        foreach (var payouts in (await snapshot.ReadAsync(Payouts, row => (Reference: row.GetString(0), Status: row.GetString(1)), ct)).Where(Moves).GroupBy(payout => payout.Status))
            rows.Add(($"payouts ({payouts.Key})", payouts.Count(), payouts.First().Reference));
        rows.Add(("refunds that the acquirer has not ended", journal.Effects.Values.Count(effect => effect is { Kind: "refund", Status: "pending" }), ""));
        rows.Add(("webhooks of the acquirer", pendingWebhooks, ""));
        if (uploaded.Count > 0)
        {
            var done = await snapshot.ReadAsync(Files, row => (Partner: row.GetString(0), Hash: Convert.ToHexStringLower(row.GetFieldValue<byte[]>(1)), Name: row.GetString(2)), ct);
            var (byHash, byName) = (done.Select(file => (file.Partner, file.Hash)).ToHashSet(), done.Select(file => (file.Partner, file.Name)).ToHashSet());
            var waiting = uploaded.GroupBy(file => (file.Partner, file.Content)).Where(same => !same.Any(file => byName.Contains((file.Partner, file.Name)))
                && !byHash.Contains((same.Key.Partner, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(same.Key.Content))))))
                .Select(same => same.First().Name).ToList();
            rows.Add(("dispute files in the inbox", waiting.Count, waiting.FirstOrDefault() ?? ""));
        }

        return [.. rows.Where(row => row.Count > 0).Select(row => $"{row.What}: {row.Count}{(row.First.Length > 0 ? $", first {row.First}" : "")}")];

        // A payout that the sandbox bank holds does not move, once the platform has the bank's status.
        bool Moves((string Reference, string Status) payout) => journal.Effects.GetValueOrDefault(payout.Reference) is not { IsHeld: true } held || payout.Status != held.Status;
    }
}
