using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Payments.Functions.Tests.Transcripts;

/// <summary>
/// Puts a placeholder where a run has a value of its own, such as <c>&lt;ch#2&gt;</c> for the second charge that a test sees. The same
/// value has the same number, so that which object an answer is about is compared too.
/// </summary>
internal sealed partial class Placeholders(bool numbered)
{
    // Their values mean nothing from one exchange to the next, and numbers would make answers to the same question differ.
    private static readonly HashSet<string> Unnumbered = ["time", "date", "unix", "req", "count"];

    private readonly Dictionary<string, Dictionary<string, int>> _seen = [];

    public string In(string text) => OfThisRun().Replace(text, match =>
    {
        var group = match.Groups.Values.Skip(1).First(group => group.Success);
        var kind = group.Name == "id" ? group.Value : group.Name;
        if (!numbered || Unnumbered.Contains(kind))
            return $"<{kind}>";
        if (!_seen.TryGetValue(kind, out var numbers))
            _seen[kind] = numbers = new Dictionary<string, int>(StringComparer.Ordinal);
        if (!numbers.TryGetValue(match.Value, out var number))
            numbers[match.Value] = number = numbers.Count + 1;
        return string.Create(CultureInfo.InvariantCulture, $"<{kind}#{number}>");
    });

    // The first that matches wins. Ids are a prefix, or several, with the digits of one UUID or two. Of a key, answers show the last signs.
    // A time keeps its offset, which is the app's choice. Journals are numbered over all tests.
    [GeneratedRegex(
        """
          (?<![A-Za-z0-9_]) (?<secret> (?: sk_test | sk_live | whsec | whsk | whpk | pk | ak ) _ [A-Za-z0-9+/=_-]{16,} )
        | (?<= (?: "api_key":\ " | sk_test_ | sk_live_ ) \.\.\. ) (?<hint> [A-Za-z0-9_-]{4} )
        | (?<![A-Za-z0-9_]) (?<id> [a-z]+ (?: _ [a-z]+ )* ) _ [0-9a-f]{12,} (?: _ [0-9a-f]{32} )? (?![A-Za-z0-9])
        | (?<![A-Za-z0-9]) (?<uuid> [0-9a-f]{8} - [0-9a-f]{4} - [0-9a-f]{4} - [0-9a-f]{4} - [0-9a-f]{12} ) (?![A-Za-z0-9])
        | (?<![A-Za-z0-9]) (?<hex> (?= [0-9]* [a-f] ) [0-9a-f]{16,} ) (?![A-Za-z0-9])
        | (?<![A-Za-z0-9]) (?<reference> PO [0-9a-f]{18,} ) (?![A-Za-z0-9])
        | (?<![0-9]) (?<time> [0-9]{4} - [0-9]{2} - [0-9]{2} [T\ ] [0-9]{2} (?: (?: : | %3A ) [0-9]{2} ){1,2} (?: \. [0-9]+ )? )
        | (?<![0-9]) (?<date> [0-9]{4} - [0-9]{2} - [0-9]{2} ) (?![0-9])
        | (?<= "cursor":\ " | starting_after= ) (?<cursor> [0-9]+ (?: [.-] [0-9a-f]+ )* )
        | (?<= " (?: id | journal | to_journal ) ":\  ) (?<journal> [0-9]+ )
        | (?<= " (?: checks | latency_ms ) ":\  ) (?<count> [0-9]+ )
        | (?<![A-Za-z0-9.]) (?<unix> 1[6-9] [0-9]{8} (?: [0-9]{3} )? ) (?![A-Za-z0-9])
        | (?<= (?: 127\.0\.0\.1 | localhost ) : ) (?<port> [0-9]+ )
        """,
        RegexOptions.IgnorePatternWhitespace | RegexOptions.CultureInvariant)]
    private static partial Regex OfThisRun();
}

/// <summary>How bodies are written: JSON by its lines, for a diff that names the property, and anything else as it is.</summary>
internal static class Rendering
{
    /// <summary>The reader is no browser, so quotes and umlauts stay as they are.</summary>
    public static JsonSerializerOptions Json { get; } = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The body with a line's end; nothing where there is none, and only its length where it is longer than that.</summary>
    public static string Body(byte[] body, int longest = int.MaxValue)
    {
        if (body.Length == 0)
            return "";
        if (body.Length > longest)
            return string.Create(CultureInfo.InvariantCulture, $"({body.Length} bytes)\n");
        var text = new StringBuilder();

        // Control characters would make the file binary to a diff.
        foreach (var c in Pretty(body) ?? Encoding.UTF8.GetString(body))
            _ = char.IsControl(c) && c != '\n' ? text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}") : text.Append(c);
        return text.Append('\n').ToString();
    }

    private static string? Pretty(byte[] body)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            using var stream = new MemoryStream();
            var options = new JsonWriterOptions { Indented = true, NewLine = "\n", Encoder = Json.Encoder };
            using (var writer = new Utf8JsonWriter(stream, options))
                document.WriteTo(writer);
            return Encoding.UTF8.GetString(stream.ToArray());
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // No JSON, or JSON with half of a surrogate pair.
            return null;
        }
    }
}
