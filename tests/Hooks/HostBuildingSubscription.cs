using System.Diagnostics;
using Microsoft.Extensions.Hosting;

namespace Payments.TestHooks;

/// <summary>
/// Changes the services of the process's host just before its container is built. A generic host announces itself with the event
/// "HostBuilding" and still accepts services then.
/// </summary>
internal static class HostBuildingSubscription
{
    public static void Begin() => DiagnosticListener.AllListeners.Subscribe(new Observer<DiagnosticListener>(listener =>
    {
        if (listener.Name == "Microsoft.Extensions.Hosting")
            listener.Subscribe(new Observer<KeyValuePair<string, object?>>(OnEvent));
    }));

    private static void OnEvent(KeyValuePair<string, object?> announced)
    {
        if (announced is not { Key: "HostBuilding", Value: IHostBuilder host })
            return;
        DrivenClock.ReplaceIn(host);

        // The Functions host loads this assembly too, but has none of the app's types.
        if (File.Exists(Path.Combine(AppContext.BaseDirectory, "Payments.Domain.dll")))
            AppHooks.AddTo(host);
    }
}

/// <summary>
/// Calls an action with each value. An error in the action ends the process, because a test must not continue without its hook.
/// </summary>
internal sealed class Observer<T>(Action<T> next) : IObserver<T>
{
    public void OnNext(T value)
    {
        try
        {
            next(value);
        }
#pragma warning disable CA1031 // No other code would report the exception.
        catch (Exception e)
#pragma warning restore CA1031
        {
            Environment.FailFast("A test hook failed.", e);
        }
    }

    public void OnError(Exception error)
    {
    }

    public void OnCompleted()
    {
    }
}
