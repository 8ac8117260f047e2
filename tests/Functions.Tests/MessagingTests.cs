using System.Text.Json.Nodes;
using Azure.Messaging.ServiceBus;
using Azure.Storage.Queues;
using Npgsql;

namespace Payments.Functions.Tests;

/// <summary>Messages that the app cannot handle, sent over the transport of the run as another version of it would.</summary>
public sealed class MessagingTests(RunningApp app)
{
    [Theory]
    [InlineData("provider-events")]
    [InlineData("webhook-deliveries")]
    [InlineData("payout-submissions")]
    public async Task Message_ThatIsNone_StandsAmongTheDeadLettersUntilItIsDiscarded(string queue)
    {
        var text = "no message of ours " + RunningApp.NewKey();
        await SendAsync(queue, text);

        var letter = await DeadLetterAsync(queue, letter => letter["raw"]!.GetValue<string>() == text);
        Assert.Equal("It is no message of this application.", letter["reason"]!.GetValue<string>());
        var id = letter["id"]!.GetValue<string>();
        Assert.Equal(404, (await app.PostAsync($"/v1/dead_letters/{id}/replay", app.PlatformKey, new { })).Status);
        Assert.Equal(200, (await app.SendAsync(HttpMethod.Delete, $"/v1/dead_letters/{id}", app.PlatformKey)).Status);
        Assert.Equal(404, (await app.SendAsync(HttpMethod.Delete, $"/v1/dead_letters/{id}", app.PlatformKey)).Status);
        Assert.DoesNotContain(await ListAsync(queue), left => left["id"]!.GetValue<string>() == id);
    }

    [Fact]
    public async Task Message_OfANewerVersion_IsKeptAndCanBeReplayed()
    {
        var now = TimeProvider.System.GetUtcNow();
        var id = Guid.CreateVersion7(now);
        await SendAsync("webhook-deliveries", $$"""{"id":"{{id}}","type":"event.created","version":99,"body":{},"created_at":"{{now.AddDays(-2):O}}"}""");

        var letter = await DeadLetterAsync("webhook-deliveries", letter => letter["message"]?.GetValue<string>() == id.ToString("N"));
        Assert.Equal("No code reads version 99 of 'event.created'.", letter["reason"]!.GetValue<string>());
        Assert.Equal(202, (await app.PostAsync($"/v1/dead_letters/{letter["id"]!.GetValue<string>()}/replay", app.PlatformKey, new { })).Status);

        // It is sent, cannot be read yet, and is put back to wait for code that can: in the outbox, or at a broker that keeps messages for later.
        await RunningApp.EventuallyAsync(() => IsWaitingAsync("webhook-deliveries", id), waiting => waiting, "the message waits to come again");
    }

    [Fact]
    public async Task DeadLetters_MerchantsKey_IsRefused()
    {
        var merchant = await app.CreateMerchantAsync();

        Assert.Equal(403, (await merchant.GetAsync("/v1/dead_letters")).Status);
        Assert.Equal(403, (await app.SendAsync(HttpMethod.Delete, $"/v1/dead_letters/{Guid.CreateVersion7(TimeProvider.System.GetUtcNow()):N}", merchant.Key)).Status);
    }

    private async Task SendAsync(string queue, string text)
    {
        switch (app.Transport)
        {
            case "storage":
                var queues = new QueueServiceClient(
                    app.Storage, new QueueClientOptions { MessageEncoding = QueueMessageEncoding.Base64 });
                var client = queues.GetQueueClient(queue);
                await client.CreateIfNotExistsAsync();
                await client.SendMessageAsync(text);
                break;
            case "servicebus":
                await using (var bus = new ServiceBusClient(app.ServiceBus))
                await using (var sender = bus.CreateSender(queue))
                    await sender.SendMessageAsync(new ServiceBusMessage(text));
                break;
            default:
                Assert.Skip("PAYMENTS_TEST_TRANSPORT names no transport that a test can send to.");
                break;
        }
    }

    private Task<JsonNode> DeadLetterAsync(string queue, Func<JsonNode, bool> wanted) => RunningApp.EventuallyAsync(
        async () => (await ListAsync(queue)).FirstOrDefault(wanted)!, letter => letter is not null, $"a dead letter of {queue}");

    private async Task<JsonNode[]> ListAsync(string queue)
    {
        var answer = await app.GetAsync($"/v1/dead_letters?queue={queue}&limit=100", app.PlatformKey);
        Assert.Equal(200, answer.Status);
        return [.. answer.Json["data"]!.AsArray().Select(letter => letter!)];
    }

    private async Task<bool> IsWaitingAsync(string queue, Guid id)
    {
        if (app.ServiceBus is { Length: > 0 } connection)
        {
            await using var bus = new ServiceBusClient(connection);
            await using var receiver = bus.CreateReceiver(queue);
            return (await receiver.PeekMessagesAsync(250)).Any(message => message.MessageId == $"{id:N}-2" && message.State == ServiceBusMessageState.Scheduled);
        }

        await using var source = NpgsqlDataSource.Create(app.OwnerPostgres);
        await using var command = source.CreateCommand("SELECT count(*) FROM payments.outbox WHERE id = $1 AND put_back = 2");
        command.Parameters.Add(new() { Value = id });
        return await command.ExecuteScalarAsync() is 1L;
    }
}
