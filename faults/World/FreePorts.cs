using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Payments.Faults;

internal static class FreePorts
{
    // Below those that systems give to outgoing connections: one of thousands of these could sit on the port of an instance while it is dead, and keep it from starting again.
    private const int First = 12_000;
    private const int Last = 32_000;

    private static readonly ConcurrentDictionary<int, bool> Given = new();

    /// <summary>Ports that were free a moment ago, none of them given before.</summary>
    public static int[] Take(int count) => [.. Enumerable.Range(0, count).Select(_ => Take())];

    private static int Take()
    {
        while (true)
        {
            // Not by a seed: two runs beside one another would want the same ones.
#pragma warning disable CA5394 // Guards nothing.
            var port = Random.Shared.Next(First, Last);
#pragma warning restore CA5394
            if (Given.TryAdd(port, true) && IsFree(port))
                return port;
        }
    }

    private static bool IsFree(int port)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, port);
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
