using System.Globalization;
using System.Text;

namespace Payments.Domain.Payouts.BankFiles;

/// <summary>A bank's result for one of our entries: a return (R01...) or a notification of change (C01...).</summary>
/// <param name="Data">Columns 36 to 79: the text of a return, the corrected data of a notification.</param>
public sealed record NachaWord(string Code, string OriginalTrace, string Data);

/// <summary>One entry of a NACHA file, with the bank's result if it is a return or a notification of change.</summary>
/// <param name="Company">The company identification of the entry's batch.</param>
public sealed record NachaEntry(
    string Company, int TransactionCode, string RoutingNumber, string AccountNumber, long Amount, string IndividualId, string Name,
    string Trace, NachaWord? Word)
{
    /// <summary>Second digit of the transaction code: 0 to 4 are credits, 5 to 9 debits. The accounting codes 81 to 88 alternate.</summary>
    public bool IsDebit => TransactionCode / 10 == 8 ? TransactionCode % 2 == 0 : TransactionCode % 10 >= 5;

    /// <summary>Codes 21, 31, 41, 51 and 26, 36, 46, 56 are reserved for returns and notifications of change.</summary>
    public bool IsReturnCode => TransactionCode / 10 is >= 2 and <= 5 && TransactionCode % 10 is 1 or 6;
}

/// <summary>
/// A NACHA file whose counts, hashes and totals all agree. If a transport joined several files, the head is that of the first.
/// </summary>
public sealed record NachaFile(string Destination, string Origin, string Created, char Modifier, IReadOnlyList<NachaEntry> Entries,
    long TotalDebit, long TotalCredit);

/// <summary>A file that cannot be trusted as a whole: truncated, altered, or of another format. Nothing of it may be applied.</summary>
public sealed class BankFileException(string message) : Exception(message);

/// <summary>
/// Reads NACHA files: our own, to prove what we wrote, and the bank's return files. It accepts damage that leaves the records unambiguous:
/// trailing blanks that were cut, other or no line breaks, end-of-file marks, missing filler, several files in one. Every count, hash and
/// total must still agree.
/// </summary>
public sealed class NachaReader
{
    private readonly List<NachaEntry> _entries = [];
    private string? _firstHeader;
    private string? _header;
    private string? _batch;
    private bool _ended;
    private bool _advice;
    private int _lines;
    private int _linesBefore;
    private int _batches;
    private Sums _batchSums;
    private Sums _fileSums;
    private long _totalDebit;
    private long _totalCredit;

    private NachaReader()
    {
    }

    /// <exception cref="BankFileException">The file is truncated, or a count, hash or total in it is wrong.</exception>
    public static async Task<NachaFile> ReadAsync(TextReader input, CancellationToken ct)
    {
        var reader = new NachaReader();
        while (await input.ReadLineAsync(ct) is { } line)
        {
            reader.ReadLine(line);
        }

        return reader.End();
    }

    private void ReadLine(string line)
    {
        var text = Characters(line.AsSpan().Trim(Blanks).ToString());
        if (text.Length <= Nacha.LineLength)
        {
            ReadWhole(text);
            return;
        }

        foreach (var part in text.Split(Separators))
        {
            ReadWhole(part.AsSpan().Trim(Blanks).ToString());
        }
    }

    // Blanks at the end of a record mean nothing: transports cut them, or add more. Without line breaks, records of full length follow each
    // other.
    private void ReadWhole(string text)
    {
        for (var at = 0; at < text.Length; at += Nacha.LineLength)
        {
            ReadRecord(text[at..Math.Min(at + Nacha.LineLength, text.Length)].PadRight(Nacha.LineLength));
        }
    }

    // No record begins or ends with one of these. Transports leave NUL, end of transmission, Ctrl-Z and the byte order mark behind.
    private static ReadOnlySpan<char> Blanks => " \t\r\n\f\v\u0085\0\u001A\u0004\uFEFF";

    // Line breaks of mainframes (next line, form feed, record separator), at which a text reader does not stop.
    private static char[] Separators { get; } = ['\u0085', '\f', '\v', '\u001E'];

    // Some banks count the characters of a name, not its bytes in UTF-8.
    private static string Characters(string text) =>
        text.Length > Nacha.LineLength
        && !Ascii.IsValid(text)
        && Encoding.UTF8.GetString(Encoding.Latin1.GetBytes(text)) is { Length: <= Nacha.LineLength } decoded ? decoded : text;

    private void ReadRecord(string record)
    {
        _lines++;
        if (_ended && record[0] != '1')
        {
            Require(record.AsSpan().TrimEnd(' ').IndexOfAnyExcept('9') < 0,
                "only filler or another file may follow the file control; this record");
            return;
        }

        switch (record[0])
        {
            case '1':
                BeginFile(record);
                break;
            case '5':
                BeginBatch(record);
                break;
            case '6':
                ReadEntry(record);
                break;
            case '7':
                ReadAddendum(record);
                break;
            case '8':
                EndBatch(record);
                break;
            case '9':
                EndFile(record);
                break;
            default:
                throw new BankFileException($"Record {_lines} begins with '{record[0]}', which no record of the format does.");
        }
    }

    private void BeginFile(string record)
    {
        Require(_header is null || _ended, "a second file header");

        // Some banks shift the names in the header by a column. Nothing in the header is about a payment, so only the record size, which
        // identifies the format, is checked.
        Require(record.AsSpan(0, 42).Contains("094101", StringComparison.Ordinal), "the record size, blocking factor or format code");
        _firstHeader ??= record;
        (_header, _ended, _advice, _linesBefore, _batches, _fileSums) = (record, false, false, _lines - 1, 0, default);
    }

