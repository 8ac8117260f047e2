using System.Text;
using System.Xml;

namespace Payments.Domain.Payouts.BankFiles;

/// <summary>
/// Reads what banks send back: status reports (pain.002), statements, account reports and notifications (camt.053, 052, 054) and NACHA returns.
/// </summary>
public static class BankReportReader
{
    private const int PrologBytes = 200;

    // Banks declare windows-1252 and ISO 8859-15, which .NET knows only after registration.
    static BankReportReader() => Encoding.RegisterProvider(CodePagesEncodingProvider.Instance);

    /// <summary>
    /// Reads a report of any of the formats. Elements are found by their local names, because banks differ in the version of the schema but
    /// not in these names.
    /// </summary>
    /// <param name="accounts">The identifications of our own accounts: IBANs, or other names that the bank uses.</param>
    /// <exception cref="BankFileException">
    /// The file has no known format, is truncated, is about an account that is not ours, or is inconsistent.
    /// </exception>
    public static async Task<BankReport> ReadAsync(Stream input, IReadOnlyCollection<string> accounts, CancellationToken ct)
    {
        using var whole = new MemoryStream();
        await input.CopyToAsync(whole, ct);
        var content = new ReadOnlyMemory<byte>(whole.GetBuffer(), 0, (int)whole.Length);
        if (IsNacha(content.Span))
        {
            // Columns are bytes, unless a byte order mark says otherwise.
            using var records = new StreamReader(Stream(content), Encoding.Latin1, detectEncodingFromByteOrderMarks: true);
            return NachaReturns.Of(await NachaReader.ReadAsync(records, ct));
        }

        try
        {
            using var xml = Open(Trim(content));
            return await new IsoReport(accounts).ReadAsync(xml, ct)
                ?? throw new BankFileException("The file is neither a payment status report, a statement nor a NACHA file.");
        }
        catch (Exception e) when (e is XmlException or FormatException or OverflowException or ArgumentException or InvalidOperationException)
        {
            throw new BankFileException($"The file cannot be read: {e.Message}");
        }
    }

    // The first character of a NACHA file is the digit 1, behind a byte order mark and blanks that a transport may have put there.
    private static bool IsNacha(ReadOnlySpan<byte> content)
    {
        var start = content.TrimStart<byte>([0, (byte)' ', (byte)'\t', (byte)'\r', (byte)'\n', (byte)'\f', 0xEF, 0xBB, 0xBF, 0xFE, 0xFF]);
        return start is [(byte)'1', ..];
    }

    private static XmlReader Open(ReadOnlyMemory<byte> content)
    {
        var settings = new XmlReaderSettings
        {
            Async = true,
            DtdProcessing = DtdProcessing.Prohibit,
            XmlResolver = null,
            IgnoreWhitespace = true,
            IgnoreComments = true,
        };

        // The XML reader takes the encoding that the file declares. Some programs write the text into a string first and so declare UTF-16
        // in bytes that are not UTF-16.
        return DeclaresWideInNarrowBytes(content.Span)
            ? XmlReader.Create(new StreamReader(Stream(content), new UTF8Encoding(false, throwOnInvalidBytes: true)), settings)
            : XmlReader.Create(Stream(content), settings);
    }

    private static bool DeclaresWideInNarrowBytes(ReadOnlySpan<byte> content)
    {
        if (content is not [(byte)'<', (byte)'?', (byte)'x', ..])
        {
            return false;
        }

        var prolog = Encoding.ASCII.GetString(content[..Math.Min(PrologBytes, content.Length)]);
        var end = prolog.IndexOf("?>", StringComparison.Ordinal);
        var at = prolog.IndexOf("encoding", StringComparison.OrdinalIgnoreCase);
        return at >= 0 && end > at && prolog[at..end] is var declared
            && (declared.Contains("utf-16", StringComparison.OrdinalIgnoreCase) || declared.Contains("utf-32", StringComparison.OrdinalIgnoreCase)
                || declared.Contains("ucs-2", StringComparison.OrdinalIgnoreCase));
    }

    // Transports put white space before the first byte and end-of-file marks behind the last. UTF-16 stays as it is: its marks have two bytes.
    private static ReadOnlyMemory<byte> Trim(ReadOnlyMemory<byte> content)
    {
        var span = content.Span;
        var mark = span.StartsWith("\uFEFF"u8) ? 3 : 0;
        var begin = mark;
        while (begin < span.Length && span[begin] is (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n')
        {
            begin++;
        }

        if (begin == span.Length || span[begin] != (byte)'<' || (begin + 1 < span.Length && span[begin + 1] == 0))
        {
            return content;
        }

        var end = span.Length;
        while (end > begin && span[end - 1] is 0 or 0x1A or (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n')
        {
            end--;
        }

        return content[begin..end];
    }

    private static MemoryStream Stream(ReadOnlyMemory<byte> content) =>
        System.Runtime.InteropServices.MemoryMarshal.TryGetArray(content, out var bytes)
            ? new MemoryStream(bytes.Array!, bytes.Offset, bytes.Count, writable: false)
            : throw new InvalidOperationException("The content is an array.");
}
