using System.Net.Sockets;

namespace Payments.Kit;

/// <summary>Waits with a deadline for what another process does.</summary>
public static class Eventually
{
    private static readonly HttpClient Http = new() { Timeout = TimeSpan.FromSeconds(5) };

    /// <summary>Checks again and again until the condition holds. Errors of a check count as "not yet", but for <see cref="KitException"/>.</summary>
    /// <exception cref="TimeoutException">The condition never held; the last error is inside.</exception>
    public static async Task HoldsAsync(Func<Task<bool>> condition, TimeSpan patience, string what)
    {
        var started = TimeProvider.System.GetTimestamp();
        Exception? last = null;
        while (true)
        {
            try
            {
                if (await condition())
                    return;
            }
            catch (Exception e) when (e is not KitException)
            {
                last = e;
            }

            if (TimeProvider.System.GetElapsedTime(started) > patience)
                throw new TimeoutException($"Not within {patience.TotalSeconds:0} s: {what}.", last);
            await Task.Delay(50);
        }
    }

    /// <summary>Waits until an address answers 200.</summary>
    /// <exception cref="KitException">The process ended first.</exception>
    public static Task AnswersAsync(ChildProcess process, Uri address, TimeSpan patience) => WhileAliveAsync(
        process,
        async () =>
        {
            using var answer = await Http.GetAsync(address);
            return answer.IsSuccessStatusCode;
        },
        patience);

    /// <summary>Waits until something listens on the port.</summary>
    /// <inheritdoc cref="AnswersAsync"/>
    public static Task ListensAsync(ChildProcess process, int port, TimeSpan patience) => WhileAliveAsync(
        process,
        async () =>
        {
            using var client = new TcpClient();
            await client.ConnectAsync("127.0.0.1", port);
            return true;
        },
        patience);

    /// <inheritdoc cref="AnswersAsync"/>
    public static Task WhileAliveAsync(ChildProcess process, Func<Task<bool>> condition, TimeSpan patience) => HoldsAsync(
        () => process.HasExited
            ? throw new KitException($"{process.Name} ended while it started: {process.LastWords()}")
            : condition(),
        patience,
        $"{process.Name} is ready (log: {process.LogFile})");
}
