using System.Collections.Concurrent;
using Payments.Domain.Messaging;

namespace Payments.Postgres.Tests.Messaging;

/// <summary>A transport in memory that can lose the connection before or after it took a message.</summary>
internal sealed class MemorySender : IMessageSender
{
    public ConcurrentQueue<(string Queue, MessageEnvelope Message)> Sent { get; } = new();

    /// <summary>Answers the error of a message, or null to take it.</summary>
    public Func<MessageEnvelope, string?> Fault { get; set; } = _ => null;

    /// <summary>Called after the messages were taken, as a crash would come.</summary>
    public Action AfterSend { get; set; } = () => { };

    public Task<IReadOnlyList<string?>> SendAsync(string queue, IReadOnlyList<MessageEnvelope> messages, CancellationToken ct)
    {
        var errors = messages.Select(Fault).ToArray();
        for (var i = 0; i < messages.Count; i++)
        {
            if (errors[i] is null)
                Sent.Enqueue((queue, messages[i]));
        }

        AfterSend();
        return Task.FromResult<IReadOnlyList<string?>>(errors);
    }
}
