using System.Globalization;
using System.Text;
using System.Xml;

namespace Payments.Domain.Payouts.BankFiles;

/// <summary>
/// The account that payouts in EUR are paid from, and its holder's address. Payments to banks outside the EEA must carry the address.
/// </summary>
public sealed record SepaOriginator(string Name, string Iban, string? Bic, PostalAddress? Address);

/// <summary>
/// Writes customer credit transfer initiations, ISO 20022 <c>pain.001.001.09</c>, as SEPA banks take them: one payment information of batch
/// booked SEPA credit transfers. It streams: memory does not grow with the file.
/// </summary>
public static class Pain001Writer
{
    public const string Namespace = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09";

    private const int FlushBytes = 64 * 1024;

    /// <returns>How many bytes were written.</returns>
    /// <exception cref="InvalidOperationException">The entries differ from the head. The file must not be sent.</exception>
    public static async Task<long> WriteAsync(Stream output, BankFileHead head, SepaOriginator originator, IAsyncEnumerable<CreditTransfer> transfers, CancellationToken ct)
    {
        using var buffer = new MemoryStream(FlushBytes * 2);
        var settings = new XmlWriterSettings { Async = true, Encoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), NewLineChars = "\n", Indent = true, IndentChars = "" };
        await using var xml = XmlWriter.Create(buffer, settings);
        xml.WriteStartDocument();
        xml.WriteStartElement("Document", Namespace);
        xml.WriteStartElement("CstmrCdtTrfInitn", Namespace);
        WriteHead(xml, head, originator);
        var count = 0;
        var total = 0L;
        var bytes = 0L;
        await foreach (var transfer in transfers.WithCancellation(ct))
        {
            WriteTransfer(xml, transfer, originator);
            count++;
            total = checked(total + transfer.Amount.MinorUnits);
            if (buffer.Length >= FlushBytes)
            {
                await DrainAsync();
            }
        }

        if (count != head.Count || total != head.Total.MinorUnits)
        {
            throw new InvalidOperationException($"File {head.Id:N} was planned with {head.Count} payments of {head.Total}, but {count} of {total} minor units were written.");
        }

        xml.WriteEndDocument();
        await DrainAsync();
        return bytes;

