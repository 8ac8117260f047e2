using System.Diagnostics;
using Payments.Domain.Observability;

namespace Payments.TestHooks;

internal static class PaymentEvents
{
    /// <summary>Calls the handler inside each step of a payment, before the payment continues.</summary>
    public static void Subscribe(Action<string, object?> handler) => DiagnosticListener.AllListeners.Subscribe(new Observer<DiagnosticListener>(listener =>
    {
        if (listener.Name == PaymentSteps.ListenerName)
            listener.Subscribe(new Observer<KeyValuePair<string, object?>>(step => handler(step.Key, step.Value)));
    }));
}
