using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Payments.Benchmarks;

/// <param name="Failures">Answers other than those that were expected.</param>
internal sealed record HttpLoadResult(double PerSecond, double P50Milliseconds, double P95Milliseconds, double P99Milliseconds, long Calls, long Failures, TimeSpan Measured)
{
    /// <summary>Of measurements that took as long as each other: calls and failures are sums, the rest are means.</summary>
    public static HttpLoadResult Of(IReadOnlyList<HttpLoadResult> turns) => new(
        turns.Average(r => r.PerSecond), turns.Average(r => r.P50Milliseconds), turns.Average(r => r.P95Milliseconds), turns.Average(r => r.P99Milliseconds), turns.Sum(r => r.Calls),
        turns.Sum(r => r.Failures), TimeSpan.FromTicks(turns.Sum(r => r.Measured.Ticks)));
}

/// <summary>
/// Keep-alive connections that each send a POST, wait for the whole answer and send the next. It speaks just enough HTTP/1.1 for answers with a Content-Length, over bare sockets:
/// it shares the machine with what it measures, so it has to be cheap.
/// </summary>
internal static class HttpLoad
{
    /// <param name="head">Everything before the body but for the length and the idempotency key, each line ended.</param>
    /// <param name="body">The body of the caller's next request.</param>
    public static async Task<HttpLoadResult> PostAsync(
        Uri address, int connections, TimeSpan warmUp, TimeSpan measure, Func<int, string> head, Func<int, string> body, int expected)
    {
        using var stop = new CancellationTokenSource();
        var phase = 0;
        var failures = 0L;
        var latencies = new List<long>[connections];
        var loops = Enumerable.Range(0, connections).Select(number => Task.Run(async () =>
        {
            var mine = latencies[number] = new List<long>(16_384);
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync(IPAddress.Parse(address.Host), address.Port);
            var buffer = new byte[64 * 1024];
            while (!stop.IsCancellationRequested)
            {
                var text = body(number);
                var request = Encoding.ASCII.GetBytes($"{head(number)}Idempotency-Key: {Guid.CreateVersion7(TimeProvider.System.GetUtcNow()):N}\r\nContent-Length: {text.Length}\r\n\r\n{text}");
                var started = Stopwatch.GetTimestamp();
                await SendAsync(socket, request);
                var status = await ReceiveAsync(socket, buffer);
                if (Volatile.Read(ref phase) == 1)
                    mine.Add(Stopwatch.GetTimestamp() - started);
                if (status != expected && Interlocked.Increment(ref failures) == 1)
                    Console.Error.WriteLine($"# expected {expected}, got: {Encoding.UTF8.GetString(buffer.AsSpan(0, Math.Min(600, buffer.Length))).Split('\0')[0]}");
            }
        })).ToArray();

        // A connection that breaks ends the run at once, with its error.
        await Task.WhenAny(Task.Delay(warmUp), Task.WhenAny(loops));
        var from = Stopwatch.GetTimestamp();
        Volatile.Write(ref phase, 1);
        await Task.WhenAny(Task.Delay(measure), Task.WhenAny(loops));
        Volatile.Write(ref phase, 2);
        var measured = Stopwatch.GetElapsedTime(from);
        await stop.CancelAsync();
        await Task.WhenAll(loops);

        var sorted = latencies.SelectMany(mine => mine).Order().ToArray();
        return new HttpLoadResult(
            sorted.Length / measured.TotalSeconds, Percentile(sorted, 0.50), Percentile(sorted, 0.95), Percentile(sorted, 0.99), sorted.Length, Volatile.Read(ref failures), measured);
    }

    private static async ValueTask SendAsync(Socket socket, ReadOnlyMemory<byte> request)
    {
        while (request.Length > 0)
            request = request[await socket.SendAsync(request)..];
    }

    /// <summary>Reads one whole answer into the buffer; returns its status.</summary>
    private static async ValueTask<int> ReceiveAsync(Socket socket, byte[] buffer)
    {
        var length = 0;
        var end = -1;
        while (true)
        {
            var read = await socket.ReceiveAsync(buffer.AsMemory(length));
            if (read == 0)
                throw new IOException("The server closed the connection.");
            length += read;
            if (end < 0 && (end = HeadEnd(buffer, length)) < 0)
                continue;
            if (length >= end)
                return ((buffer[9] - '0') * 100) + ((buffer[10] - '0') * 10) + (buffer[11] - '0');
        }
    }

    /// <summary>Where the answer ends, from its head; -1 while the head is not whole.</summary>
    private static int HeadEnd(byte[] buffer, int length)
    {
        var head = buffer.AsSpan(0, length).IndexOf("\r\n\r\n"u8);
        if (head < 0)
            return -1;
        var name = buffer.AsSpan(0, head + 2).IndexOf("Content-Length: "u8);
        if (name < 0)
            throw new InvalidDataException("The answer has no Content-Length: " + Encoding.ASCII.GetString(buffer, 0, head));
        var size = 0;
        for (var i = name + 16; buffer[i] != '\r'; i++)
            size = (size * 10) + (buffer[i] - '0');
        return head + 4 + size;
    }

    private static double Percentile(long[] sorted, double share) =>
        sorted.Length == 0 ? 0 : sorted[(int)Math.Min(sorted.Length - 1, share * sorted.Length)] * 1000.0 / Stopwatch.Frequency;
}
