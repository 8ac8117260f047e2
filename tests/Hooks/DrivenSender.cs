using Microsoft.Extensions.DependencyInjection;
using Payments.Domain.Messaging;

namespace Payments.TestHooks;

/// <summary>
/// Sends messages to a broker that runs on the system clock. A message that is hidden until a driven time is hidden for the same duration
/// from now, at most two seconds.
/// </summary>
internal sealed class DrivenSender(IServiceProvider services, IMessageSender sender) : IMessageSender
{
    private static readonly TimeSpan LongestHidden = TimeSpan.FromSeconds(2);

    private readonly TimeProvider _driven = services.GetRequiredService<TimeProvider>();

    // The same sender on the broker's clock.
    private readonly IMessageSender _sender = (IMessageSender)ActivatorUtilities.CreateInstance(new SystemClock(services), sender.GetType());

    public TimeSpan Ahead => _sender.Ahead;

    public Task<IReadOnlyList<string?>> SendAsync(string queue, IReadOnlyList<MessageEnvelope> messages, CancellationToken ct) =>
        _sender.SendAsync(queue, [.. messages.Select(message => message.NotBefore is { } until ? message with { NotBefore = ForBroker(until) } : message)], ct);

    private DateTimeOffset ForBroker(DateTimeOffset until)
    {
        var hidden = until - _driven.GetUtcNow();
        return TimeProvider.System.GetUtcNow() + (hidden < LongestHidden ? hidden : LongestHidden);
    }

    private sealed class SystemClock(IServiceProvider services) : IServiceProvider
    {
        public object? GetService(Type serviceType) => serviceType == typeof(TimeProvider) ? TimeProvider.System : services.GetService(serviceType);
    }
}
