using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Payments.Kit;

/// <summary>Ports of the loopback address for servers that a test or benchmark starts.</summary>
public static class FreePorts
{
    // Below the ports that systems give to outgoing connections. One of those could take the port of a server while the server restarts.
    private const int First = 12_000;
    private const int Last = 32_000;

    private static readonly ConcurrentDictionary<int, bool> Given = new();

    /// <summary>Ports that were free a moment ago. This process gets no port twice.</summary>
    public static int[] Take(int count) => [.. Enumerable.Range(0, count).Select(_ => Take())];

    /// <inheritdoc cref="Take(int)"/>
    public static int Take()
    {
        while (true)
        {
            // Random rather than in order: processes that start at the same time would compete for the same ports.
#pragma warning disable CA5394 // Guards nothing.
            var port = Random.Shared.Next(First, Last);
#pragma warning restore CA5394
            if (Given.TryAdd(port, true) && IsFree(port))
                return port;
        }
    }

    /// <summary>Whether nothing listens on the port.</summary>
    public static bool IsFree(int port)
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
