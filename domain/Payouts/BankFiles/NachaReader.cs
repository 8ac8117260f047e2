using System.Globalization;

namespace Payments.Domain.Payouts.BankFiles;

/// <summary>One entry of a NACHA file, with the reason and the original trace number where it is a return.</summary>
public sealed record NachaEntry(
    int TransactionCode,
    string RoutingNumber,
    string AccountNumber,
    long Amount,
    string IndividualId,
    string Name,
    string Trace,
    string? ReturnCode,
    string? OriginalTrace,
    string? ReturnText)
{
    /// <summary>A correction (C01...) tells of changed details; the payment itself went through.</summary>
    public bool IsReturn => ReturnCode is ['R', ..];
}

/// <summary>A NACHA file whose counts, hashes and totals all agree.</summary>
public sealed record NachaFile(string Destination, string Origin, string Created, char Modifier, DateOnly EffectiveOn, IReadOnlyList<NachaEntry> Entries, long TotalDebit, long TotalCredit);

/// <summary>A file that cannot be trusted as a whole: cut short, altered, or of another format. Nothing of it may be applied.</summary>
public sealed class BankFileException(string message) : Exception(message);

/// <summary>Reads NACHA files: ours, to prove what we wrote, and the bank's return files.</summary>
public static class NachaReader
{
    /// <exception cref="BankFileException">The file is cut short, or a count, hash or total in it is wrong.</exception>
    public static async Task<NachaFile> ReadAsync(TextReader input, CancellationToken ct)
    {
        var entries = new List<NachaEntry>();
        string? header = null, control = null, batch = null;
        var (lines, batches, entryLines, fileEntryLines) = (0, 0, 0, 0);
        var (hash, fileHash, debit, fileDebit, credit, fileCredit) = (0L, 0L, 0L, 0L, 0L, 0L);
        var effective = default(DateOnly);
        while (await input.ReadLineAsync(ct) is { } line)
        {
            if (line.Length == 0)
            {
                continue;
            }

            lines++;
            if (line.Length != Nacha.LineLength)
            {
                throw new BankFileException($"Line {lines} has {line.Length} characters instead of {Nacha.LineLength}.");
            }

            if (control is not null)
            {
                Require(line.AsSpan().IndexOfAnyExcept('9') < 0, lines, "only filler may follow the file control");
                continue;
            }

            switch (line[0])
            {
                case '1':
                    Require(header is null, lines, "a second file header");
                    header = line;
                    break;
                case '5':
                    Require(header is not null && batch is null, lines, "a batch out of place");
                    batch = line;
                    effective = Date(line.AsSpan(69, 6), lines);
                    (entryLines, hash, debit, credit) = (0, 0, 0, 0);
                    break;
                case '6':
                    Require(batch is not null, lines, "an entry outside a batch");
                    var entry = Entry(line, lines);
                    entries.Add(entry);
                    entryLines++;
                    hash += Number(line.AsSpan(3, 8), lines);
                    if (entry.TransactionCode % 10 >= 5)
                    {
                        debit += entry.Amount;
                    }
                    else
                    {
                        credit += entry.Amount;
                    }

                    break;
                case '7':
                    Require(batch is not null && entries.Count > 0, lines, "an addendum without an entry");
                    entryLines++;
                    if (line.AsSpan(1, 2) is "99" or "98")
                    {
                        entries[^1] = entries[^1] with
                        {
                            ReturnCode = line[3..6],
                            OriginalTrace = line[6..21],
                            ReturnText = line[35..79].Trim() is { Length: > 0 } text ? text : null,
                        };
                    }

                    break;
                case '8':
                    Require(batch is not null, lines, "a batch control without its batch");
                    Require(Number(line.AsSpan(4, 6), lines) == entryLines, lines, "the entry count of the batch");
                    Require(Number(line.AsSpan(10, 10), lines) == hash % Nacha.HashModulus, lines, "the entry hash of the batch");
                    Require(Number(line.AsSpan(20, 12), lines) == debit, lines, "the debit total of the batch");
                    Require(Number(line.AsSpan(32, 12), lines) == credit, lines, "the credit total of the batch");
                    batch = null;
                    batches++;
                    fileEntryLines += entryLines;
                    fileHash += hash;
                    fileDebit += debit;
                    fileCredit += credit;
                    break;
                case '9':
                    Require(header is not null && batch is null, lines, "a file control out of place");
                    Require(Number(line.AsSpan(1, 6), lines) == batches, lines, "the batch count");
                    Require(Number(line.AsSpan(7, 6), lines) == (lines + Nacha.BlockLines - 1) / Nacha.BlockLines, lines, "the block count");
                    Require(Number(line.AsSpan(13, 8), lines) == fileEntryLines, lines, "the entry count");
                    Require(Number(line.AsSpan(21, 10), lines) == fileHash % Nacha.HashModulus, lines, "the entry hash");
                    Require(Number(line.AsSpan(31, 12), lines) == fileDebit, lines, "the debit total");
                    Require(Number(line.AsSpan(43, 12), lines) == fileCredit, lines, "the credit total");
                    control = line;
                    break;
                default:
                    throw new BankFileException($"Line {lines} begins with '{line[0]}', which no record of the format does.");
            }
        }

        if (header is null || control is null)
        {
            throw new BankFileException("The file has no end: it was cut short.");
        }

        return new NachaFile(header[3..13].Trim(), header[13..23].Trim(), header[23..33], header[33], effective, entries, fileDebit, fileCredit);
    }

    private static NachaEntry Entry(string line, int number)
    {
        var routing = line[3..12];
        Require(AbaRoutingNumber.CheckDigit(routing[..8]) == routing[8] - '0', number, "the check digit of a routing number");
        return new NachaEntry(
            (int)Number(line.AsSpan(1, 2), number),
            routing,
            line[12..29].Trim(),
            Number(line.AsSpan(29, 10), number),
            line[39..54].Trim(),
            line[54..76].Trim(),
            line[79..94],
            null,
            null,
            null);
    }

    private static long Number(ReadOnlySpan<char> digits, int line) =>
        long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var value)
            ? value
            : throw new BankFileException($"Line {line}: '{digits}' is not a number.");

    private static DateOnly Date(ReadOnlySpan<char> digits, int line) =>
        DateOnly.TryParseExact(digits, "yyMMdd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var date)
            ? date
            : throw new BankFileException($"Line {line}: '{digits}' is not a date.");

    private static void Require(bool holds, int line, string what)
    {
        if (!holds)
        {
            throw new BankFileException($"Line {line}: {what} is wrong.");
        }
    }
}
