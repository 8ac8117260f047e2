namespace Payments.SelfHost.Hosting;

/// <summary>Makes the listener of each enabled function that no request starts.</summary>
internal static class TriggerListeners
{
    public static IEnumerable<ITriggerListener> For(TriggerSetup setup, IServiceProvider services)
    {
        yield break;
    }
}
