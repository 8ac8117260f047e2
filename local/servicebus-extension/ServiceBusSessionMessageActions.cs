using System.Text.Json;
using Google.Protobuf;
using Microsoft.Azure.Functions.Worker.Converters;
using Microsoft.Azure.Functions.Worker.Extensions.Abstractions;
using Microsoft.Azure.ServiceBus.Grpc;

namespace Microsoft.Azure.Functions.Worker;

/// <summary>The state and the lock of the session that the messages of this call belong to.</summary>
[InputConverter(typeof(ServiceBusSessionMessageActionsConverter))]
public class ServiceBusSessionMessageActions
{
    private readonly Settlement.SettlementClient _settlement;
    private readonly string _sessionId;

    internal ServiceBusSessionMessageActions(Settlement.SettlementClient settlement, string sessionId, DateTimeOffset sessionLockedUntil) =>
        (_settlement, _sessionId, SessionLockedUntil) = (settlement, sessionId, sessionLockedUntil);

    /// <summary>For a test's replacement, which overrides what it needs.</summary>
    protected ServiceBusSessionMessageActions() => (_settlement, _sessionId) = (null!, null!);

    /// <summary>When the lock ends unless it is renewed.</summary>
    public virtual DateTimeOffset SessionLockedUntil { get; protected set; }

    /// <summary>Empty for a session without state.</summary>
    public virtual async Task<BinaryData> GetSessionStateAsync(CancellationToken cancellationToken = default)
    {
        var response = await _settlement.GetSessionStateAsync(new() { SessionId = _sessionId }, cancellationToken: cancellationToken);
        return new(response.SessionState.Memory);
    }

    /// <summary>Replaces the state.</summary>
    public virtual async Task SetSessionStateAsync(BinaryData sessionState, CancellationToken cancellationToken = default)
    {
        var request = new SetSessionStateRequest { SessionId = _sessionId, SessionState = ByteString.CopyFrom(sessionState.ToMemory().Span) };
        await _settlement.SetSessionStateAsync(request, cancellationToken: cancellationToken);
    }

    /// <summary>Lets the host close the session after this call, even if it holds more messages.</summary>
    public virtual async Task ReleaseSession(CancellationToken cancellationToken = default) =>
        await _settlement.ReleaseSessionAsync(new() { SessionId = _sessionId }, cancellationToken: cancellationToken);

    /// <summary>Extends the lock by the queue's lock duration.</summary>
    public virtual async Task RenewSessionLockAsync(CancellationToken cancellationToken = default)
    {
        var response = await _settlement.RenewSessionLockAsync(new() { SessionId = _sessionId }, cancellationToken: cancellationToken);
        SessionLockedUntil = response.LockedUntil.ToDateTimeOffset();
    }
}

[SupportsDeferredBinding]
[SupportedTargetType(typeof(ServiceBusSessionMessageActions))]
internal sealed class ServiceBusSessionMessageActionsConverter(Settlement.SettlementClient settlement) : IInputConverter
{
    public ValueTask<ConversionResult> ConvertAsync(ConverterContext context)
    {
        try
        {
            var data = context.FunctionContext.BindingContext.BindingData;
            // All messages of a batch belong to one session.
            var sessionId = data.GetValueOrDefault("SessionId") as string ?? (data.GetValueOrDefault("SessionIdArray") as IList<string>)?.FirstOrDefault()
                ?? throw new InvalidOperationException("The host sent no SessionId. ServiceBusSessionMessageActions needs a trigger with IsSessionsEnabled.");
            var session = data.GetValueOrDefault("SessionActions")?.ToString() ?? throw new InvalidOperationException("The host sent no SessionActions.");
            using var json = JsonDocument.Parse(session);
            var lockedUntil = json.RootElement.GetProperty("SessionLockedUntil").GetDateTimeOffset();
            return new(ConversionResult.Success(new ServiceBusSessionMessageActions(settlement, sessionId, lockedUntil)));
        }
        catch (Exception e)
        {
            return new(ConversionResult.Failed(e));
        }
    }
}
