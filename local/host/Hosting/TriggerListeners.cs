using FunctionsHost.Worker;

namespace FunctionsHost.Hosting;

internal static class TriggerListeners
{
    public static IEnumerable<ITriggerListener> For(IReadOnlyList<Function> enabled, HostSettings settings, HostJson hostJson, WorkerSupervisor workers, HostConsole console, TimeProvider time) => [];
}
