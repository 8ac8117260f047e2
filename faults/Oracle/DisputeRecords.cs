using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Npgsql;
using Payments.Domain;
using Payments.Domain.Database;
using Payments.Domain.Disputes;
using Payments.Domain.Pricing;

namespace Payments.Faults;

/// <summary>
/// Each dispute is the fold of its updates, and the ledger holds what its state requires. Each line of each file is an update, an unmatched
/// update, or a reject. The platform knows each version that the acquirer reported.
/// </summary>
internal static class DisputeRecords
{
    private const string Invariant = "dispute_lines";

    private const string Disputes =
        """
        SELECT merchant_id, id, stage, status, currency, amount, returned_amount, charge_currency, charge_amount, fee_chargeback, fee_pre_arbitration, fee_arbitration, fee_refunded_when_won,
            posted_disputed, posted_taken, posted_taken_at_processor, posted_fee
        FROM payments.disputes
        """;

    private const string Updates =
        """
        SELECT u.merchant_id, u.dispute_id, d.provider, d.provider_dispute_id, u.charge_reference, u.stage, u.status, u.currency, u.amount, u.returned_amount, u.merchant_currency, u.merchant_amount,
            u.network, u.network_reason_code, u.reason, u.evidence_due_by, u.occurred_at, u.source, u.source_reference
        FROM payments.dispute_updates u JOIN payments.disputes d ON d.merchant_id = u.merchant_id AND d.id = u.dispute_id
        """;

    private const string Unmatched = "SELECT provider_dispute_id, stage, status, occurred_at FROM payments.unmatched_dispute_updates";

    private const string Files = "SELECT partner, hash, name, status, applied + duplicate + unmatched + rejected, rejected FROM payments.dispute_files";

    private const string Rejects = "SELECT partner, hash, line FROM payments.dispute_file_rejects";

    /// <inheritdoc cref="AcquirerEffects.CheckAsync" path="/param"/>
    public static async Task<IReadOnlyList<Violation>> CheckAsync(Snapshot snapshot, AcquirerJournal journal, Observed observed, long known, bool settled, CancellationToken ct)
    {
        var updates = await snapshot.ReadAsync(Updates, row => (Merchant: row.GetGuid(0), Dispute: row.GetGuid(1), Update: ReadUpdate(row)), ct);
        var told = updates.Select(row => Word(row.Update.ProviderDisputeId, DbText.Of(row.Update.Stage), DbText.Of(row.Update.Status), row.Update.OccurredAt)).ToHashSet();
        told.UnionWith(await snapshot.ReadAsync(Unmatched, row => Word(row.GetString(0), row.GetString(1), row.GetString(2), row.GetFieldValue<DateTimeOffset>(3)), ct));
        var found = await StatesAsync(snapshot, updates.ToLookup(row => (row.Merchant, row.Dispute), row => row.Update), ct);
        found.AddRange(await FilesAsync(snapshot, observed.Files, told, settled, ct));
        if (settled)
        {
            found.AddRange(journal.Disputes.Where(version => version.Seq <= known && !told.Contains(version.Word)).Select(version => new Violation(
                Invariant, string.Create(CultureInfo.InvariantCulture, $"nobody here knows version {version.Version} of {version.DisputeId}: {version.Stage}, {version.Status} at {version.At:O}"))));
        }

        return found;
    }

    private static async Task<List<Violation>> StatesAsync(Snapshot snapshot, ILookup<(Guid Merchant, Guid Dispute), DisputeUpdate> updates, CancellationToken ct)
    {
        var found = new List<Violation>();
        foreach (var dispute in await snapshot.ReadAsync(Disputes, ReadDispute, ct))
        {
            var name = $"{new DisputeId(dispute.Id)} of {new MerchantId(dispute.Merchant)}";
            if (DisputeHistory.Fold(updates[(dispute.Merchant, dispute.Id)], dispute.ChargeAmount) is not { } state)
            {
                found.Add(new Violation("state_against_journals", $"the dispute {name} has no update that opens it"));
                continue;
            }

            if (state.Stage != dispute.Stage || state.Status != dispute.Status || state.Amount != dispute.Amount || state.Returned != dispute.Returned)
            {
                found.Add(new Violation(
                    "state_against_journals",
                    $"the dispute {name} is {dispute.Stage} {dispute.Status} of {dispute.Amount}, its updates make {state.Stage} {state.Status} of {state.Amount}, returned {dispute.Returned} and {state.Returned}"));
            }

            var target = DisputePosition.Target(state, dispute.ChargeAmount, dispute.Fees);
            if (target != dispute.Posted)
                found.Add(new Violation("state_against_journals", $"for the dispute {name} stands {dispute.Posted}, and {target} must"));
        }

        return found;
    }

