using System.Text.Json;
using System.Text.Json.Nodes;

namespace Payments.Faults;

/// <summary>One seed as one line of JSON.</summary>
internal static class SeedLine
{
    public static string Of(FaultRunResult result) => new JsonObject
    {
        ["bench"] = "faults",
        ["seed"] = result.Options.Seed,
        ["transport"] = result.Options.Transport,
        ["mutation"] = result.Options.Mutation,
        ["violations"] = new JsonArray([.. result.Violations.Select(violation => JsonValue.Create(violation.ToString()))]),
        ["seconds"] = Math.Round(result.Took.TotalSeconds, 1),
        ["simulated_days"] = Math.Round(result.Simulated.TotalDays, 1),
        ["counts"] = new JsonObject(result.Counts.OrderBy(count => count.Key, StringComparer.Ordinal).Select(count => KeyValuePair.Create(count.Key, (JsonNode?)JsonValue.Create(count.Value)))),
        ["transitions"] = new JsonObject(result.Coverage.Counts.OrderBy(count => count.Key, StringComparer.Ordinal).Select(count => KeyValuePair.Create(count.Key, (JsonNode?)JsonValue.Create(count.Value)))),
    }.ToJsonString();

    /// <summary>The seeds whose lines have no violation.</summary>
    public static HashSet<int> Clean(IEnumerable<string> lines) =>
    [
        .. lines.Where(line => line.StartsWith('{')).Select(line => JsonNode.Parse(line)!)
            .Where(line => line["violations"] is JsonArray { Count: 0 }).Select(line => line["seed"]!.GetValue<int>()),
    ];
}

/// <summary>What many seeds did together.</summary>
internal sealed class Summary
{
    private readonly Tally _tally = new();
    private readonly SortedDictionary<string, long> _transitions = new(StringComparer.Ordinal);
    private int _seeds;
    private double _seconds;

    public int Violations { get; private set; }

    public void Add(FaultRunResult result)
    {
        _seeds++;
        _seconds += result.Took.TotalSeconds;
        Violations += result.Violations.Count;
        foreach (var (what, count) in result.Counts)
            _tally.Add(what, count);
        foreach (var (transition, count) in result.Coverage.Counts)
            _transitions[transition] = _transitions.GetValueOrDefault(transition) + count;
    }

    /// <summary>JSON lines: the totals, each count, each transition, and those that are legal and never occurred.</summary>
    public IEnumerable<string> Lines()
    {
        yield return Line("all seeds", "seeds", _seeds);
        yield return Line("all seeds", "violations", Violations);
        yield return Line("all seeds", "seconds", Math.Round(_seconds));
        yield return Line("all seeds", "operations", _tally.Of("operation "));
        yield return Line("all seeds", "faults", _tally.Of("fault: "));
        foreach (var (what, count) in _tally.Counts.OrderBy(count => count.Key, StringComparer.Ordinal))
            yield return Line("count", what, count);
        foreach (var (transition, count) in _transitions)
            yield return Line("transition", transition, count);
        foreach (var missing in Coverage.Legal.Where(legal => !_transitions.ContainsKey(legal)).Order(StringComparer.Ordinal))
            yield return Line("transition", missing, 0);
    }

    private static string Line(string @case, string metric, double value) =>
        JsonSerializer.Serialize(new { bench = "faults", @case, metric, value });
}
