using System.Globalization;
using System.IO.Compression;
using System.Text.Json;
using CsvHelper;

namespace Payments.Domain.Disputes.Files;

/// <summary>One line of a dispute file: an update, or the reason why it was rejected.</summary>
/// <param name="Number">Counts physical lines from 1, the header included.</param>
/// <param name="Text">The line, if it was rejected.</param>
public readonly record struct DisputeFileLine(long Number, DisputeUpdate? Update, DisputeLineRejection? Rejection, string? Detail, string? Text);

/// <summary>
/// Reads a dispute file, compressed or not, in memory that does not grow with the file. No content makes it throw: a line that cannot be
/// read is rejected.
/// </summary>
public sealed class DisputeFileReader : IAsyncDisposable
{
    private readonly DisputeFileDialect _dialect;
    private readonly DisputeLineParser _parser;
    private readonly string _file;
    private readonly StreamReader _text;
    private readonly LineReader _lines;
    private readonly string?[] _fields = new string?[Enum.GetValues<DisputeField>().Length];
    private readonly CsvReaderOptions _csv;
    private readonly (DisputeField Field, string Name)[] _properties;
    private int[]? _fieldOfColumn;
    private long _number;

    private DisputeFileReader(Stream stream, DisputeFileDialect dialect, string file)
    {
        _dialect = dialect;
        _parser = new DisputeLineParser(dialect);
        _file = file;
        _text = new StreamReader(stream, DisputeFileDialect.Find(dialect.Encoding)!, detectEncodingFromByteOrderMarks: true, bufferSize: 64 * 1024);
        _lines = new LineReader(_text);
        _csv = new CsvReaderOptions { Separator = dialect.Delimiter[0], HasHeader = false, MalformedData = CsvMalformedDataHandling.Throw };
        _properties = [.. dialect.Columns.Select(column => (column.Key, column.Value))];
    }

    /// <summary>Whether the whole file is rejected, because its header does not fit the dialect.</summary>
    public bool IsRejected { get; private set; }

    /// <param name="stream">Must be seekable: its first bytes tell whether it is compressed. The reader disposes it.</param>
    /// <param name="file">Names the file in the updates' source references.</param>
    public static async Task<DisputeFileReader> OpenAsync(Stream stream, DisputeFileDialect dialect, string file, CancellationToken ct)
    {
        var magic = new byte[2];
        var read = await stream.ReadAtLeastAsync(magic, 2, throwOnEndOfStream: false, ct);
        stream.Position = 0;
        return new DisputeFileReader(read == 2 && magic is [0x1F, 0x8B] ? new GZipStream(stream, CompressionMode.Decompress) : stream, dialect, file);
    }

    /// <summary>Adds up to <paramref name="max"/> lines to <paramref name="batch"/>. If it adds none, the file has ended.</summary>
    public async ValueTask ReadAsync(List<DisputeFileLine> batch, int max, CancellationToken ct)
    {
        var wanted = batch.Count + max;
        while (batch.Count < wanted)
        {
            if (_lines.TryRead(out var line, out var end))
            {
                _number++;
                if (Read(line.Span, end) is { } read)
                    batch.Add(read);
                continue;
            }

            try
            {
                if (!await _lines.FillAsync(ct))
                    break;
            }
            catch (InvalidDataException)
            {
                // The text that was decompressed before the damage is in memory, and its last line has no break.
                _lines.Cut();
                batch.Add(new DisputeFileLine(_number + 1, null, DisputeLineRejection.BadCompression, null, null));
            }
        }

        if (batch.Count == 0 && _number == 0)
        {
            _number++;
            IsRejected = true;
            batch.Add(new DisputeFileLine(1, null, DisputeLineRejection.HeaderMissing, null, null));
        }
    }

    public ValueTask DisposeAsync()
    {
        _text.Dispose();
        return ValueTask.CompletedTask;
    }

