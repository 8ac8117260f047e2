using System.Globalization;
using System.Text;
using System.Xml;
using System.Xml.Linq;

namespace Payments.Domain.Payouts.BankFiles;

/// <summary>Reads what banks send back: status reports (pain.002), account statements (camt.053) and NACHA returns.</summary>
public static class BankReportReader
{
    /// <summary>
    /// Reads a report of any of the formats. Elements are found by their local names, because banks differ in the version of the schema but not in
    /// these names.
    /// </summary>
    /// <param name="input">A stream that can seek.</param>
    /// <exception cref="BankFileException">The file is of no known format, cut short, or wrong in itself.</exception>
    public static async Task<BankReport> ReadAsync(Stream input, CancellationToken ct)
    {
        if (IsNacha(input))
        {
            // Columns are bytes, unless a byte order mark says otherwise.
            using var records = new StreamReader(input, Encoding.Latin1, detectEncodingFromByteOrderMarks: true, leaveOpen: true);
            return NachaReturns.Of(await NachaReader.ReadAsync(records, ct));
        }

        using var reader = new StreamReader(input, leaveOpen: true);
        try
        {
            using var xml = XmlReader.Create(reader, new XmlReaderSettings { Async = true, DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null, IgnoreWhitespace = true, IgnoreComments = true });
            while (await xml.ReadAsync())
            {
                if (xml.NodeType == XmlNodeType.Element && xml.LocalName == "CstmrPmtStsRpt")
                {
                    return await ReadStatusAsync(xml, ct);
                }

                if (xml.NodeType == XmlNodeType.Element && xml.LocalName == "BkToCstmrStmt")
                {
                    return await ReadStatementAsync(xml, ct);
                }
            }
        }
        catch (Exception e) when (e is XmlException or FormatException or OverflowException)
        {
            throw new BankFileException($"The file cannot be read: {e.Message}");
        }

        throw new BankFileException("The file is neither a payment status report, a statement nor a NACHA file.");
    }

    // The first character of a NACHA file is the digit 1, behind a byte order mark and blanks that a transport may have put there.
    private static bool IsNacha(Stream input)
    {
        var start = input.Position;
        int first;
        do
        {
            first = input.ReadByte();
        }
        while (first is 0 or ' ' or '\t' or '\r' or '\n' or '\f' or 0xEF or 0xBB or 0xBF or 0xFE or 0xFF);
        input.Position = start;
        return first == '1';
    }

    // Status codes of the ISO external code sets. The word on a transaction decides: banks have sent reports whose group says
    // rejected while a transaction in it was settled.
    private static PayoutStatus? Status(string? code) => code switch
    {
        "ACSC" or "ACCC" => PayoutStatus.Paid,
        "ACTC" or "ACCP" or "ACSP" or "ACWC" or "ACWP" or "RCVD" or "PDNG" => PayoutStatus.InTransit,
        "RJCT" or "CANC" => PayoutStatus.Failed,
        _ => null,
    };

    private static async Task<BankReport> ReadStatusAsync(XmlReader xml, CancellationToken ct)
    {
        var (id, original, group, code, text) = ("", "", (string?)null, (string?)null, (string?)null);
        var results = new List<BankResult>();
        var files = new List<BankFileResult>();
        var foreign = 0;
        await foreach (var element in ElementsAsync(xml, ["GrpHdr", "OrgnlGrpInfAndSts", "OrgnlPmtInfAndSts"], ct))
        {
            switch (element.Name.LocalName)
            {
                case "GrpHdr":
                    id = Value(element, "MsgId") ?? "";
                    break;
                case "OrgnlGrpInfAndSts":
                    original = Value(element, "OrgnlMsgId") ?? "";
                    group = Value(element, "GrpSts");
                    (code, text) = Reason(element);
                    break;
                default:
                    var transactions = element.Elements().Where(e => e.Name.LocalName == "TxInfAndSts").ToList();
                    foreach (var transaction in transactions)
                    {
                        var (txCode, txText) = Reason(transaction);
                        if (Status(Value(transaction, "TxSts")) is { } said && EndToEndId.TryParse(Value(transaction, "OrgnlEndToEndId"), out var payout))
                        {
                            results.Add(new BankResult(payout, null, null, said, txCode, txText, null));
                        }
                        else
                        {
                            foreign++;
                        }
                    }

                    if (transactions.Count == 0 && Status(Value(element, "PmtInfSts")) is { } batch && FileId(Value(element, "OrgnlPmtInfId")) is { } file)
                    {
                        var (batchCode, batchText) = Reason(element);
                        files.Add(new BankFileResult(file, batch, batchCode, batchText, null));
                    }

                    break;
            }
        }

        if (results.Count == 0 && files.Count == 0 && Status(group) is { } all && FileId(original) is { } whole)
        {
            files.Add(new BankFileResult(whole, all, code, text, null));
        }

        return new BankReport(id, results, files, foreign);
    }

