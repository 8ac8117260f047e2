using FunctionsHost.Protocol;

namespace FunctionsHost.Hosting;

/// <summary>The host's own lines on standard output: functions and their addresses, failures, the worker's warnings.</summary>
internal sealed class HostConsole(TextWriter output)
{
    private readonly Lock _lock = new();

    public void Line(string text)
    {
        lock (_lock)
            output.WriteLine(text);
    }

    public void Failed(string function, string invocationId, RpcException? exception) =>
        Line($"Function '{function}' failed (invocation {invocationId}): {Describe(exception)}");

    public static string Describe(RpcException? exception) => exception is null
        ? "the worker gave no reason."
        : $"{exception.Message}{(exception.StackTrace.Length > 0 ? Environment.NewLine + exception.StackTrace : "")}";
}
