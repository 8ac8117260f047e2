using System.Collections;
using System.Diagnostics;
using Payments.SelfHost.Hosting;

namespace Payments.SelfHost.Telemetry;

/// <summary>The spans of the worker, under the names that dashboards and alerts already know.</summary>
internal static class FunctionSpans
{
    public const string SourceName = "Microsoft.Azure.Functions.Worker";

    private static readonly ActivitySource Source = new(SourceName);

    /// <summary>Null when nobody listens. With the worker's OpenTelemetry defaults the span is named after the function.</summary>
    public static Activity? Start(Invocation invocation, bool functionSpans)
    {
        if (!Source.HasListeners())
            return null;
        var trace = invocation.TraceContext;
        ActivityContext.TryParse(trace.TraceParent, trace.TraceState, isRemote: true, out var parent);
        var activity = functionSpans
            ? Source.StartActivity("function " + invocation.Function.Name, ActivityKind.Internal, parent)
            : Source.StartActivity("Invoke", ActivityKind.Server, parent);
        if (activity is { IsAllDataRequested: true })
        {
            activity.SetTag(functionSpans ? "faas.invocation_id" : "faas.execution", invocation.InvocationId);
            activity.SetTag("faas.name", invocation.Function.Name);
        }
        return activity;
    }

    public static void Fail(Activity? activity, Exception exception)
    {
        activity?.SetStatus(ActivityStatusCode.Error, exception.Message);
        activity?.AddException(exception);
    }
}

/// <summary>What every log line of an invocation carries.</summary>
internal sealed class InvocationScope(Invocation invocation, bool functionSpans) : IReadOnlyList<KeyValuePair<string, object?>>
{
    public int Count => 2;

    public KeyValuePair<string, object?> this[int index] => index switch
    {
        0 => new(functionSpans ? "faas.invocation_id" : "AzureFunctions_InvocationId", invocation.InvocationId),
        1 => new(functionSpans ? "faas.name" : "AzureFunctions_FunctionName", invocation.Function.Name),
        _ => throw new ArgumentOutOfRangeException(nameof(index)),
    };

    public IEnumerator<KeyValuePair<string, object?>> GetEnumerator()
    {
        yield return this[0];
        yield return this[1];
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    public override string ToString() => $"{invocation.Function.Name} {invocation.InvocationId}";
}