    private static async Task<List<Violation>> FilesAsync(Snapshot snapshot, IReadOnlyCollection<DisputeFile> uploaded, HashSet<DisputeWord> told, bool settled, CancellationToken ct)
    {
        var rows = await snapshot.ReadAsync(
            Files, row => new Filed(row.GetString(0), Convert.ToHexStringLower(row.GetFieldValue<byte[]>(1)), row.GetString(2), row.GetString(3), row.GetInt64(4), row.GetInt64(5)), ct);
        var rejects = (await snapshot.ReadAsync(Rejects, row => (row.GetString(0), Convert.ToHexStringLower(row.GetFieldValue<byte[]>(1)), row.GetInt64(2)), ct)).ToHashSet();
        var byHash = rows.ToDictionary(row => (row.Partner, row.Hash));
        var byName = rows.ToLookup(row => (row.Partner, row.Name));
        var found = new List<Violation>();

        // Compressed bytes have a different hash than the content. A file that comes again is recorded under the name under which it came
        // first.
        foreach (var same in uploaded.GroupBy(file => (file.Partner, file.Content)))
        {
            var (partner, content) = same.Key;
            var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(content)));
            var filed = same.SelectMany(file => byName[(partner, file.Name)]).ToList();
            if (byHash.TryGetValue((partner, hash), out var plain) && !filed.Contains(plain))
                filed.Add(plain);
            if (settled && filed.Count == 0)
                found.Add(new Violation(Invariant, $"the file {partner}/{same.First().Name} of {same.First().Lines} lines is not known"));
            foreach (var file in filed)
                found.AddRange(Lines(file, same.First(), told, rejects).Select(problem => new Violation(Invariant, $"the file {partner}/{file.Name} ({file.Hash}): {problem}")));
        }

        return found;
    }

    private static IEnumerable<string> Lines(Filed file, DisputeFile uploaded, HashSet<DisputeWord> told, HashSet<(string, string, long)> rejects)
    {
        if (file.Status == "rejected")
            yield break;
        if (file.Lines > uploaded.Lines || (file.Status == "completed" && file.Lines != uploaded.Lines))
            yield return $"of {uploaded.Lines} lines {file.Lines} are accounted for";
        if (file.Status != "completed")
            yield break;
        var lines = uploaded.Content.Split('\n');
        var columns = lines[0].Split(',').Select((name, column) => (name, column)).ToDictionary(c => c.name, c => c.column, StringComparer.Ordinal);
        if (!columns.TryGetValue("dispute_id", out var id) || !columns.TryGetValue("stage", out var stage) || !columns.TryGetValue("status", out var status)
            || !columns.TryGetValue("updated_at", out var at))
        {
            yield break;
        }

        for (var i = 1; i < lines.Length; i++)
        {
            if (string.IsNullOrWhiteSpace(lines[i]) || rejects.Contains((file.Partner, file.Hash, i + 1)))
                continue;
            var fields = lines[i].Split(',');
            if (fields.Length != columns.Count || !DateTimeOffset.TryParse(fields[at], CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)
                || !told.Contains(Word(fields[id], fields[stage], fields[status], time)))
            {
                yield return string.Create(CultureInfo.InvariantCulture, $"line {i + 1} is neither an update nor a reject: {lines[i]}");
            }
        }
    }

    private static DisputeWord Word(string id, string stage, string status, DateTimeOffset at) => new(id, stage, status, at.UtcTicks / TimeSpan.TicksPerMicrosecond);

    private static Disputed ReadDispute(NpgsqlDataReader row)
    {
        var (currency, charged) = (Currency.Of(row.GetString(4)), Currency.Of(row.GetString(7)));
        return new Disputed(
            row.GetGuid(0), row.GetGuid(1), DbText.Parse<DisputeStage>(row.GetString(2)), DbText.Parse<DisputeStatus>(row.GetString(3)), new Money(row.GetInt64(5), currency), Amount(row, 6, currency),
            new Money(row.GetInt64(8), charged), new DisputeFees(row.GetInt64(9), row.GetInt64(10), row.GetInt64(11), row.GetBoolean(12)),
            new DisputePosition(new Money(row.GetInt64(13), charged), new Money(row.GetInt64(14), charged), new Money(row.GetInt64(15), currency), new Money(row.GetInt64(16), charged)));
    }

    private static DisputeUpdate ReadUpdate(NpgsqlDataReader row)
    {
        var currency = Text(row, 7) is { } code ? Currency.Of(code) : null;
        return new DisputeUpdate(
            row.GetString(2), row.GetString(3), Text(row, 4), DbText.Parse<DisputeStage>(row.GetString(5)), DbText.Parse<DisputeStatus>(row.GetString(6)),
            currency is null ? null : Amount(row, 8, currency), currency is null ? null : Amount(row, 9, currency), Text(row, 10) is { } merchant ? Amount(row, 11, Currency.Of(merchant)) : null,
            Text(row, 12), Text(row, 13), Text(row, 14) is { } reason ? DbText.Parse<DisputeReason>(reason) : null,
            row.IsDBNull(15) ? null : row.GetFieldValue<DateTimeOffset>(15), row.GetFieldValue<DateTimeOffset>(16), DbText.Parse<DisputeSource>(row.GetString(17)), row.GetString(18));
    }

    private static string? Text(NpgsqlDataReader row, int column) => row.IsDBNull(column) ? null : row.GetString(column);

    private static Money? Amount(NpgsqlDataReader row, int column, Currency currency) => row.IsDBNull(column) ? null : new Money(row.GetInt64(column), currency);

    private sealed record Disputed(
        Guid Merchant, Guid Id, DisputeStage Stage, DisputeStatus Status, Money Amount, Money? Returned, Money ChargeAmount, DisputeFees Fees, DisputePosition Posted);

    private sealed record Filed(string Partner, string Hash, string Name, string Status, long Lines, long Rejected);
}
