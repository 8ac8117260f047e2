using System.Globalization;
using System.Text;
using System.Xml.Linq;
using Payments.Domain;
using Payments.Domain.Payouts.BankFiles;

namespace Payments.Tests.Payouts;

/// <summary>Bank files of each ISO format about six payouts, and seeded damage of them: to bytes, as transports do it, and to elements, as programs do it.</summary>
internal static class BankFileDamage
{
    public const string Account = "DE89370400440532013000";

    public static readonly string[] Formats = ["pain.002", "camt.052", "camt.053", "camt.054"];

    private static readonly string[] Codes = ["CRDT", "DBIT", "BOOK", "PDNG", "INFO", "true", "false", "RJCT", "ACSC", "RVNM", "PART", "0.00", "1.00", "-1.00", "9", "EUR", "USD", "XXX", ""];

    public static string File(string format, IReadOnlyList<(PayoutId Id, long Amount)> payouts, Guid file) =>
        format == "pain.002" ? StatusReport(payouts, file) : Statement(format, payouts, file);

    public static byte[] Mutate(string text, int seed)
    {
        var random = new Random(seed);
        if (random.Next(2) == 0)
        {
            var document = XDocument.Parse(text, LoadOptions.PreserveWhitespace);
            for (var i = random.Next(1, 4); i > 0; i--)
            {
                MutateElement(document, random);
            }

            return Encoding.UTF8.GetBytes(document.ToString(SaveOptions.DisableFormatting));
        }

        var bytes = Encoding.UTF8.GetBytes(text).ToList();
        for (var i = random.Next(1, 4); i > 0 && bytes.Count > 8; i--)
        {
            MutateBytes(bytes, random);
        }

        return [.. bytes];
    }

    private static void MutateElement(XDocument document, Random random)
    {
        var elements = document.Root!.DescendantsAndSelf().ToList();
        var element = elements[random.Next(elements.Count)];
        var other = elements[random.Next(elements.Count)];
        switch (random.Next(9))
        {
            case 0 when element.Parent is not null:
                element.Remove();
                break;
            case 1 when element.Parent is not null:
                element.AddAfterSelf(new XElement(element));
                break;
            case 2 when element.Parent is not null:
                other.Add(new XElement(element));
                break;
            case 3:
                element.Name = other.Name;
                break;
            case 4 when !element.HasElements:
                element.Value = Codes[random.Next(Codes.Length)];
                break;
            case 5 when !element.HasElements && !other.HasElements:
                (element.Value, other.Value) = (other.Value, element.Value);
                break;
            case 6:
                element.SetAttributeValue("Ccy", Codes[random.Next(Codes.Length)]);
                break;
            case 7 when !element.HasElements:
                element.Value = $"\n  {element.Value}\t";
                break;
            default:
                element.Add(new XComment("note"), new XCData(random.Next(2) == 0 ? "" : "text"));
                break;
        }
    }

    private static void MutateBytes(List<byte> bytes, Random random)
    {
        var at = random.Next(bytes.Count);
        var length = Math.Min(random.Next(1, 120), bytes.Count - at);
        switch (random.Next(6))
        {
            case 0:
                bytes[at] = (byte)random.Next(256);
                break;
            case 1:
                bytes.RemoveRange(at, length);
                break;
            case 2:
                bytes.InsertRange(random.Next(bytes.Count), bytes.GetRange(at, length));
                break;
            case 3:
                bytes[at] = (byte)('0' + random.Next(10));
                break;
            case 4:
                bytes.Insert(at, (byte)" \n\t\r\0\u001A"[random.Next(6)]);
                break;
            default:
                bytes.RemoveRange(at, bytes.Count - at);
                break;
        }
    }

