using Npgsql;
using Payments.Domain;
using Payments.Domain.Ledger;

namespace Payments.Faults;

/// <summary>
/// Checks whether the platform kept its promises. It compares the database, the durable journals of the acquirer and its bank, and the
/// answers that clients got. It may be called at any time, but not concurrently. While a server is down, or goes down, it throws.
/// </summary>
/// <param name="owner">The database's owner. The oracle reads everything, and writes only temporary tables of its own.</param>
/// <param name="acquirer">A client with the acquirer's address and key.</param>
internal sealed class Oracle(NpgsqlDataSource owner, HttpClient acquirer)
{
    private readonly AcquirerJournal _journal = new(acquirer);

    /// <param name="observed">What was acknowledged before this call.</param>
    /// <param name="settled">
    /// True once the faults are over and no work is open: then every rule must hold. False checks only the rules that hold at any time.
    /// </param>
    public async Task<IReadOnlyList<Violation>> CheckAsync(Observed observed, bool settled, CancellationToken ct)
    {
        // Each effect at the acquirer before the snapshot has an attempt in the snapshot. Each effect that the snapshot reports is in the
        // journal as read after it.
        await _journal.ReadAsync(ct);
        var known = _journal.Seq;
        await using var snapshot = await Snapshot.TakeAsync(owner, ct);
        await snapshot.ExecuteAsync(JournalRules.Prepare, ct);
        await _journal.ReadAsync(ct);

        var found = new List<Violation>(await LedgerAsync(ct));
        foreach (var rule in (IEnumerable<Rule>)[.. JournalRules.All, .. DeliveryRules.All, .. settled ? DeliveryRules.Settled : []])
            found.AddRange(await rule.CheckAsync(snapshot, ct));
        found.AddRange(await Coverage.IllegalAsync(snapshot, ct));
        found.AddRange(await AcquirerEffects.CheckAsync(snapshot, _journal, known, settled, ct));
        found.AddRange(await BankPayouts.CheckAsync(snapshot, _journal, known, settled, ct));
        found.AddRange(await DisputeRecords.CheckAsync(snapshot, _journal, observed, known, settled, ct));
        found.AddRange(await AcknowledgedRequests.CheckAsync(snapshot, observed, ct));
        var pending = await _journal.PendingWebhooksAsync(ct);
        found.AddRange(await ProviderWebhooks.CheckAsync(snapshot, _journal, settled && pending == 0, ct));
        if (settled)
        {
            found.AddRange(await MerchantWebhooks.CheckAsync(snapshot, observed, ct));
            found.AddRange((await OpenWork.ListAsync(snapshot, _journal, pending, observed.Files, ct)).Select(work => new Violation("liveness", $"it has not come to rest: {work}")));
        }

        return found;
    }

    /// <summary>Open work that will end by itself, in words. Empty if there is none.</summary>
    /// <param name="files">The uploaded dispute files, if they count.</param>
    public async Task<IReadOnlyList<string>> OpenWorkAsync(CancellationToken ct, IReadOnlyCollection<DisputeFile>? files = null)
    {
        var pending = await _journal.PendingWebhooksAsync(ct);
        await _journal.ReadAsync(ct);
        await using var snapshot = await Snapshot.TakeAsync(owner, ct);
        return await OpenWork.ListAsync(snapshot, _journal, pending, files ?? [], ct);
    }

    /// <summary>The id of the endpoint that has, or had, each address.</summary>
    public async Task<IReadOnlyDictionary<string, string>> EndpointsAsync(CancellationToken ct)
    {
        await using var snapshot = await Snapshot.TakeAsync(owner, ct);
        var endpoints = await snapshot.ReadAsync(
            "SELECT url, id FROM payments.webhook_endpoints UNION ALL SELECT url, id FROM faults.deleted_endpoints", row => (Url: row.GetString(0), Id: new WebhookEndpointId(row.GetGuid(1)).ToString()), ct);
        return endpoints.DistinctBy(endpoint => endpoint.Url).ToDictionary(endpoint => endpoint.Url, endpoint => endpoint.Id, StringComparer.Ordinal);
    }

    /// <inheritdoc cref="Coverage.ReadAsync"/>
    public Task<Coverage> CoverageAsync(CancellationToken ct) => Coverage.ReadAsync(owner, ct);

    /// <summary>
    /// The ledger's own verification: it replays every version and balance. Every journal must balance, the totals of each currency must be
    /// zero, and the chain of seals must be whole.
    /// </summary>
    private async Task<IEnumerable<Violation>> LedgerAsync(CancellationToken ct)
    {
        var verdict = await new LedgerVerification(owner).RunAsync(null, ct);
        return verdict.Findings.Select(finding => new Violation(finding.Check == "totals" ? "trial_balance" : "ledger_replay", finding.ToString()));
    }
}