    private static async Task<BankReport> ReadStatementAsync(XmlReader xml, CancellationToken ct)
    {
        var id = "";
        var results = new List<BankResult>();
        var files = new List<BankFileResult>();
        var foreign = 0;
        await foreach (var element in ElementsAsync(xml, ["GrpHdr", "Ntry"], ct))
        {
            if (element.Name.LocalName == "GrpHdr")
            {
                id = Value(element, "MsgId") ?? "";
                continue;
            }

            // Only booked entries are final; since version 8 the status is a choice of code or text.
            var status = Value(element, "Sts") ?? Value(element, "Sts", "Cd");
            if ((Value(element, "Sts", "Cd") ?? status) != "BOOK")
            {
                foreign++;
                continue;
            }

            var credit = Value(element, "CdtDbtInd") == "CRDT";
            var details = element.Elements().Where(e => e.Name.LocalName == "NtryDtls").ToList();
            var transactions = details.SelectMany(e => e.Elements()).Where(e => e.Name.LocalName == "TxDtls").ToList();
            foreach (var transaction in transactions)
            {
                if (EndToEndId.TryParse(Value(transaction, "Refs", "EndToEndId"), out var payout))
                {
                    var returned = Child(transaction, "RtrInf");
                    var amount = AmountOf(transaction) ?? (transactions.Count == 1 ? AmountOf(element) : null);
                    results.Add(new BankResult(
                        payout,
                        null,
                        null,
                        credit || returned is not null ? PayoutStatus.Returned : PayoutStatus.Paid,
                        returned is null ? null : Value(returned, "Rsn", "Cd") ?? Value(returned, "Rsn", "Prtry"),
                        returned is null ? null : Value(returned, "AddtlInf"),
                        amount));
                }
                else
                {
                    foreign++;
                }
            }

            if (transactions.Count == 0)
            {
                // A batch booked in one sum names only the payment information it executed.
                if (!credit && details.Select(d => FileId(Value(d, "Btch", "PmtInfId") ?? Value(d, "Btch", "MsgId"))).FirstOrDefault(f => f is not null) is { } file)
                {
                    files.Add(new BankFileResult(file, PayoutStatus.Paid, null, null, AmountOf(element)));
                }
                else
                {
                    foreign++;
                }
            }
        }

        return new BankReport(id, results, files, foreign);
    }

    // Loads one element at a time, so that a statement of a million entries never stands in memory.
    private static async IAsyncEnumerable<XElement> ElementsAsync(XmlReader xml, string[] names, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken ct)
    {
        while (!xml.EOF)
        {
            if (xml.NodeType == XmlNodeType.Element && names.Contains(xml.LocalName))
            {
                yield return (XElement)await XNode.ReadFromAsync(xml, ct);
            }
            else
            {
                await xml.ReadAsync();
            }
        }
    }

    private static (string? Code, string? Text) Reason(XElement element) =>
        Child(element, "StsRsnInf") is { } info ? (Value(info, "Rsn", "Cd") ?? Value(info, "Rsn", "Prtry"), Value(info, "AddtlInf")) : (null, null);

    private static Money? AmountOf(XElement element)
    {
        if (Child(element, "Amt") is not { } amount || !Currency.TryParse(amount.Attribute("Ccy")?.Value, out var currency))
        {
            return null;
        }

        var value = decimal.Parse(amount.Value, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture);
        for (var i = 0; i < currency.Exponent; i++)
        {
            value *= 10;
        }

        return decimal.IsInteger(value) ? new Money((long)value, currency) : throw new FormatException($"{amount.Value} {currency} has more digits than the currency.");
    }

    private static Guid? FileId(string? reference) =>
        reference is { Length: >= 32 } && Guid.TryParseExact(reference.AsSpan(0, 32), "N", out var id) ? id : null;

    private static XElement? Child(XElement element, string name) => element.Elements().FirstOrDefault(e => e.Name.LocalName == name);

    private static string? Value(XElement element, params ReadOnlySpan<string> path)
    {
        var at = element;
        foreach (var name in path)
        {
            if (Child(at, name) is not { } next)
            {
                return null;
            }

            at = next;
        }

        return at.HasElements ? null : at.Value;
    }
}
