using System.Text;
using System.Text.RegularExpressions;

namespace FunctionsHost.Blobs;

/// <summary>A blob trigger's path: a container, and a pattern whose <c>{names}</c> become trigger data.</summary>
internal sealed partial class BlobPath
{
    private readonly Regex _pattern;

    private BlobPath(string container, Regex pattern)
    {
        Container = container;
        _pattern = pattern;
    }

    public string Container { get; }

    [GeneratedRegex(@"\{(?<name>[A-Za-z_][A-Za-z0-9_]*)\}")]
    private static partial Regex Parameter();

    /// <exception cref="InvalidOperationException">The path names no container, or one that is itself a pattern.</exception>
    public static BlobPath Parse(string path, string function)
    {
        var slash = path.IndexOf('/', StringComparison.Ordinal);
        var container = slash < 0 ? path : path[..slash];
        if (container.Length == 0 || container.Contains('{', StringComparison.Ordinal))
            throw new InvalidOperationException($"Function '{function}': '{path}' is no blob path (container/{{name}}).");
        var blob = slash < 0 ? "{name}" : path[(slash + 1)..];
        var pattern = new StringBuilder("^");
        var at = 0;
        foreach (Match match in Parameter().Matches(blob))
        {
            pattern.Append(Regex.Escape(blob[at..match.Index])).Append("(?<").Append(match.Groups["name"].Value).Append(">.*)");
            at = match.Index + match.Length;
        }
        pattern.Append(Regex.Escape(blob[at..])).Append('$');
        return new BlobPath(container, new Regex(pattern.ToString(), RegexOptions.CultureInvariant | RegexOptions.Singleline));
    }

    /// <summary>The values of the pattern's names, or null where the blob is none of this trigger.</summary>
    public IReadOnlyDictionary<string, string>? Match(string blobName)
    {
        var match = _pattern.Match(blobName);
        if (!match.Success)
            return null;
        var values = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (var name in _pattern.GetGroupNames())
        {
            if (name != "0")
                values[name] = match.Groups[name].Value;
        }
        return values;
    }
}
