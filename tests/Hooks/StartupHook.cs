using Payments.TestHooks;

/// <summary>
/// The runtime calls this before the program's entry point, in a process that loads this assembly through <c>DOTNET_STARTUP_HOOKS</c>.
/// </summary>
#pragma warning disable CA1050 // The runtime looks for this name outside any namespace.
internal static class StartupHook
#pragma warning restore CA1050
{
    public static void Initialize() => HostBuildingSubscription.Begin();
}
