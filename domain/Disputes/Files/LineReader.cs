namespace Payments.Domain.Disputes.Files;

/// <summary>How a line ended.</summary>
internal enum LineEnd
{
    Break,

    /// <summary>The text ended instead: the line may be cut.</summary>
    EndOfText,

    /// <summary>It is longer than <see cref="LineReader.MaxLength"/>; its beginning is given and the rest was passed over.</summary>
    TooLong,
}

/// <summary>
/// Physical lines of a text, in memory that does not grow with it, each with how it ended: what <see cref="TextReader.ReadLine"/> does not tell. A quote
/// that is never closed therefore spoils its own line and no other.
/// </summary>
internal sealed class LineReader(TextReader reader)
{
    public const int MaxLength = 32 * 1024;

    private readonly char[] _buffer = new char[4 * MaxLength];
    private int _start;
    private int _end;
    private bool _ended;
    private bool _passing;

    /// <summary>Reads the next line of what is in memory; false when more must be <see cref="FillAsync">read</see> first, or nothing is left.</summary>
    public bool TryRead(out ReadOnlyMemory<char> line, out LineEnd end)
    {
        while (true)
        {
            var rest = _buffer.AsSpan(_start, _end - _start);
            var feed = rest.IndexOf('\n');
            if (_passing)
            {
                if (feed < 0)
                {
                    _start = _end;
                    (line, end) = (default, default);
                    return false;
                }

                _start += feed + 1;
                _passing = false;
                continue;
            }

            if (feed >= 0 && feed <= MaxLength)
            {
                var length = feed > 0 && rest[feed - 1] == '\r' ? feed - 1 : feed;
                line = _buffer.AsMemory(_start, length);
                end = LineEnd.Break;
                _start += feed + 1;
                return true;
            }

            if (rest.Length > MaxLength)
            {
                line = _buffer.AsMemory(_start, MaxLength);
                end = LineEnd.TooLong;
                _start += MaxLength;
                _passing = true;
                return true;
            }

            if (_ended && rest.Length > 0)
            {
                line = _buffer.AsMemory(_start, rest.Length);
                end = LineEnd.EndOfText;
                _start = _end;
                return true;
            }

            (line, end) = (default, default);
            return false;
        }
    }

    /// <summary>Reads on; lines given before are overwritten. False once the text has ended.</summary>
    public async ValueTask<bool> FillAsync(CancellationToken ct)
    {
        if (_ended)
            return false;
        _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
        _end -= _start;
        _start = 0;
        var read = await reader.ReadAsync(_buffer.AsMemory(_end), ct);
        _end += read;
        _ended = read == 0;
        return true;
    }

    /// <summary>No more can be read: what is in memory is all there is.</summary>
    public void Cut() => _ended = true;
}
