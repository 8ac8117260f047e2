namespace Payments.Kit;

/// <summary>A program with its arguments, folder and environment, to be started by the kit or by an orchestrator.</summary>
public sealed record Command(string Program, IReadOnlyList<string> Arguments)
{
    /// <summary>The working folder; null is the caller's.</summary>
    public string? Folder { get; init; }

    /// <summary>Variables that the program gets beside those of the caller. An empty value takes one away.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>The same command with more variables; a later value replaces an earlier one.</summary>
    public Command With(IEnumerable<KeyValuePair<string, string>> variables)
    {
        var all = new Dictionary<string, string>(Environment);
        foreach (var (name, value) in variables)
            all[name] = value;
        return this with { Environment = all };
    }

    /// <summary>A .NET program of the clone.</summary>
    public static Command Dotnet(string assembly, params IEnumerable<string> arguments) => new("dotnet", [assembly, .. arguments]);
}
