using System.Buffers;
using System.Globalization;
using System.Text;

namespace Payments.Domain.Payouts.BankFiles;

/// <summary>
/// Writes NACHA files: one batch of credits to companies (CCD) in one file. It streams: memory does not grow with the file.
/// </summary>
public sealed class NachaWriter
{
    private const int FlushBytes = 64 * 1024;

    private readonly ArrayBufferWriter<byte> _buffer = new(FlushBytes * 2);
    private readonly byte[] _line = new byte[Nacha.LineLength + 1];
    private int _position;
    private long _lines;
    private long _lastTrace;

    private NachaWriter()
    {
    }

    /// <returns>How many bytes were written.</returns>
    /// <exception cref="InvalidOperationException">
    /// The entries differ from the head, or do not fit the format. The file must not be sent.
    /// </exception>
    public static Task<long> WriteAsync(Stream output, BankFileHead head, NachaOriginator originator, IAsyncEnumerable<CreditTransfer> transfers, CancellationToken ct) =>
        new NachaWriter().WriteFileAsync(output, head, originator, transfers, ct);

    private async Task<long> WriteFileAsync(Stream output, BankFileHead head, NachaOriginator originator, IAsyncEnumerable<CreditTransfer> transfers, CancellationToken ct)
    {
        if (head.Count > Nacha.MaxEntries || head.Total.MinorUnits > Nacha.MaxTotal || head.Modifier is < 0 or >= Nacha.MaxFilesOfADay)
        {
            throw new InvalidOperationException($"File {head.Id:N} exceeds what a NACHA batch or a day of NACHA files can hold.");
        }

        WriteHeaders(head, originator);
        var count = 0;
        var total = 0L;
        var hash = 0L;
        await foreach (var transfer in transfers.WithCancellation(ct))
        {
            if (head.Ascending && transfer.Trace <= _lastTrace)
            {
                throw new InvalidOperationException(
                    $"{transfer.Id} has trace {transfer.Trace} behind {_lastTrace}: the traces of a batch ascend.");
            }

            WriteEntry(transfer, originator);
            _lastTrace = transfer.Trace;
            count++;
            total = checked(total + transfer.Amount.MinorUnits);
            hash += long.Parse(transfer.Account.RoutingNumber.AsSpan(0, 8), CultureInfo.InvariantCulture);
            if (_buffer.WrittenCount >= FlushBytes)
            {
                await DrainAsync(output, ct);
            }
        }

        if (count != head.Count || total != head.Total.MinorUnits)
        {
            throw new InvalidOperationException($"File {head.Id:N} was planned with {head.Count} payments of {head.Total}, but {count} of {total} minor units were written.");
        }

        WriteControls(originator, count, total, hash % Nacha.HashModulus);
        await DrainAsync(output, ct);
        return _lines * _line.Length;
    }

    private void WriteHeaders(BankFileHead head, NachaOriginator originator)
    {
        // Banks read the creation time in their own zone.
        var created = TimeZoneInfo.ConvertTime(head.CreatedAt, CutOff.Of(Currency.Usd).Zone);
        Text("1", 1);
        Text("01", 2);
        Text(" " + originator.Destination, 10);
        Text(originator.Origin.PadLeft(10), 10);
        Text(created.ToString("yyMMddHHmm", CultureInfo.InvariantCulture), 10);
        Text(((char)(head.Modifier < 26 ? 'A' + head.Modifier : '0' + (head.Modifier - 26))).ToString(), 1);
        Text("094101", 6);
        Text(originator.DestinationName, 23);
        Text(originator.CompanyName, 23);
        Text(head.Id.ToString("N")[^8..], 8);
        End();

        Text("5220", 4);
        Text(originator.CompanyName, 16);
        Text(head.Id.ToString("N")[..20], 20);
        Text(originator.CompanyId, 10);
        Text("CCD", 3);
        Text("PAYOUT", 10);
        Text(created.ToString("yyMMdd", CultureInfo.InvariantCulture), 6);
        Text(head.ExecutionDate.ToString("yyMMdd", CultureInfo.InvariantCulture), 6);
        Text("", 3);
        Text("1", 1);
        Text(originator.Odfi, 8);
        Number(1, 7);
        End();
    }

    private void WriteEntry(CreditTransfer transfer, NachaOriginator originator)
    {
        var account = transfer.Account;
        if (transfer.Amount.Currency != Currency.Usd
            || transfer.Amount.MinorUnits is <= 0 or > Nacha.MaxAmount
            || transfer.Trace is < 1 or > Nacha.MaxTrace
            || account.RoutingNumber is null
            || account.AccountNumber is null)
        {
            throw new InvalidOperationException($"{transfer.Id} is not a NACHA credit.");
        }

        Text(account.AccountType == UsAccountType.Savings ? "632" : "622", 3);
        Text(account.RoutingNumber, 9);
        Text(account.AccountNumber, 17);
        Number(transfer.Amount.MinorUnits, 10);
        Text(Nacha.IndividualId(transfer.Id), 15);
        Text(account.HolderName, 22);
        Text("", 2);
        Text("0", 1);
        Text(originator.Odfi, 8);
        Number(transfer.Trace, 7);
        End();
    }

    private void WriteControls(NachaOriginator originator, int count, long total, long hash)
    {
        Text("8220", 4);
        Number(count, 6);
        Number(hash, 10);
        Number(0, 12);
        Number(total, 12);
        Text(originator.CompanyId, 10);
        Text("", 25);
        Text(originator.Odfi, 8);
        Number(1, 7);
        End();

        var blocks = (_lines + 1 + Nacha.BlockLines - 1) / Nacha.BlockLines;
        Text("9", 1);
        Number(1, 6);
        Number(blocks, 6);
        Number(count, 8);
        Number(hash, 10);
        Number(0, 12);
        Number(total, 12);
        Text("", 39);
        End();
        while (_lines % Nacha.BlockLines != 0)
        {
            Text(new string('9', Nacha.LineLength), Nacha.LineLength);
            End();
        }
    }

    // Upper case in the SEPA characters, all of which the format allows.
    private void Text(string text, int width)
    {
        var written = SepaText.Transliterate(text).ToUpperInvariant();
        var used = Math.Min(written.Length, width);
        Encoding.ASCII.GetBytes(written.AsSpan(0, used), _line.AsSpan(_position, used));
        _line.AsSpan(_position + used, width - used).Fill((byte)' ');
        _position += width;
    }

    private void Number(long value, int width)
    {
        for (var i = _position + width - 1; i >= _position; i--)
        {
            (value, var digit) = Math.DivRem(value, 10);
            _line[i] = (byte)('0' + digit);
        }

        if (value != 0)
        {
            throw new InvalidOperationException($"A number does not fit {width} digits.");
        }

        _position += width;
    }

    private void End()
    {
        if (_position != Nacha.LineLength)
        {
            throw new InvalidOperationException($"A line of {_position} characters was made.");
        }

        _line[_position] = (byte)'\n';
        _buffer.Write(_line);
        _position = 0;
        _lines++;
    }

    private async ValueTask DrainAsync(Stream output, CancellationToken ct)
    {
        await output.WriteAsync(_buffer.WrittenMemory, ct);
        _buffer.ResetWrittenCount();
    }
}
