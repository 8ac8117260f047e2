using Microsoft.Azure.Functions.Worker;
using Microsoft.Azure.Functions.Worker.Middleware;
using Microsoft.Extensions.Logging;
using Payments.SelfHost.Telemetry;

namespace Payments.SelfHost.Hosting;

/// <summary>Runs functions through the app's middleware, one span and one log scope each.</summary>
internal sealed class FunctionExecutor
{
    private readonly FunctionExecutionDelegate _pipeline;
    private readonly ILogger _logger;
    private readonly HostConsole _console;
    private readonly bool _functionSpans;
    private int _running;

    public FunctionExecutor(
        IEnumerable<Func<FunctionExecutionDelegate, FunctionExecutionDelegate>> middleware, ILoggerFactory loggers, HostConsole console, bool functionSpans)
    {
        _pipeline = middleware.Reverse().Aggregate((FunctionExecutionDelegate)RunFunctionAsync, (next, step) => step(next));
        _logger = loggers.CreateLogger("Microsoft.Azure.Functions.Worker.FunctionsApplication");
        _console = console;
        _functionSpans = functionSpans;
    }

    /// <summary>Runs in flight now.</summary>
    public int Running => Volatile.Read(ref _running);

    /// <summary>Runs a function; what it throws is recorded in its span, printed, and thrown on.</summary>
    public async Task ExecuteAsync(Invocation invocation)
    {
        Interlocked.Increment(ref _running);
        using var activity = FunctionSpans.Start(invocation, _functionSpans);
        using var scope = _logger.BeginScope(new InvocationScope(invocation, _functionSpans));
        try
        {
            await _pipeline(invocation);
        }
        catch (Exception e)
        {
            FunctionSpans.Fail(activity, e);
            _console.Failed(invocation, e);
            throw;
        }
        finally
        {
            Interlocked.Decrement(ref _running);
        }
    }

    private static async Task RunFunctionAsync(FunctionContext context)
    {
        var invocation = (Invocation)context;
        var function = invocation.Function;
        var arguments = (await invocation.BindFunctionInputAsync(invocation)).Values;
        var instance = function.CreateInstance?.Invoke(invocation.InstanceServices, null);
        invocation.ReturnValue = await function.Invoke(instance, arguments);
    }
}
