using System.Globalization;
using System.Text;

namespace Payments.Tests.Payouts;

/// <summary>An entry of a return file: a return, or a notification of change.</summary>
internal sealed record ReturnEntry(string Trace, string IndividualId, long Amount, string Code, string Data = "", int TransactionCode = 21,
    string Company = "1000000000");

/// <summary>Return files as a bank writes them, laid out field by field, and what transports and programs do to them.</summary>
internal static class NachaText
{
    private const int LineLength = 94;
    private const string Name = "MUELLER + SOEHNE";

    /// <summary>One file with a batch for each company, in the order of the entries.</summary>
    public static string[] Returns(params ReturnEntry[] entries)
    {
        var lines = new List<string> { $"101 091000019 0210000212611231015A094101{"PAYMENT FUNCTIONS",-23}{"RETURNING BANK",-23}{"",8}" };
        var (batches, all) = (0, 0);
        foreach (var batch in entries.GroupBy(e => e.Company))
        {
            var batchNumber = string.Create(CultureInfo.InvariantCulture, $"02100002{++batches:0000000}");
            lines.Add($"5220{"PAYMENT FUNCTION",-36}{batch.Key,-10}CCD{"PAYOUT",-10}261120261123   1{batchNumber}");
            foreach (var e in batch)
            {
                var trace = string.Create(CultureInfo.InvariantCulture, $"02100002{++all:0000000}");
                lines.Add(string.Create(CultureInfo.InvariantCulture,
                    $"6{e.TransactionCode:00}021000021{"00000001",-17}{e.Amount:0000000000}{e.IndividualId,-15}{Name,-22}  1{trace}"));
                lines.Add(e.Code.StartsWith('C')
                    ? $"798{e.Code}{e.Trace,-15}      02100002{e.Data,-29}{"",15}{trace}"
                    : $"799{e.Code}{e.Trace,-15}      02100002{e.Data,-44}{trace}");
            }

            lines.Add($"8220{Sums(batch)}{batch.Key,-10}{"",25}{batchNumber}");
        }

        var blocks = (lines.Count + 10) / 10;
        lines.Add(string.Create(CultureInfo.InvariantCulture, $"9{batches:000000}{blocks:000000}{Sums(entries, 8)}{"",39}"));
        lines.AddRange(Enumerable.Repeat(new string('9', LineLength), (10 - (lines.Count % 10)) % 10));
        return [.. lines];
    }

    public static string Text(IEnumerable<string> lines) => string.Concat(lines.Select(l => l + "\n"));

    /// <summary>Damage of a file by a seed: one to three changes of bytes, fields, records or the whole. The same seed always does the
    /// same.</summary>
    public static byte[] Damage(string[] file, int seed)
    {
        var random = new Random(seed);
        List<string> lines = [.. file];
        for (var changes = random.Next(1, 4); changes > 0; changes--)
        {
            DamageRecords(lines, random);
        }

        var text = random.Next(12) switch
        {
            0 => string.Concat(lines),
            1 => string.Join("\r\n", lines),
            2 => string.Concat(lines.Select(l => l.TrimEnd(' ') + "\n")),
            3 => Text(lines) + "\u001A",
            4 => Text(lines) + Text(lines),
            5 => "\uFEFF" + Text(lines),
            6 => Text(lines) is var whole ? whole[..random.Next(whole.Length + 1)] : "",
            _ => Text(lines),
        };
        var bytes = Encoding.Latin1.GetBytes(text.Replace("\uFEFF", "\u00EF\u00BB\u00BF", StringComparison.Ordinal));
        return random.Next(10) == 0 ? [.. bytes.Where(_ => random.Next(400) != 0)] : bytes;
    }

    private static void DamageRecords(List<string> lines, Random random)
    {
        if (lines.Count == 0)
        {
            return;
        }

        var at = random.Next(lines.Count);
        var line = lines[at];
        var column = random.Next(Math.Max(1, line.Length));
        switch (random.Next(11))
        {
            case 0:
                lines.RemoveAt(at);
                break;
            case 1:
                lines.Insert(random.Next(lines.Count), line);
                break;
            case 2:
                var other = random.Next(lines.Count);
                (lines[at], lines[other]) = (lines[other], line);
                break;
            case 3:
                lines[at] = line[..column];
                break;
            case 4:
                lines[at] = line.Insert(column, random.Next(2) == 0 ? " " : "0");
                break;
            case 5 when line.Length > 0:
                lines[at] = line.Remove(column, Math.Min(random.Next(1, 4), line.Length - column));
                break;
            case 6 when line.Length > 0:
                var blanks = Math.Min(random.Next(1, 12), line.Length - column);
                lines[at] = line[..column] + new string(' ', blanks) + line[(column + blanks)..];
                break;
            case 7 when line.Length > 0:
                lines[at] = line[..column] + (char)random.Next(256) + line[(column + 1)..];
                break;
            default:
                // A digit becomes another one: the damage that looks most like a file.
                if (line.Length > 0)
                {
                    var written = char.IsAsciiDigit(line[column]) ? (char)('0' + random.Next(10)) : (char)('A' + random.Next(26));
                    lines[at] = line[..column] + written + line[(column + 1)..];
                }

                break;
        }
    }

    private static string Sums(IEnumerable<ReturnEntry> entries, int count = 6)
    {
        var all = entries.ToList();
        var debit = all.Where(e => e.TransactionCode % 10 >= 5).Sum(e => e.Amount);
        return ((2 * all.Count).ToString(CultureInfo.InvariantCulture).PadLeft(count, '0'))
            + string.Create(CultureInfo.InvariantCulture,
                $"{all.Count * 2_100_002L:0000000000}{debit:000000000000}{all.Sum(e => e.Amount) - debit:000000000000}");
    }
}