    private static string StatusReport(IReadOnlyList<(PayoutId Id, long Amount)> payouts, Guid file)
    {
        string[] statuses = ["ACSC", "RJCT", "ACSP", "RVNM", "", "RJCT"];
        var lines = payouts.Select((p, i) => string.Create(
            CultureInfo.InvariantCulture,
            $"""
            <TxInfAndSts><OrgnlEndToEndId>{EndToEndId.Of(p.Id)}</OrgnlEndToEndId>{(statuses[i % 6] is { Length: > 0 } status ? $"<TxSts>{status}</TxSts>" : "")}
              <StsRsnInf><Rsn><Cd>AC04</Cd></Rsn><AddtlInf>Grüße</AddtlInf></StsRsnInf>
              <OrgnlTxRef><Amt><InstdAmt Ccy="EUR">{Decimal(p.Amount)}</InstdAmt></Amt></OrgnlTxRef></TxInfAndSts>
            """));
        return $"""
            <?xml version="1.0" encoding="UTF-8"?>
            <Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt><GrpHdr><MsgId>R-1</MsgId></GrpHdr>
              <OrgnlGrpInfAndSts><OrgnlMsgId>{file:N}</OrgnlMsgId><OrgnlNbOfTxs>{payouts.Count}</OrgnlNbOfTxs><GrpSts>PART</GrpSts></OrgnlGrpInfAndSts>
              <OrgnlPmtInfAndSts><OrgnlPmtInfId>{file:N}-1</OrgnlPmtInfId><PmtInfSts>ACSP</PmtInfSts>{string.Concat(lines)}</OrgnlPmtInfAndSts></CstmrPmtStsRpt></Document>
            """;
    }

    private static string Statement(string format, IReadOnlyList<(PayoutId Id, long Amount)> payouts, Guid file)
    {
        var (message, part) = format switch
        {
            "camt.052" => ("BkToCstmrAcctRpt", "Rpt"),
            "camt.053" => ("BkToCstmrStmt", "Stmt"),
            _ => ("BkToCstmrDbtCdtNtfctn", "Ntfctn"),
        };
        var paid = payouts.Take(4).ToList();
        var total = payouts.Sum(p => p.Amount);
        var returned = payouts[1].Amount;
        var booked = total - returned;
        var balances = format == "camt.054" ? "" : Balance("OPBD", 10_000_000) + Balance("CLBD", 10_000_000 - booked);
        string Detail((PayoutId Id, long Amount) p) =>
            $"""<TxDtls><Refs><EndToEndId>{EndToEndId.Of(p.Id)}</EndToEndId></Refs><AmtDtls><TxAmt><Amt Ccy="EUR">{Decimal(p.Amount)}</Amt></TxAmt></AmtDtls></TxDtls>""";
        string Entry(long amount, string indicator, string details, string extra = "") =>
            $"""
            <Ntry><Amt Ccy="EUR">{Decimal(amount)}</Amt><CdtDbtInd>{indicator}</CdtDbtInd>{extra}<Sts><Cd>BOOK</Cd></Sts><BkTxCd/><NtryDtls>{details}</NtryDtls></Ntry>
            """;
        return $"""
            <?xml version="1.0" encoding="UTF-8"?>
            <Document xmlns="urn:iso:std:iso:20022:tech:xsd:{format}.001.08"><{message}><GrpHdr><MsgId>S-1</MsgId></GrpHdr><{part}><Id>1</Id>
              <Acct><Id><IBAN>{Account}</IBAN></Id></Acct>{balances}
              <TxsSummry><TtlNtries><NbOfNtries>4</NbOfNtries><Sum>{Decimal(total + returned)}</Sum></TtlNtries></TxsSummry>
              {Entry(paid.Sum(p => p.Amount), "DBIT", $"<Btch><PmtInfId>{file:N}-1</PmtInfId><NbOfTxs>{paid.Count}</NbOfTxs></Btch>" + string.Concat(paid.Select(Detail)))}
              {Entry(payouts[1].Amount, "CRDT", $"<TxDtls><Refs><EndToEndId>{EndToEndId.Of(payouts[1].Id)}</EndToEndId></Refs><RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf></TxDtls>")}
              {Entry(payouts[4].Amount, "DBIT", Detail(payouts[4]))}
              {Entry(payouts[5].Amount, "DBIT", $"<TxDtls><Refs><EndToEndId>NOTPROVIDED</EndToEndId></Refs><RmtInf><Ustrd>Payout {EndToEndId.Of(payouts[5].Id)}</Ustrd></RmtInf></TxDtls>")}
            </{part}></{message}></Document>
            """;
    }

    private static string Balance(string type, long amount) =>
        $"""<Bal><Tp><CdOrPrtry><Cd>{type}</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">{Decimal(amount)}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-11-23</Dt></Dt></Bal>""";

    private static string Decimal(long minor) => string.Create(CultureInfo.InvariantCulture, $"{minor / 100}.{minor % 100:00}");
}
