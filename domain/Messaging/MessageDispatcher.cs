using System.Diagnostics;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Payments.Domain.Messaging;

/// <summary>
/// Passes a message from a queue to its handler, in the same way for every transport. If it returns, the transport may settle the message.
/// If it throws, the transport must deliver the message again.
/// </summary>
public sealed class MessageDispatcher(
    NpgsqlDataSource dataSource, IEnumerable<IMessageHandler> handlers, DeadLetters deadLetters, TimeProvider time, ILogger<MessageDispatcher> logger)
{
    private static readonly TimeSpan PutBackFor = TimeSpan.FromMinutes(1);

    // By then a deployment that reads the new version should be complete.
    private static readonly TimeSpan PutBackAtMost = TimeSpan.FromHours(24);

    private readonly Dictionary<(string Queue, string Type), IMessageHandler> _handlers = handlers.ToDictionary(handler => (handler.Queue, handler.Type));

    /// <summary>
    /// How many messages of a queue may be handled in parallel. The handler with the lowest limit decides, because a batch may mix types.
    /// </summary>
    internal int ConcurrencyOf(string queue) => _handlers.Values.Where(handler => handler.Queue == queue).Select(handler => handler.Concurrency).DefaultIfEmpty(1).Min();

    /// <param name="raw">The message's text in UTF-8, decoded from base64 if the transport encodes it.</param>
    public async Task DispatchAsync(string queue, ReadOnlyMemory<byte> raw, CancellationToken ct)
    {
        if (MessageEnvelope.Parse(raw.Span) is not { } envelope)
        {
            await deadLetters.KeepAsync(queue, raw, "It is no message of this application.", ct);
            MessagingMetrics.Handled(queue, "unknown", "dead");
            return;
        }

        if (!_handlers.TryGetValue((queue, envelope.Type), out var handler) || envelope.Version > handler.Version)
        {
            await PutBackAsync(queue, envelope, raw, ct);
            return;
        }

        var body = envelope.Body ?? await ReadBodyAsync(envelope.Id, ct);
        if (body is not { } present)
        {
            await deadLetters.KeepAsync(queue, raw, "Its body is no longer kept.", ct);
            MessagingMetrics.Handled(queue, envelope.Type, "dead");
            return;
        }

        // The writer's trace continues. The current invocation, which carries the message, is linked.
        _ = ActivityContext.TryParse(envelope.Traceparent, null, isRemote: true, out var parent);
        ActivityLink[] links = Activity.Current is { } invocation ? [new ActivityLink(invocation.Context)] : [];
        using var activity = MessagingMetrics.Activities.StartActivity($"process {envelope.Type}", ActivityKind.Consumer, parent, links: links);
        activity?.SetTag("messaging.destination.name", queue);
        activity?.SetTag("messaging.message.id", envelope.Id.ToString("N"));
        try
        {
            var message = new Message(envelope.Id, envelope.Type, envelope.Version, present, envelope.CreatedAt) { TraceParent = activity?.Id ?? envelope.Traceparent };
            await handler.HandleAsync(message, ct);
            MessagingMetrics.Handled(queue, envelope.Type, "handled");
        }
        catch (Exception e)
        {
            activity?.SetStatus(ActivityStatusCode.Error, e.Message);
            MessagingMetrics.Handled(queue, envelope.Type, "failed");
            throw;
        }
    }

    private async Task PutBackAsync(string queue, MessageEnvelope envelope, ReadOnlyMemory<byte> raw, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        if (now - envelope.CreatedAt > PutBackAtMost || envelope.PutBack == short.MaxValue)
        {
            await deadLetters.KeepAsync(queue, raw, $"No code reads version {envelope.Version} of '{envelope.Type}'.", ct);
            MessagingMetrics.Handled(queue, envelope.Type, "dead");
            return;
        }

        MessagingLog.VersionTooNew(logger, envelope.Id, queue, envelope.Type, envelope.Version);
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        await Outbox.PutBackAsync(connection, null, queue, envelope, now + PutBackFor, ct);
        MessagingMetrics.Handled(queue, envelope.Type, "put_back");
    }

    private async Task<JsonElement?> ReadBodyAsync(Guid id, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(MessagingSql.ReadBody);
        command.Parameters.Add(SqlParameters.Uuid(id));
        return await command.ExecuteScalarAsync(ct) is string text ? JsonElement.Parse(text) : null;
    }
}
