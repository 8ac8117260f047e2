using Microsoft.Azure.Functions.Worker;
using Microsoft.Extensions.DependencyInjection;

namespace Payments.SelfHost.Hosting;

/// <summary>Runs functions that no request started, each in a scope of its own.</summary>
internal sealed class EventRunner(FunctionExecutor executor, IServiceProvider services, TimeSpan functionTimeout)
{
    /// <summary>The failure, or null where the function ended well. It was told already.</summary>
    public async Task<Exception?> RunAsync(
        FunctionDescriptor function,
        object? input,
        IReadOnlyDictionary<string, object?> bindingData,
        CancellationToken abandoning,
        RetryContext? retry = null,
        TraceContext? trace = null)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(abandoning);
        if (functionTimeout > TimeSpan.Zero)
            deadline.CancelAfter(functionTimeout);
        await using var scope = services.CreateAsyncScope();
        try
        {
            await executor.ExecuteAsync(new EventInvocation(function, scope.ServiceProvider, input, bindingData, deadline.Token, retry, trace));
            return null;
        }
        catch (Exception e)
        {
            return e;
        }
    }
}
