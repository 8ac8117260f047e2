using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Payments.Faults;

/// <summary>
/// A cable that can be pulled: it carries TCP to one of several servers, and on the way delays it, refuses it, cuts it, or loses the answers while the requests get through.
/// </summary>
internal sealed class ChaosProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly Func<int?> _target;
    private readonly ConcurrentDictionary<Socket, bool> _open = new();
    private readonly CancellationTokenSource _closing = new();
    private readonly Task _loop;
    private int _answersToLose;

    /// <param name="target">The port of the server for the next connection; null refuses it.</param>
    public ChaosProxy(Func<int?> target)
    {
        _target = target;
        _listener.Start(512);
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _loop = TakeAsync();
    }

    public int Port { get; }

    /// <summary>Nobody is there: connections are closed as they come.</summary>
    public bool Refuses { get; set; }

    /// <summary>How much later an answer arrives.</summary>
    public TimeSpan Delay { get; set; }

    /// <summary>Ends every connection where it is.</summary>
    public void Cut()
    {
        foreach (var socket in _open.Keys)
            Close(socket);
    }

    /// <summary>The next so many answers do not arrive, though what they answer was done: their connections end instead.</summary>
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
            // The other side is gone; so is this connection.
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
            // Cut.
        }
    }

    // A reset, not a goodbye: whoever is at the other end learns at once.
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
            // It is closed already.
        }

        socket.Dispose();
    }
}
