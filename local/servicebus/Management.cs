using Microsoft.Azure.Amqp;
using Microsoft.Azure.Amqp.Encoding;

namespace Payments.Local.ServiceBus;

/// <summary>The operations of an entity's management node: the maps of the protocol on one side, the entity on the other.</summary>
internal static class Management
{
    public static Reply Handle(Entity entity, AmqpMessage request)
    {
        var operation = (string)request.ApplicationProperties.Map["operation"];
        var body = (AmqpMap)request.ValueBody.Value;
        return operation switch
        {
            "com.microsoft:renew-lock" => Reply.Ok(Map("expirations", entity.RenewLocks(body.Get<Guid[]>("lock-tokens")))),
            "com.microsoft:update-disposition" => UpdateDisposition(entity, body),
            "com.microsoft:receive-by-sequence-number" => ReceiveDeferred(entity, body),
            "com.microsoft:peek-message" => Peek(entity, body),
            "com.microsoft:schedule-message" => Schedule(entity, body),
            "com.microsoft:cancel-scheduled-message" => Cancel(entity, body),
            "com.microsoft:batch-delete-messages" => Reply.Ok(Map("message-count",
                entity.DeleteReady(body.Get<DateTime>("enqueued-time-utc"), body.Get<int>("message-count")))),
            "com.microsoft:renew-session-lock" => Reply.Ok(Map("expiration", entity.RenewSession(body.Get<string>("session-id")))),
            "com.microsoft:get-session-state" => Reply.Ok(Map("session-state",
                entity.GetSessionState(body.Get<string>("session-id")) is { } state ? (object)new ArraySegment<byte>(state) : null)),
            "com.microsoft:set-session-state" => SetSessionState(entity, body),
            _ => throw BusErrors.NotImplemented($"The double does not know the operation '{operation}'."),
        };
    }

    private static Reply UpdateDisposition(Entity entity, AmqpMap body)
    {
        // "defered" is spelled like this on the wire.
        var settlement = body.Get<string>("disposition-status") switch
        {
            "completed" => Settlement.Complete,
            "abandoned" => Settlement.Abandon,
            "defered" => Settlement.Defer,
            "suspended" => Settlement.DeadLetter,
            var other => throw BusErrors.NotImplemented($"The double does not know the disposition '{other}'."),
        };
        var properties = Entity.DeadLetterProperties(body.Find<string>("deadletter-reason"), body.Find<string>("deadletter-description"));
        foreach (var (name, value) in body.Find<AmqpMap>("properties-to-modify") ?? [])
            properties[name.ToString()!] = value;
        return entity.TrySettle(body.Get<Guid[]>("lock-tokens"), settlement, properties)
            ? Reply.Ok()
            : throw BusErrors.MessageLockLost();
    }

    private static Reply ReceiveDeferred(Entity entity, AmqpMap body)
    {
        var received = entity.ReceiveDeferred(body.Get<long[]>("sequence-numbers"), body.Get<uint>("receiver-settle-mode") == 1);
        return Reply.Ok(Map("messages", received.ConvertAll(item =>
        {
            var entry = Map("message", new ArraySegment<byte>(item.Message));
            entry[new MapKey("lock-token")] = item.LockToken;
            return entry;
        })));
    }

    private static Reply Peek(Entity entity, AmqpMap body)
    {
        var peeked = entity.Peek(body.Get<long>("from-sequence-number"), body.Get<int>("message-count"), body.Find<string>("session-id"));
        return peeked.Count == 0
            ? new Reply(204, "No messages")
            : Reply.Ok(Map("messages", peeked.ConvertAll(message => Map("message", new ArraySegment<byte>(message)))));
    }

    private static Reply Schedule(Entity entity, AmqpMap body)
    {
        var messages = body.Get<IEnumerable<object>>("messages")
            .Select(entry => ((AmqpMap)entry).Get<ArraySegment<byte>>("message").ToArray()).ToList();
        return Reply.Ok(Map("sequence-numbers", entity.Enqueue(messages)));
    }

    private static Reply Cancel(Entity entity, AmqpMap body)
    {
        entity.CancelScheduled(body.Get<long[]>("sequence-numbers"));
        return Reply.Ok();
    }

    private static Reply SetSessionState(Entity entity, AmqpMap body)
    {
        byte[]? state = body.Find<object>("session-state") is ArraySegment<byte> bytes ? bytes.ToArray() : null;
        entity.SetSessionState(body.Get<string>("session-id"), state);
        return Reply.Ok();
    }

    private static AmqpMap Map(string name, object? value) => new() { [new MapKey(name)] = value! };

    private static T Get<T>(this AmqpMap map, string name) => (T)map[new MapKey(name)];

    private static T? Find<T>(this AmqpMap map, string name)
        where T : class => map.TryGetValue<T>(new MapKey(name), out var value) ? value : null;
}