        async ValueTask DrainAsync()
        {
            xml.Flush();
            await output.WriteAsync(buffer.GetBuffer().AsMemory(0, (int)buffer.Length), ct);
            bytes += buffer.Length;
            buffer.SetLength(0);
        }
    }

    private static void WriteHead(XmlWriter xml, BankFileHead head, SepaOriginator originator)
    {
        var name = SepaText.Of(originator.Name, 70);
        var count = head.Count.ToString(CultureInfo.InvariantCulture);
        var sum = Decimal(head.Total);
        xml.WriteStartElement("GrpHdr");
        Text(xml, "MsgId", head.Id.ToString("N"));
        Text(xml, "CreDtTm", head.CreatedAt.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture));
        Text(xml, "NbOfTxs", count);
        Text(xml, "CtrlSum", sum);
        Party(xml, "InitgPty", name, null);
        xml.WriteEndElement();

        xml.WriteStartElement("PmtInf");
        Text(xml, "PmtInfId", head.Id.ToString("N") + "-1");
        Text(xml, "PmtMtd", "TRF");
        Text(xml, "BtchBookg", "true");
        Text(xml, "NbOfTxs", count);
        Text(xml, "CtrlSum", sum);
        xml.WriteStartElement("PmtTpInf");
        xml.WriteStartElement("SvcLvl");
        Text(xml, "Cd", "SEPA");
        xml.WriteEndElement();
        xml.WriteEndElement();
        xml.WriteStartElement("ReqdExctnDt");
        Text(xml, "Dt", head.ExecutionDate.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture));
        xml.WriteEndElement();
        Party(xml, "Dbtr", name, originator.Address);
        Account(xml, "DbtrAcct", originator.Iban);
        xml.WriteStartElement("DbtrAgt");
        xml.WriteStartElement("FinInstnId");
        if (originator.Bic is not null)
        {
            Text(xml, "BICFI", originator.Bic);
        }
        else
        {
            // Since SEPA became IBAN-only, an agent without BIC is written this way.
            xml.WriteStartElement("Othr");
            Text(xml, "Id", "NOTPROVIDED");
            xml.WriteEndElement();
        }

        xml.WriteEndElement();
        xml.WriteEndElement();
        Text(xml, "ChrgBr", "SLEV");
    }

    private static void WriteTransfer(XmlWriter xml, CreditTransfer transfer, SepaOriginator originator)
    {
        if (transfer.Amount.Currency != Currency.Eur || !transfer.Amount.IsPositive
            || transfer.Account is not { Iban: { } iban, Country: { } country })
        {
            throw new InvalidOperationException($"{transfer.Id} is not a SEPA credit transfer.");
        }

        if (originator.Address is null && SepaArea.NeedsAddressOfThePayer(country))
        {
            throw new InvalidOperationException($"{transfer.Id} goes to {country}, outside the EEA: the originator's address is missing.");
        }

        var reference = EndToEndId.Of(transfer.Id);
        xml.WriteStartElement("CdtTrfTxInf");
        xml.WriteStartElement("PmtId");
        Text(xml, "EndToEndId", reference);
        xml.WriteEndElement();
        xml.WriteStartElement("Amt");
        xml.WriteStartElement("InstdAmt");
        xml.WriteAttributeString("Ccy", "EUR");
        xml.WriteString(Decimal(transfer.Amount));
        xml.WriteEndElement();
        xml.WriteEndElement();
        if (transfer.Account.Bic is { } bic)
        {
            xml.WriteStartElement("CdtrAgt");
            xml.WriteStartElement("FinInstnId");
            Text(xml, "BICFI", bic);
            xml.WriteEndElement();
            xml.WriteEndElement();
        }

        Party(xml, "Cdtr", SepaText.Of(transfer.Account.HolderName, 70), transfer.Account.Address);
        Account(xml, "CdtrAcct", iban);
        xml.WriteStartElement("RmtInf");
        Text(xml, "Ustrd", "Payout " + reference);
        xml.WriteEndElement();
        xml.WriteEndElement();
    }

    private static void Party(XmlWriter xml, string element, string name, PostalAddress? address)
    {
        xml.WriteStartElement(element);
        Text(xml, "Nm", name);
        if (address is not null)
        {
            WriteAddress(xml, address);
        }

        xml.WriteEndElement();
    }

    // The fields follow the order of PostalAddress24. With lines the address is hybrid, otherwise structured. Both forms have a town and a
    // country.
    private static void WriteAddress(XmlWriter xml, PostalAddress address)
    {
        xml.WriteStartElement("PstlAdr");
        (string Element, string? Value, int Most)[] parts =
        [
            ("StrtNm", address.StreetName, 70), ("BldgNb", address.BuildingNumber, 16), ("PstCd", address.PostCode, 16),
                ("TwnNm", address.TownName, 35), ("Ctry", address.Country, 2),
            ("AdrLine", address.Line1, 70), ("AdrLine", address.Line2, 70),
        ];
        foreach (var (element, value, most) in parts)
        {
            if (value is not null)
            {
                Text(xml, element, SepaText.Of(value, most));
            }
        }

        xml.WriteEndElement();
    }

    private static void Account(XmlWriter xml, string element, string iban)
    {
        xml.WriteStartElement(element);
        xml.WriteStartElement("Id");
        Text(xml, "IBAN", iban);
        xml.WriteEndElement();
        xml.WriteEndElement();
    }

    private static void Text(XmlWriter xml, string element, string value)
    {
        xml.WriteStartElement(element);
        xml.WriteString(value);
        xml.WriteEndElement();
    }

    private static string Decimal(Money amount)
    {
        var (major, minor) = Math.DivRem(amount.MinorUnits, 100);
        return string.Create(CultureInfo.InvariantCulture, $"{major}.{minor:00}");
    }
}
