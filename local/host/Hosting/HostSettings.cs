using System.Collections;
using System.Text.Json;
using Microsoft.Extensions.Configuration;

namespace FunctionsHost.Hosting;

/// <summary>
/// The settings of the app and the host, in rising order: the <c>Values</c> of local.settings.json, the environment,
/// the arguments. The worker gets all of them as environment variables.
/// </summary>
internal sealed class HostSettings
{
    private HostSettings(string folder, IConfiguration values, IReadOnlyDictionary<string, string> environment)
    {
        Folder = folder;
        Values = values;
        Environment = environment;
    }

    /// <summary>The published app: host.json, worker.config.json and the app's assemblies.</summary>
    public string Folder { get; }

    public IConfiguration Values { get; }

    /// <summary>The worker's environment. Names differing in case alone are one setting, as they are to the app.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; }

    /// <exception cref="InvalidOperationException">An argument, or local.settings.json, cannot be read.</exception>
    public static HostSettings Load(string[] args)
    {
        var arguments = Parse(args);
        var folder = Path.GetFullPath(
            arguments.TryGetValue("FunctionsHost:App", out var app) ? app
            : System.Environment.GetEnvironmentVariable("FunctionsHost__App") ?? Directory.GetCurrentDirectory());
        if (!Directory.Exists(folder))
            throw new InvalidOperationException(
                $"The app's folder '{folder}' does not exist. Give the folder of the published app with --app.");
        var local = LocalSettings(Path.Combine(folder, "local.settings.json"));
        var values = new ConfigurationBuilder()
            .AddInMemoryCollection(
                local.Select(pair => KeyValuePair.Create(pair.Key.Replace("__", ":", StringComparison.Ordinal), (string?)pair.Value)))
            .AddEnvironmentVariables()
            .AddInMemoryCollection(arguments.Select(pair => KeyValuePair.Create(pair.Key, (string?)pair.Value)))
            .Build();

        var environment = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (var (name, value) in local)
            Set(environment, name, value);
        foreach (DictionaryEntry variable in System.Environment.GetEnvironmentVariables())
            Set(environment, (string)variable.Key, (string?)variable.Value ?? "");
        foreach (var (name, value) in arguments)
            Set(environment, name, value);
        return new HostSettings(folder, values, environment);
    }

    private static void Set(Dictionary<string, string> environment, string name, string value)
    {
        name = name.Replace(":", "__", StringComparison.Ordinal);
        // The later spelling of a name replaces the earlier one.
        environment.Remove(name);
        environment[name] = value;
    }

    private static Dictionary<string, string> Parse(string[] args)
    {
        var values = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        for (var i = 0; i < args.Length; i++)
        {
            var argument = args[i];
            if (!argument.StartsWith("--", StringComparison.Ordinal) || argument.Length == 2)
                throw new InvalidOperationException($"'{argument}' is not an argument: write --name value or --name=value.");
            var name = argument[2..];
            string value;
            if (name.IndexOf('=', StringComparison.Ordinal) is var equals and >= 0)
                (name, value) = (name[..equals], name[(equals + 1)..]);
            else if (i + 1 < args.Length)
                value = args[++i];
            else
                throw new InvalidOperationException($"'{argument}' has no value.");
            // The worker owns the names "host" and "port", so here they are the host's and reach the app under their full name.
            values[name switch { "app" => "FunctionsHost:App", "port" => "FunctionsHost:Port", _ => name }] = value;
        }
        return values;
    }

    private static Dictionary<string, string> LocalSettings(string path)
    {
        if (!File.Exists(path))
            return [];
        try
        {
            using var document = JsonDocument.Parse(
                File.ReadAllText(path), new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
            return !document.RootElement.TryGetProperty(nameof(Values), out var values)
                ? []
                : values.EnumerateObject().ToDictionary(
                    value => value.Name,
                    value => value.Value.ValueKind == JsonValueKind.String ? value.Value.GetString()! : value.Value.GetRawText());
        }
        catch (JsonException e)
        {
            throw new InvalidOperationException($"'{path}' is not JSON: {e.Message}", e);
        }
    }
}
