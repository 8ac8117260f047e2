using System.Globalization;
using Payments.Kit;

namespace Payments.AppHost;

/// <summary>What ./run is asked to do, from its arguments and the environment. Arguments win.</summary>
internal sealed record RunOptions(RunCommand Command, Ports Ports, string Transport, bool OnCoreTools)
{
    private const int MaxInstances = 10;

    /// <summary>The address of the first instance, which also takes the acquirer's webhooks.</summary>
    public string AppUrl => $"http://127.0.0.1:{Ports.Apps[0]}";

    /// <exception cref="KitException">An argument is unknown or not valid.</exception>
    public static RunOptions Parse(IReadOnlyList<string> args)
    {
        var command = RunCommand.Serve;
        var onCoreTools = false;
        string? appPort = null, basePort = null, transport = null;
        var instances = 1;
        for (var i = 0; i < args.Count; i++)
        {
            var (name, value) = args[i].Split('=', 2) is [var left, var right] ? (left, right) : (args[i], null);
            string Value() => value ?? (i + 1 < args.Count ? args[++i] : throw new KitException($"{name} needs a value (see ./run --help)."));
            switch (name)
            {
                case "serve": command = RunCommand.Serve; break;
                case "demo": command = RunCommand.Demo; break;
                case "reset": command = RunCommand.Reset; break;
                case "--func": onCoreTools = true; break;
                case "--port": appPort = Value(); break;
                case "--base-port": basePort = Value(); break;
                case "--transport": transport = Value(); break;
                case "--instances": instances = InstanceCount(Value()); break;
                default: throw new KitException($"unknown argument {args[i]} (see ./run --help).");
            }
        }

        var setting = Environment.GetEnvironmentVariable("Messaging__Transport") is { Length: > 0 } set ? set : Transports.Storage;
        transport = Transports.Parse(transport ?? setting);
        return new(command, Ports.Choose(appPort, basePort, instances), transport, onCoreTools);
    }

    private static int InstanceCount(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count is >= 1 and <= MaxInstances
            ? count
            : throw new KitException($"--instances takes a number from 1 to {MaxInstances}, not '{text}'.");
}

internal enum RunCommand
{
    Serve,
    Demo,
    Reset,
}
