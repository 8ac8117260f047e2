using System.Collections.Concurrent;
using Azure.Messaging.ServiceBus;
using FunctionsHost.Protocol;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.Azure.Amqp;
using Microsoft.Azure.Amqp.Encoding;

namespace FunctionsHost.ServiceBus;

/// <summary>Settles a message that a function has.</summary>
internal interface IMessageSettler
{
    Task CompleteAsync(ServiceBusReceivedMessage message, CancellationToken cancellation);

    Task AbandonAsync(ServiceBusReceivedMessage message, IDictionary<string, object>? properties, CancellationToken cancellation);

    Task DeadLetterAsync(
        ServiceBusReceivedMessage message,
        Dictionary<string, object> properties,
        string? reason,
        string? description,
        CancellationToken cancellation);

    Task DeferAsync(ServiceBusReceivedMessage message, IDictionary<string, object>? properties, CancellationToken cancellation);

    Task RenewLockAsync(ServiceBusReceivedMessage message, CancellationToken cancellation);
}

/// <summary>Handles the session that a function's messages came from.</summary>
internal interface ISessionActions
{
    DateTimeOffset LockedUntil { get; }

    Task<BinaryData> GetStateAsync(CancellationToken cancellation);

    Task SetStateAsync(BinaryData state, CancellationToken cancellation);

    void Release();

    Task RenewLockAsync(CancellationToken cancellation);
}

/// <summary>The messages and sessions that functions have now, by lock token and by session id.</summary>
internal sealed class MessagesInWork
{
    private readonly ConcurrentDictionary<string, (
        ServiceBusReceivedMessage Message, IMessageSettler Settler)> _messages = new(StringComparer.OrdinalIgnoreCase);
    private readonly ConcurrentDictionary<string, ISessionActions> _sessions = new(StringComparer.Ordinal);

    public void Add(IReadOnlyList<ServiceBusReceivedMessage> messages, IMessageSettler settler, ISessionActions? session)
    {
        foreach (var message in messages)
            _messages[message.LockToken] = (message, settler);
        if (session is not null)
            _sessions[messages[0].SessionId] = session;
    }

    public void Remove(IReadOnlyList<ServiceBusReceivedMessage> messages, ISessionActions? session)
    {
        foreach (var message in messages)
            _messages.TryRemove(message.LockToken, out _);
        if (session is not null)
            _sessions.TryRemove(KeyValuePair.Create(messages[0].SessionId, session));
    }

    public (
        ServiceBusReceivedMessage Message,
        IMessageSettler Settler) Message(string lockToken) => _messages.TryGetValue(lockToken, out var found)
        ? found
        : throw new Grpc.Core.RpcException(
            new Status(StatusCode.FailedPrecondition, $"No function has a message with the lock token {lockToken} now."));

    public ISessionActions Session(string sessionId) => _sessions.TryGetValue(sessionId, out var found)
        ? found
        : throw new Grpc.Core.RpcException(
            new Status(StatusCode.FailedPrecondition, $"No function has a message of the session '{sessionId}' now."));
}

/// <summary>The endpoint that Service Bus functions settle their messages at.</summary>
internal sealed class SettlementService(MessagesInWork work) : Settlement.SettlementBase
{
    private static readonly Empty Nothing = new();

    public override Task<Empty> Complete(CompleteRequest request, ServerCallContext context)
    {
        var (message, settler) = work.Message(request.Locktoken);
        return AnswerAsync(settler.CompleteAsync(message, context.CancellationToken));
    }

    public override Task<Empty> Abandon(AbandonRequest request, ServerCallContext context)
    {
        var (message, settler) = work.Message(request.Locktoken);
        return AnswerAsync(settler.AbandonAsync(message, Decode(request.PropertiesToModify), context.CancellationToken));
    }

    public override Task<Empty> Deadletter(DeadletterRequest request, ServerCallContext context)
    {
        var (message, settler) = work.Message(request.Locktoken);
        return AnswerAsync(settler.DeadLetterAsync(
            message, Decode(request.PropertiesToModify)
                ?? [], request.DeadletterReason, request.DeadletterErrorDescription, context.CancellationToken));
    }

    public override Task<Empty> Defer(DeferRequest request, ServerCallContext context)
    {
        var (message, settler) = work.Message(request.Locktoken);
        return AnswerAsync(settler.DeferAsync(message, Decode(request.PropertiesToModify), context.CancellationToken));
    }

    public override Task<Empty> RenewMessageLock(RenewMessageLockRequest request, ServerCallContext context)
    {
        var (message, settler) = work.Message(request.Locktoken);
        return AnswerAsync(settler.RenewLockAsync(message, context.CancellationToken));
    }

    public override async Task<GetSessionStateResponse> GetSessionState(GetSessionStateRequest request, ServerCallContext context)
    {
        var state = await TellingAsync(work.Session(request.SessionId).GetStateAsync(context.CancellationToken));
        return new GetSessionStateResponse { SessionState = state is null ? ByteString.Empty : ByteString.CopyFrom(state.ToMemory().Span) };
    }

    public override Task<Empty> SetSessionState(SetSessionStateRequest request, ServerCallContext context) =>
        AnswerAsync(work.Session(request.SessionId).SetStateAsync(new BinaryData(request.SessionState.Memory), context.CancellationToken));

    public override Task<Empty> ReleaseSession(ReleaseSessionRequest request, ServerCallContext context)
    {
        work.Session(request.SessionId).Release();
        return Task.FromResult(Nothing);
    }

    public override async Task<RenewSessionLockResponse> RenewSessionLock(RenewSessionLockRequest request, ServerCallContext context)
    {
        var session = work.Session(request.SessionId);
        await AnswerAsync(session.RenewLockAsync(context.CancellationToken));
        return new RenewSessionLockResponse { LockedUntil = session.LockedUntil.ToTimestamp() };
    }

    private static async Task<Empty> AnswerAsync(Task settling)
    {
        await TellingAsync(Wait(settling));
        return Nothing;

        static async Task<bool> Wait(Task task)
        {
            await task;
            return true;
        }
    }

    /// <summary>Tells the function why: as an exception of the client it would arrive without a reason.</summary>
    private static async Task<T> TellingAsync<T>(Task<T> calling)
    {
        try
        {
            return await calling;
        }
        catch (ServiceBusException e)
        {
            throw new Grpc.Core.RpcException(new Status(StatusCode.Unknown, $"{e.Reason}: {e.Message}"));
        }
    }

    /// <summary>Properties travel as an AMQP map.</summary>
    private static Dictionary<string, object>? Decode(ByteString bytes)
    {
        if (bytes.IsEmpty)
            return null;
        var content = bytes.ToByteArray();
        using var buffer = new ByteBuffer(content, 0, content.Length);
        var map = AmqpCodec.DecodeMap(buffer);
        var properties = new Dictionary<string, object>(StringComparer.Ordinal);
        foreach (var (key, value) in map)
            properties[key.Key.ToString()!] = Undescribe(value);
        return properties;
    }

    private static object Undescribe(object value) => value is DescribedType described
        ? described.Descriptor.ToString() switch
        {
            "com.microsoft:uri" => new Uri((string)described.Value),
            "com.microsoft:datetime-offset" => new DateTimeOffset((long)described.Value, TimeSpan.Zero),
            "com.microsoft:timespan" => new TimeSpan((long)described.Value),
            _ => described.Value,
        }
        : value;
}
