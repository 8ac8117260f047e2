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

    /// <summary>The lines of seeds without violations, by seed.</summary>
    public static Dictionary<int, string> Clean(IEnumerable<string> lines)
    {
        var clean = new Dictionary<int, string>();
        foreach (var line in lines.Where(line => line.StartsWith('{')))
        {
            var json = JsonNode.Parse(line)!;
            if (json["violations"] is JsonArray { Count: 0 })
                clean[json["seed"]!.GetValue<int>()] = line;
        }

        return clean;
    }
}

/// <summary>The totals of many seeds, including those of earlier runs.</summary>
internal sealed class Summary
{
    private readonly Tally _tally = new();
    private readonly SortedDictionary<string, long> _transitions = new(StringComparer.Ordinal);
    private int _seeds;
    private double _seconds;
    private double _days;

    public int Violations { get; private set; }

    /// <param name="line">A line of <see cref="SeedLine"/>.</param>
    public void Add(string line)
    {
        var seed = JsonNode.Parse(line)!;
        _seeds++;
        _seconds += seed["seconds"]!.GetValue<double>();
        _days += seed["simulated_days"]!.GetValue<double>();
        Violations += seed["violations"]!.AsArray().Count;
        foreach (var (what, count) in seed["counts"]!.AsObject())
            _tally.Add(what, count!.GetValue<long>());
        foreach (var (transition, count) in seed["transitions"]!.AsObject())
            _transitions[transition] = _transitions.GetValueOrDefault(transition) + count!.GetValue<long>();
    }

    /// <summary>JSON lines: the totals, each count, each transition, and the legal transitions that never occurred.</summary>
    public IEnumerable<string> Lines()
    {
        yield return Line("all seeds", "seeds", _seeds);
        yield return Line("all seeds", "violations", Violations);
        yield return Line("all seeds", "seconds", Math.Round(_seconds));
        yield return Line("all seeds", "simulated days", Math.Round(_days));
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
