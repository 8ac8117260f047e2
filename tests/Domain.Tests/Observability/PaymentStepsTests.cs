using System.Diagnostics;
using Payments.Domain.Observability;
using Payments.Domain.Providers;

namespace Payments.Domain.Tests.Observability;

public sealed class PaymentStepsTests
{
    [Fact]
    public void Reached_NobodySubscribed_AllocatesNothing()
    {
        PaymentSteps.Reached(PaymentSteps.Answered, PaymentOperation.Charge);
        var before = GC.GetAllocatedBytesForCurrentThread();

        for (var i = 0; i < 1000; i++)
            PaymentSteps.Reached(PaymentSteps.Answered, PaymentOperation.Charge);

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
        Assert.False(PaymentSteps.IsObserved(PaymentSteps.Answered));
    }

    [Fact]
    public void Reached_SomebodySubscribed_TellsTheStepAndItsOperationBeforeItReturns()
    {
        var seen = new List<(string Step, PaymentOperation Operation)>();
        IDisposable? subscription = null;
        using var listeners = DiagnosticListener.AllListeners.Subscribe(new Observer<DiagnosticListener>(listener =>
        {
            if (listener.Name == PaymentSteps.ListenerName)
                subscription = listener.Subscribe(new Observer<KeyValuePair<string, object?>>(step => seen.Add((step.Key, ((PaymentStep)step.Value!).Operations.Single()))));
        }));

        PaymentSteps.Reached(PaymentSteps.IntentCommitted, PaymentOperation.Refund);

        Assert.Equal([("intent_committed", PaymentOperation.Refund)], seen);
        subscription!.Dispose();
        Assert.False(PaymentSteps.IsObserved(PaymentSteps.IntentCommitted));
    }

    private sealed class Observer<T>(Action<T> next) : IObserver<T>
    {
        public void OnNext(T value) => next(value);

        public void OnError(Exception error) => throw error;

        public void OnCompleted()
        {
        }
    }
}
