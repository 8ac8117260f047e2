namespace Payments.SelfHost.Hosting;

/// <summary>
/// What the host itself says. The builder adds no console logger, as on the platform, but a developer needs to see the
/// functions, their addresses and every failure.
/// </summary>
internal sealed class HostConsole(TextWriter output)
{
    private readonly Lock _lock = new();

    public void Line(string text)
    {
        lock (_lock)
            output.WriteLine(text);
    }

    public void Failed(Invocation invocation, Exception exception) =>
        Line($"Function '{invocation.Function.Name}' failed (invocation {invocation.InvocationId}): {exception}");
}