    private void BeginBatch(string record)
    {
        Require(_header is not null && _batch is null, "a batch out of place");

        // Accounting advices have entries, totals and controls with columns of their own.
        var advice = record.AsSpan(50, 3) is "ADV";
        Require(_batches == 0 || advice == _advice, "a mixture of advices and payments");
        (_batch, _advice, _batchSums) = (record, advice, default);
    }

    private void ReadEntry(string record)
    {
        Require(_batch is not null, "an entry outside a batch");
        var routing = record[3..12];
        Require(routing.All(char.IsAsciiDigit) && AbaRoutingNumber.CheckDigit(routing[..8]) == routing[8] - '0',
            "the check digit of a routing number");
        Require(record.AsSpan(79, 15).IndexOfAnyExceptInRange('0', '9') < 0, "a trace number");
        var entry = new NachaEntry(
            _batch![40..50].Trim(),
            (int)Number(record.AsSpan(1, 2)),
            routing,
            record[12..29].Trim(),
            Number(_advice ? record.AsSpan(27, 12) : record.AsSpan(29, 10)),
            record[39..54].Trim(),
            record[54..76].Trim(),
            record[79..94],
            null);
        _entries.Add(entry);
        _batchSums = _batchSums.With(entry);
    }

    private void ReadAddendum(string record)
    {
        Require(_batch is not null && _batchSums.Lines > 0, "an addendum without an entry");
        _batchSums = _batchSums with { Lines = _batchSums.Lines + 1 };
        if (record.AsSpan(1, 2) is not ("98" or "99"))
        {
            return;
        }

        // A return or a notification is about the entry before it. Two for one entry are rejected, because neither can be preferred. Banks
        // do not agree on the trace number of an addendum, so it is not compared. The original trace and the identification of the entry
        // find the payout together.
        var entry = _entries[^1];
        Require(entry.Word is null, "a second return of one entry");
        _entries[^1] = entry with { Word = new NachaWord(record[3..6], record[6..21], record[35..79]) };
    }

    private void EndBatch(string record)
    {
        Require(_batch is not null, "a batch control without its batch");
        var (debit, credit) = Totals(record, 20);
        Require(Number(record.AsSpan(4, 6)) == _batchSums.Lines, "the entry count of the batch");
        Require(Number(record.AsSpan(10, 10)) == _batchSums.Hash % Nacha.HashModulus, "the entry hash of the batch");
        Require(debit == _batchSums.Debit, "the debit total of the batch");
        Require(credit == _batchSums.Credit, "the credit total of the batch");
        var company = _advice ? default : record.AsSpan(44, 10).Trim();
        Require(company.IsEmpty || company.SequenceEqual(_batch.AsSpan(40, 10).Trim()), "the company identification of the batch control");
        Require(record.AsSpan(79, 15).SequenceEqual(_batch.AsSpan(79, 15)), "the bank or the number of the batch control");
        _batch = null;
        _batches++;
        _fileSums = _fileSums.With(_batchSums);
    }

    private void EndFile(string record)
    {
        Require(_header is not null && _batch is null, "a file control out of place");
        var (debit, credit) = Totals(record, 31);
        Require(Number(record.AsSpan(1, 6)) == _batches, "the batch count");
        Require(Number(record.AsSpan(7, 6)) == (_lines - _linesBefore + Nacha.BlockLines - 1) / Nacha.BlockLines, "the block count");
        Require(Number(record.AsSpan(13, 8)) == _fileSums.Lines, "the entry count");
        Require(Number(record.AsSpan(21, 10)) == _fileSums.Hash % Nacha.HashModulus, "the entry hash");
        Require(debit == _fileSums.Debit, "the debit total");
        Require(credit == _fileSums.Credit, "the credit total");
        _totalDebit += debit;
        _totalCredit += credit;
        _ended = true;
    }

    private NachaFile End() => _firstHeader is { } header && _ended
        ? new NachaFile(header[3..13].Trim(), header[13..23].Trim(), header[23..33], header[33], _entries, _totalDebit, _totalCredit)
        : throw new BankFileException("The file has no end: it was cut short.");

    private (long Debit, long Credit) Totals(string record, int at)
    {
        var width = _advice ? 20 : 12;
        return (Number(record.AsSpan(at, width)), Number(record.AsSpan(at + width, width)));
    }

    // Numbers are padded with zeros, by some banks with blanks.
    private long Number(ReadOnlySpan<char> digits) =>
        long.TryParse(digits.TrimStart(' '), NumberStyles.None, CultureInfo.InvariantCulture, out var value)
            ? value
            : throw new BankFileException($"Record {_lines}: '{digits}' is not a number.");

    private void Require(bool holds, string what)
    {
        if (!holds)
        {
            throw new BankFileException($"Record {_lines}: {what} is wrong.");
        }
    }

    private readonly record struct Sums(int Lines, long Hash, long Debit, long Credit)
    {
        public Sums With(NachaEntry entry) => new(
            Lines + 1,
            Hash + long.Parse(entry.RoutingNumber.AsSpan(0, 8), CultureInfo.InvariantCulture),
            Debit + (entry.IsDebit ? entry.Amount : 0),
            Credit + (entry.IsDebit ? 0 : entry.Amount));

        public Sums With(Sums other) => new(Lines + other.Lines, Hash + other.Hash, Debit + other.Debit, Credit + other.Credit);
    }
}