    private DisputeFileLine? Read(ReadOnlySpan<char> line, LineEnd end)
    {
        if (IsRejected || line.IsWhiteSpace())
            return null;
        if (end == LineEnd.TooLong)
            return Reject(DisputeLineRejection.TooLong, null, line[..256]);
        if (_dialect.Format == DisputeFileFormat.Csv && _fieldOfColumn is null)
            return ReadHeader(line);
        if (end == LineEnd.EndOfText && !_dialect.LastLineMayLackBreak)
            return Reject(DisputeLineRejection.Unterminated, null, line);
        if (line.ContainsAny('\uFFFD', '\0'))
            return Reject(DisputeLineRejection.BadEncoding, null, line);
        Array.Clear(_fields);
        string? detail = null;
        var rejection = _dialect.Format switch
        {
            DisputeFileFormat.Csv => line.Contains('"') ? SplitQuoted(line, out detail) : Split(line, out detail),
            DisputeFileFormat.JsonLines => ReadProperties(line),
        };
        if (rejection is null)
        {
            rejection = _parser.Parse(_fields, string.Create(CultureInfo.InvariantCulture, $"{_file}:{_number}"), out var update, out detail);
            if (rejection is null)
                return new DisputeFileLine(_number, update, null, null, null);
        }

        return Reject(rejection.Value, detail, line);
    }

    private DisputeFileLine Reject(DisputeLineRejection rejection, string? detail, ReadOnlySpan<char> text) => new(_number, null, rejection, detail, text.ToString());

    private DisputeFileLine? ReadHeader(ReadOnlySpan<char> line)
    {
        var names = Quoted(line) ?? [];
        var missing = _dialect.Columns.Where(column => !names.Contains(column.Value, StringComparer.OrdinalIgnoreCase)).Select(column => column.Value).ToList();
        if (missing.Count > 0)
        {
            IsRejected = true;
            return Reject(DisputeLineRejection.HeaderColumnMissing, string.Join(", ", missing), line);
        }

        _fieldOfColumn = [.. names.Select(name => _dialect.Columns
            .Where(column => string.Equals(column.Value, name, StringComparison.OrdinalIgnoreCase))
            .Select(column => (int)column.Key)
            .DefaultIfEmpty(-1)
            .First())];
        return null;
    }

    /// <summary>Splits a line without quotes at its delimiters. Only the fields that are needed become strings.</summary>
    private DisputeLineRejection? Split(ReadOnlySpan<char> line, out string? detail)
    {
        var column = 0;
        foreach (var range in line.Split(_dialect.Delimiter[0]))
        {
            if (column < _fieldOfColumn!.Length && _fieldOfColumn[column] is >= 0 and var field)
                _fields[field] = line[range].ToString();
            column++;
        }

        return Count(column, out detail);
    }

    private DisputeLineRejection? SplitQuoted(ReadOnlySpan<char> line, out string? detail)
    {
        detail = null;
        if (Quoted(line) is not { } values)
            return DisputeLineRejection.BadQuote;
        for (var column = 0; column < values.Length && column < _fieldOfColumn!.Length; column++)
        {
            if (_fieldOfColumn[column] is >= 0 and var field)
                _fields[field] = values[column];
        }

        return Count(values.Length, out detail);
    }

    private DisputeLineRejection? Count(int columns, out string? detail)
    {
        detail = columns == _fieldOfColumn!.Length ? null : string.Create(CultureInfo.InvariantCulture, $"{columns} instead of {_fieldOfColumn.Length}");
        return detail is null ? null : DisputeLineRejection.FieldCount;
    }

    /// <summary>Null if the quotes do not pair.</summary>
    private string[]? Quoted(ReadOnlySpan<char> line)
    {
        try
        {
            using var csv = CsvReader.FromText(line.ToString(), _csv);
            if (!csv.Read())
                return null;
            var values = new string[csv.FieldCount];
            for (var i = 0; i < values.Length; i++)
                values[i] = csv.GetString(i).Trim();
            return values;
        }
        catch (CsvFormatException)
        {
            return null;
        }
    }

    private DisputeLineRejection? ReadProperties(ReadOnlySpan<char> line)
    {
        try
        {
            using var document = JsonDocument.Parse(line.ToString());
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                return DisputeLineRejection.BadJson;
            foreach (var (field, name) in _properties)
            {
                if (document.RootElement.TryGetProperty(name, out var value))
                {
                    _fields[(int)field] = value.ValueKind switch
                    {
                        JsonValueKind.String => value.GetString(),
                        JsonValueKind.Number => value.GetRawText(),
                        JsonValueKind.Null => null,
                        JsonValueKind.Object or JsonValueKind.Array or JsonValueKind.True or JsonValueKind.False or JsonValueKind.Undefined => value.GetRawText(),
                        _ => throw new InvalidOperationException($"Unknown kind of value {value.ValueKind}."),
                    };
                }
            }

            return null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a string has half a surrogate pair.
            return DisputeLineRejection.BadJson;
        }
    }
}
