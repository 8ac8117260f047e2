using Npgsql;
using Payments.Domain;
using Payments.Domain.Ledger;

namespace Payments.Faults;

/// <summary>
/// Says whether the platform kept its promises: it holds the database, the acquirer's and its bank's durable journals, and what clients were told against each other.
/// It may be asked at any time, one question after the other; while a server is down, or goes down, it throws.
/// </summary>
/// <param name="owner">The database's owner: the oracle sees everything, and changes nothing but tables of its own that live for one look.</param>
/// <param name="acquirer">With the acquirer's address and key.</param>
internal sealed class Oracle(NpgsqlDataSource owner, HttpClient acquirer)
{
    private readonly AcquirerJournal _journal = new(acquirer);

    /// <param name="observed">What was acknowledged before this call.</param>
    /// <param name="settled">True once faults are over and nothing is under way any more: then all must hold. False asks only for what holds at any time.</param>
    public async Task<IReadOnlyList<Violation>> CheckAsync(Observed observed, bool settled, CancellationToken ct)
    {
        // What the acquirer did before the look has an attempt in it; what the look says was done is in the journal behind it.
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

    /// <summary>What has not come to rest yet and will by itself, in words; none when everything has.</summary>
    /// <param name="files">The dispute files that were uploaded, where those count.</param>
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

    /// <summary>The ledger's own proof: every version and balance replayed, every journal balanced, the totals of each currency zero, the chain of seals whole.</summary>
    private async Task<IEnumerable<Violation>> LedgerAsync(CancellationToken ct)
    {
        var verdict = await new LedgerVerification(owner).RunAsync(null, ct);
        return verdict.Findings.Select(finding => new Violation(finding.Check == "totals" ? "trial_balance" : "ledger_replay", finding.ToString()));
    }
}
