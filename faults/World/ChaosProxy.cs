using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Payments.Faults;

/// <summary>
/// A TCP proxy to one of several servers. It can delay answers, refuse connections, cut them, or lose answers while the requests get
/// through.
/// </summary>
internal sealed class ChaosProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly Func<int?> _target;
    private readonly ConcurrentDictionary<Socket, bool> _open = new();
    private readonly CancellationTokenSource _closing = new();
    private readonly Task _loop;
    private int _answersToLose;

    /// <param name="target">The port of the server for the next connection. Null refuses the connection.</param>
    public ChaosProxy(Func<int?> target)
    {
        _target = target;
        _listener.Start(512);
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _loop = TakeAsync();
    }

    public int Port { get; }

    /// <summary>Whether connections are closed as they come, as if no server were there.</summary>
    public bool Refuses { get; set; }

    /// <summary>The delay of each answer.</summary>
    public TimeSpan Delay { get; set; }

    /// <summary>Ends every connection at once.</summary>
    public void Cut()
    {
        foreach (var socket in _open.Keys)
            Close(socket);
    }

    /// <summary>Loses this many of the next answers. The requests are carried out, and their connections end.</summary>
    public void LoseAnswers(int count) => Interlocked.Exchange(ref _answersToLose, count);

    public void Heal()
    {
        Refuses = false;
        Delay = TimeSpan.Zero;
        LoseAnswers(0);
    }

    public async ValueTask DisposeAsync()
    {
        await _closing.CancelAsync();
        _listener.Stop();
        Cut();
        await _loop;
        _closing.Dispose();
    }

    private async Task TakeAsync()
    {
        while (!_closing.IsCancellationRequested)
        {
            Socket client;
            try
            {
                client = await _listener.AcceptSocketAsync(_closing.Token);
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
            {
                return;
            }

            _ = CarryAsync(client);
        }
    }

    private async Task CarryAsync(Socket client)
    {
        _open[client] = true;
        Socket? server = null;
        try
        {
            if (Refuses || _target() is not { } port)
                return;
            server = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            _open[server] = true;
            client.NoDelay = true;
            await server.ConnectAsync(IPAddress.Loopback, port, _closing.Token);
            await Task.WhenAny(PumpAsync(client, server, answers: false), PumpAsync(server, client, answers: true));
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // The other side has ended, so this connection ends too.
        }
        finally
        {
            Close(client);
            if (server is not null)
                Close(server);
        }
    }

    private async Task PumpAsync(Socket from, Socket to, bool answers)
    {
        var buffer = new byte[32 * 1024];
        try
        {
            int read;
            while ((read = await from.ReceiveAsync(buffer)) > 0)
            {
                if (answers)
                {
                    if (Volatile.Read(ref _answersToLose) > 0 && Interlocked.Decrement(ref _answersToLose) >= 0)
                        return;
                    if (Delay > TimeSpan.Zero)
                        await Task.Delay(Delay);
                }

                for (var sent = 0; sent < read;)
                    sent += await to.SendAsync(buffer.AsMemory(sent, read - sent));
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The connection was cut.
        }
    }

    // A reset, so that the other end notices at once.
    private void Close(Socket socket)
    {
        if (!_open.TryRemove(socket, out _))
            return;
        try
        {
            socket.LingerState = new LingerOption(true, 0);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The socket is closed already.
        }

        socket.Dispose();
    }
}
