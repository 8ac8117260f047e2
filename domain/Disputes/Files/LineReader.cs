namespace Payments.Domain.Disputes.Files;

/// <summary>How a line ended.</summary>
internal enum LineEnd
{
    Break,

    /// <summary>The text ended without a line break, so the line may be cut.</summary>
    EndOfText,

    /// <summary>The line is longer than <see cref="LineReader.MaxLength"/>. Its beginning is returned, and the rest is skipped.</summary>
    TooLong,
}

/// <summary>
/// Reads the physical lines of a text in memory that does not grow with it. Unlike <see cref="TextReader.ReadLine"/>, it tells how each
/// line ended. A quote that is never closed therefore spoils only its own line.
/// </summary>
internal sealed class LineReader(TextReader reader)
{
    public const int MaxLength = 32 * 1024;

    private readonly char[] _buffer = new char[4 * MaxLength];
    private int _start;
    private int _end;
    private bool _ended;
    private bool _passing;

    /// <summary>Reads the next line in memory. False if <see cref="FillAsync"/> must read more first, or nothing is left.</summary>
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

    /// <summary>Reads more text and overwrites the lines that were returned before. False once the text has ended.</summary>
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

    /// <summary>Ends the text: no more can be read than what is in memory.</summary>
    public void Cut() => _ended = true;
}
