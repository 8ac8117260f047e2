using System.Collections.Concurrent;
using System.Globalization;
using Azure.Messaging.ServiceBus;

namespace Payments.Local.ServiceBus.Tests;

public sealed class SessionTests : BusTest
{
    [Fact]
    public async Task Accept_NamedAndNext_IsExclusiveAndOrdered()
    {
        Bus.AddQueue(Queue, new QueueOptions { RequiresSession = true });
        await SendAsync(Message("A", "a1"), Message("B", "b1"), Message("A", "a2"));

        await using var a = await Client.AcceptSessionAsync(Queue, "A");
        Assert.Equal(ServiceBusFailureReason.SessionCannotBeLocked, await FailureOfAsync(() => Client.AcceptSessionAsync(Queue, "A")));
        await using var b = await Client.AcceptNextSessionAsync(Queue);

        Assert.Equal("B", b.SessionId);
        Assert.Equal(Time.GetUtcNow() + TimeSpan.FromSeconds(30), a.SessionLockedUntil);
        foreach (var expected in new[] { "a1", "a2" })
        {
            var message = await ReceiveAsync(a);
            Assert.Equal(expected, message.Body.ToString());
            await a.CompleteMessageAsync(message);
        }
        Assert.Equal(1, Bus.Counts(Queue).Total);
    }

    [Fact]
    public async Task SessionState_SetAndCleared_IsReadBack()
    {
        Bus.AddQueue(Queue, new QueueOptions { RequiresSession = true });
        await using var session = await Client.AcceptSessionAsync(Queue, "A");

        await session.SetSessionStateAsync(new BinaryData("state"));
        Assert.Equal("state", (await session.GetSessionStateAsync()).ToString());
        await session.SetSessionStateAsync(null);

        Assert.Null(await session.GetSessionStateAsync());
    }

    [Fact]
    public async Task SessionLock_RenewedThenExpired_IsLost()
    {
        Bus.AddQueue(Queue, new QueueOptions { RequiresSession = true });
        await SendAsync(Message("A", "x"));
        await using var session = await Client.AcceptSessionAsync(Queue, "A");
        Time.Advance(TimeSpan.FromSeconds(20));
        await session.RenewSessionLockAsync();
        Time.Advance(TimeSpan.FromSeconds(20));
        var message = await ReceiveAsync(session);

        Time.Advance(TimeSpan.FromSeconds(31));

        // The library closes a session whose link has ended. What it throws depends on whether it has seen the end yet.
        var refusal = await Record.ExceptionAsync(() => session.CompleteMessageAsync(message));
        Assert.True(refusal is ServiceBusException { Reason: ServiceBusFailureReason.SessionLockLost } or ObjectDisposedException, $"{refusal}");
        await using var next = await Client.AcceptNextSessionAsync(Queue);
        Assert.Equal("x", (await ReceiveAsync(next)).Body.ToString());
    }

    [Fact]
    public async Task AcceptNext_NoSession_TimesOut()
    {
        Bus.AddQueue(Queue, new QueueOptions { RequiresSession = true });
        await using var client = Connect(Bus, retries: 0);

        var accept = FailureOfAsync(() => client.AcceptNextSessionAsync(Queue));
        while (!accept.IsCompleted)
        {
            Time.Advance(TimeSpan.FromSeconds(1));
            await Task.WhenAny(accept, Task.Delay(20));
        }

        Assert.Equal(ServiceBusFailureReason.ServiceTimeout, await accept);
    }

    [Fact]
    public async Task Send_WithoutSessionId_IsRefused()
    {
        Bus.AddQueue(Queue, new QueueOptions { RequiresSession = true });

        await Assert.ThrowsAnyAsync<Exception>(() => SendAsync(new ServiceBusMessage("x")));

        Assert.Equal(0, Bus.Counts(Queue).Total);
    }

    [Fact]
    public async Task SessionProcessor_ManySessions_KeepsTheOrderOfEach()
    {
        Bus.AddQueue(Queue, new QueueOptions { RequiresSession = true });
        await SendAsync(Enumerable.Range(0, 60).Select(i => Message($"s{i % 6}", $"{i}")));
        var seen = new ConcurrentDictionary<string, ConcurrentQueue<int>>();
        await using var processor = Client.CreateSessionProcessor(Queue, new ServiceBusSessionProcessorOptions
        {
            MaxConcurrentSessions = 6,
            SessionIdleTimeout = TimeSpan.FromMilliseconds(500),
        });
        processor.ProcessMessageAsync += args =>
        {
            seen.GetOrAdd(args.SessionId, _ => []).Enqueue(int.Parse(args.Message.Body.ToString(), CultureInfo.InvariantCulture));
            return Task.CompletedTask;
        };
        processor.ProcessErrorAsync += _ => Task.CompletedTask;

        await processor.StartProcessingAsync();
        await UntilAsync(() => Bus.Counts(Queue).Total == 0);
        await processor.StopProcessingAsync();

        Assert.Equal(6, seen.Count);
        Assert.All(seen.Values, numbers => Assert.Equal(numbers.Order(), numbers));
    }

    private static ServiceBusMessage Message(string session, string body) => new(body) { SessionId = session };
}
