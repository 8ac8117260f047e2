using Azure;
using Azure.Storage.Queues;

namespace Payments.Domain.Messaging;

/// <summary>
/// Sends to Storage queues, in base64 as the queue trigger expects. The queues have no batches, so several sends run in parallel.
/// </summary>
public sealed class StorageQueueMessageSender(QueueServiceClient service, TimeProvider time) : IMessageSender
{
    private const int Parallel = 16;

    public async Task<IReadOnlyList<string?>> SendAsync(string queue, IReadOnlyList<MessageEnvelope> messages, CancellationToken ct)
    {
        var client = service.GetQueueClient(queue);
        var errors = new string?[messages.Count];
        await System.Threading.Tasks.Parallel.ForAsync(0, messages.Count, new ParallelOptions { MaxDegreeOfParallelism = Parallel, CancellationToken = ct }, async (i, token) =>
        {
            try
            {
                errors[i] = await SendAsync(client, messages[i], token);
            }
            catch (Exception e) when (e is RequestFailedException or AggregateException or IOException)
            {
                errors[i] = e.Message;
            }
        });
        return errors;
    }

    private async Task<string?> SendAsync(QueueClient client, MessageEnvelope message, CancellationToken ct)
    {
        var text = Convert.ToBase64String(message.ToUtf8().Span);
        var forever = TimeSpan.FromSeconds(-1);
        // A queue hides a message in whole seconds, and for at most seven days. Retries need far less, and the outbox keeps messages with
        // longer delays.
        TimeSpan? hidden = message.NotBefore - time.GetUtcNow() is { } wait && wait > TimeSpan.Zero ? TimeSpan.FromSeconds(Math.Ceiling(wait.TotalSeconds)) : null;
        try
        {
            await client.SendMessageAsync(text, hidden, timeToLive: forever, ct);
        }
        catch (RequestFailedException e) when (e.ErrorCode == "QueueNotFound")
        {
            await client.CreateIfNotExistsAsync(cancellationToken: ct);
            await client.SendMessageAsync(text, hidden, timeToLive: forever, ct);
        }

        return null;
    }
}
