using System.Reflection;
using Microsoft.Azure.Functions.Worker.Builder;

namespace Payments.SelfHost.Hosting;

/// <summary>What a test of the host, or of an app inside another process, sets. An app never needs it.</summary>
public sealed class SelfHostOptions
{
    /// <summary>Where functions are looked for: the entry assembly by default, which under a test runner is the runner.</summary>
    public Assembly? Assembly { get; set; }

    /// <summary>Takes only some of the classes that hold functions.</summary>
    public Func<Type, bool> Include { get; set; } = static _ => true;

    /// <summary>Where the list of functions and their failures are written: standard output by default.</summary>
    public TextWriter Output { get; set; } = Console.Out;

    /// <summary>The clock of timers; by default the app's own, where it registered one, so that both agree on what is due.</summary>
    public TimeProvider? Time { get; set; }
}

public static class SelfHostBuilderExtensions
{
    /// <summary>Changes how the host finds and runs the functions, before it is built.</summary>
    public static FunctionsApplicationBuilder ConfigureSelfHost(this FunctionsApplicationBuilder builder, Action<SelfHostOptions> configure)
    {
        configure(builder.Composition.Options);
        return builder;
    }
}
