using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Xml.Linq;
using Payments.Domain.Payouts;

namespace Payments.Faults;

/// <summary>
/// The bank that takes files. It reads each run's pain.001 files, carries them out, and reports by statements and status reports, some
/// payments late and some again. It remembers what it read, and detects a payment that comes in two files and a file that changes.
/// </summary>
internal sealed class FileBank(World world, Api api, Tally tally, int seed)
{
    private readonly Dictionary<string, byte[]> _files = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (string File, long Amount, string Fate)> _payments = new(StringComparer.Ordinal);
    private readonly List<Violation> _violations = [];
    private int _statements;

    /// <summary>The amount of each payment in its files, in minor units, by the payment's reference.</summary>
    public IReadOnlyDictionary<string, long> Payments => _payments.ToDictionary(payment => payment.Key, payment => payment.Value.Amount, StringComparer.Ordinal);

    public IReadOnlyCollection<Violation> Violations => _violations;

    /// <summary>Takes the new files, and reports payments of all files that it ever took.</summary>
    public async Task VisitAsync()
    {
        var random = new Random(Seeds.Of(seed, 7_919, _statements));
        var runs = await api.GetAsync("/v1/payout_runs?limit=100", world.PlatformKey);
        if (runs is not { IsSuccess: true })
            return;
        foreach (var run in runs.Json["data"]!.AsArray().Where(run => run!["currency"]!.GetValue<string>() == "EUR"))
        {
            var id = run!["id"]!.GetValue<string>();
            var files = await api.GetAsync($"/v1/payout_runs/{id}/files", world.PlatformKey);
            foreach (var file in (files is { IsSuccess: true } ? files.Json["data"]!.AsArray() : []).Where(file => file!["uploaded"]!.GetValue<bool>()))
            {
                var number = file!["number"]!.GetValue<int>();
                var content = await api.GetAsync($"/v1/payout_runs/{id}/files/{number}", world.PlatformKey);
                if (content is { IsSuccess: true })
                    Take(file["name"]!.GetValue<string>(), content.Body, random);
            }
        }

        await TellAsync(random);
    }

    private void Take(string name, string content, Random random)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(content));
        if (_files.TryGetValue(name, out var before))
        {
            if (!before.AsSpan().SequenceEqual(hash))
                _violations.Add(new Violation("payout_files", $"the file {name} has other bytes than before"));
            return;
        }

        _files.Add(name, hash);
        tally.Add("payout files");
        foreach (var payment in XDocument.Parse(content).Descendants().Where(element => element.Name.LocalName == "CdtTrfTxInf"))
        {
            var reference = Inside(payment, "EndToEndId");
            var amount = (long)(decimal.Parse(Inside(payment, "InstdAmt"), CultureInfo.InvariantCulture) * 100);
            var fate = random.Next(10) switch { 0 or 1 => "rejected", 2 or 3 => "returned", _ => "paid" };
            if (!_payments.TryAdd(reference, (name, amount, fate)))
                _violations.Add(new Violation("payout_files", $"the payment {reference} is in {name} and in {_payments[reference].File}"));
            tally.Add("payout file payments");
        }
    }

    private async Task TellAsync(Random random)
    {
        if (_payments.Count == 0)
            return;
        var statement = new StringBuilder("""<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><GrpHdr><MsgId>S</MsgId></GrpHdr><Stmt><Id>1</Id><Acct><Id><IBAN>DE89370400440532013000</IBAN></Id></Acct>""");
        var report = new StringBuilder("""<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt><GrpHdr><MsgId>R</MsgId></GrpHdr><OrgnlGrpInfAndSts><OrgnlMsgId>x</OrgnlMsgId><GrpSts>PART</GrpSts></OrgnlGrpInfAndSts><OrgnlPmtInfAndSts><OrgnlPmtInfId>x</OrgnlPmtInfId>""");
        foreach (var (reference, (_, amount, fate)) in _payments)
        {
            // Some payments are reported later, some again.
            if (random.Next(5) == 0)
                continue;
            if (fate == "rejected")
                report.Append(CultureInfo.InvariantCulture, $"<TxInfAndSts><OrgnlEndToEndId>{reference}</OrgnlEndToEndId><TxSts>RJCT</TxSts><StsRsnInf><Rsn><Cd>AC04</Cd></Rsn></StsRsnInf></TxInfAndSts>");
            else
                statement.Append(Entry(reference, amount, "DBIT", ""));
            if (fate == "returned" && random.Next(2) == 0)
                statement.Append(Entry(reference, amount, "CRDT", "<RtrInf><Rsn><Cd>AC01</Cd></Rsn></RtrInf>"));
        }

        await SendAsync("camt.053", statement.Append("</Stmt></BkToCstmrStmt></Document>").ToString());
        await SendAsync("pain.002", report.Append("</OrgnlPmtInfAndSts></CstmrPmtStsRpt></Document>").ToString());
    }

    /// <summary>How many of its reports are still in the inbox. Their effects are yet to come.</summary>
    public async Task<int> UnreadAsync()
    {
        var inbox = world.Blobs.GetBlobContainerClient(BankInbox.InboxContainer);
        await inbox.CreateIfNotExistsAsync();
        return await inbox.GetBlobsAsync().CountAsync();
    }

    private async Task SendAsync(string kind, string document)
    {
        var inbox = world.Blobs.GetBlobContainerClient(BankInbox.InboxContainer);
        await inbox.CreateIfNotExistsAsync();
        await inbox.GetBlobClient(string.Create(CultureInfo.InvariantCulture, $"{++_statements}-{kind}.xml")).UploadAsync(BinaryData.FromString(document), overwrite: true);
        tally.Add($"bank reports, {kind}");
    }

    private static string Entry(string reference, long amount, string indicator, string extra) => string.Create(
        CultureInfo.InvariantCulture,
        $"""<Ntry><Amt Ccy="EUR">{amount / 100}.{amount % 100:00}</Amt><CdtDbtInd>{indicator}</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BkTxCd/><NtryDtls><TxDtls><Refs><EndToEndId>{reference}</EndToEndId></Refs>{extra}</TxDtls></NtryDtls></Ntry>""");

    private static string Inside(XElement element, string name) => element.Descendants().First(inner => inner.Name.LocalName == name).Value;
}
