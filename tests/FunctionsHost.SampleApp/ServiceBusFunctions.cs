using Azure.Messaging.ServiceBus;
using Microsoft.Azure.Functions.Worker;

namespace FunctionsHost.SampleApp;

/// <summary>Functions that messages of Service Bus start.</summary>
public sealed class ServiceBusFunctions(Journal journal)
{
    [Function("Bus")]
    public Task One(
        [ServiceBusTrigger("payments", Connection = "Bus")] ServiceBusReceivedMessage message, FunctionContext context,
        CancellationToken cancellation) =>
        journal.TakeAsync($"{message.Body} {message.DeliveryCount}", context, cancellation);

    [Function("BusText")]
    public Task Text(
        [ServiceBusTrigger("payments", Connection = "Bus", AutoCompleteMessages = false)] string text,
        FunctionContext context, CancellationToken cancellation) =>
        journal.TakeAsync(text, context, cancellation);

    [Function("BusDeadLetters")]
    public Task DeadLetters(
        [ServiceBusTrigger("payments/$deadletterqueue", Connection = "Bus")] ServiceBusReceivedMessage message,
        FunctionContext context, CancellationToken cancellation) =>
        journal.TakeAsync($"{message.Body} {message.DeadLetterReason}", context, cancellation);

    /// <summary>Does with a message what its body says.</summary>
    [Function("BusSettles")]
    public async Task Settles(
        [ServiceBusTrigger("payments", Connection = "Bus")] ServiceBusReceivedMessage message, ServiceBusMessageActions actions,
        FunctionContext context, CancellationToken cancellation)
    {
        await journal.TakeAsync($"{message.Body} {message.DeliveryCount}", context, cancellation);
        var properties = new Dictionary<string, object> { ["colour"] = "red", ["at"] = DateTimeOffset.UnixEpoch, ["count"] = 3 };
        switch (message.Body.ToString())
        {
            case "complete":
                await actions.CompleteMessageAsync(message, cancellation);
                break;
            case "abandon" when message.DeliveryCount == 1:
                await actions.AbandonMessageAsync(message, properties, cancellation);
                break;
            case "defer":
                await actions.DeferMessageAsync(message, properties, cancellation);
                break;
            case "dead-letter":
                await actions.DeadLetterMessageAsync(message, properties, "why", "because", cancellation);
                break;
            case "renew":
                await actions.RenewMessageLockAsync(message, cancellation);
                break;
            case "twice" when message.DeliveryCount == 1:
                await actions.AbandonMessageAsync(message, cancellationToken: cancellation);
                await actions.CompleteMessageAsync(message, cancellation);
                break;
        }
    }

    /// <summary>Settles one message of each batch by itself, and leaves the others to the host.</summary>
    [Function("BusBatch")]
    public async Task Batch(
        [ServiceBusTrigger("payments", Connection = "Bus", IsBatched = true)] ServiceBusReceivedMessage[] messages,
        ServiceBusMessageActions actions, FunctionContext context, CancellationToken cancellation)
    {
        foreach (var message in messages.Where(message => message.Body.ToString() == "dead-letter"))
            await actions.DeadLetterMessageAsync(message, deadLetterReason: "why", cancellationToken: cancellation);
        await journal.TakeAsync(string.Join(',', messages.Select(message => message.Body.ToString())), context, cancellation);
    }

    [Function("BusSession")]
    public async Task Session(
        [ServiceBusTrigger("payments", Connection = "Bus", IsSessionsEnabled = true)] ServiceBusReceivedMessage message,
        ServiceBusSessionMessageActions session, FunctionContext context, CancellationToken cancellation)
    {
        var state = await session.GetSessionStateAsync(cancellation);
        await session.SetSessionStateAsync(message.Body, cancellation);
        await session.RenewSessionLockAsync(cancellation);
        await journal.TakeAsync(
            $"{message.SessionId} {message.Body} state:{state} locked:{session.SessionLockedUntil > message.EnqueuedTime}", context,
            cancellation);
    }

    [Function("BusTopic")]
    public Task Topic(
        [ServiceBusTrigger("topic", "sub", Connection = "Bus")] string text, FunctionContext context, CancellationToken cancellation) =>
        journal.TakeAsync(text, context, cancellation);
}
