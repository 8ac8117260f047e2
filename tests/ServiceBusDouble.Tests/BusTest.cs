using Azure.Messaging.ServiceBus;

namespace Payments.Local.ServiceBus.Tests;

/// <summary>One double, one real client and a clock under the test's control.</summary>
public abstract class BusTest : IAsyncLifetime
{
    private protected const string Queue = "payments";
    private protected static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <summary>How long a receive waits that should find nothing. A message that is there is delivered at once.</summary>
    private protected static readonly TimeSpan Empty = TimeSpan.FromMilliseconds(200);

    private protected ManualTime Time { get; } = new();

    private protected ServiceBusDouble Bus { get; private set; } = null!;

    private protected ServiceBusClient Client { get; private set; } = null!;

    private protected static string DeadLetters { get; } = ServiceBusDouble.DeadLetterQueueOf(Queue);

    public ValueTask InitializeAsync()
    {
        Bus = ServiceBusDouble.Start(new ServiceBusDoubleOptions { Time = Time });
        Client = Connect(Bus);
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await Client.DisposeAsync();
        await Bus.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    private protected static ServiceBusClient Connect(ServiceBusDouble bus, int retries = 3) => new(bus.ConnectionString, new ServiceBusClientOptions
    {
        RetryOptions = new ServiceBusRetryOptions
        {
            MaxRetries = retries,
            TryTimeout = TimeSpan.FromSeconds(10),
            Delay = TimeSpan.FromMilliseconds(20),
            Mode = ServiceBusRetryMode.Fixed,
        },
    });

    private protected async Task SendAsync(params IEnumerable<ServiceBusMessage> messages)
    {
        await using var sender = Client.CreateSender(Queue);
        await sender.SendMessagesAsync(messages);
    }

    private protected static async Task<ServiceBusReceivedMessage> ReceiveAsync(ServiceBusReceiver receiver)
    {
        var message = await receiver.ReceiveMessageAsync(Patience);
        Assert.NotNull(message);
        return message;
    }

    private protected static async Task<ServiceBusFailureReason> FailureOfAsync(Func<Task> action) =>
        (await Assert.ThrowsAsync<ServiceBusException>(action)).Reason;

    /// <summary>Polls until the condition holds; fails after a generous deadline.</summary>
    private protected static async Task UntilAsync(Func<bool> condition)
    {
        using var deadline = new CancellationTokenSource(Patience);
        while (!condition())
            await Task.Delay(10, deadline.Token);
    }
}
