using Payments.TestHooks;

/// <summary>What the runtime calls in a process that <c>DOTNET_STARTUP_HOOKS</c> loads this assembly into, before the program's own entry point.</summary>
#pragma warning disable CA1050 // The runtime looks for this name in no namespace.
internal static class StartupHook
#pragma warning restore CA1050
{
    public static void Initialize() => HostBuildingSubscription.Begin();
}
