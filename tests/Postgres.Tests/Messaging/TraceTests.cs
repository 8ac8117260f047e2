using System.Collections.Concurrent;
using System.Diagnostics;
using Dapper;
using Microsoft.Extensions.Logging.Abstractions;
using Payments.Domain;
using Payments.Domain.Database;
using Payments.Domain.Messaging;
using Payments.Domain.Secrets;
using Payments.Domain.Webhooks;
using Payments.Domain.Webhooks.Outbound;
using Payments.Postgres.Tests.Webhooks;
using EventLog = Payments.Domain.Messaging.EventLog;

namespace Payments.Postgres.Tests.Messaging;

/// <summary>One trace runs from a request, over the outbox and the queue, to the merchant's endpoint.</summary>
public sealed class TraceTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    private static readonly DateTimeOffset Now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public async Task Event_OfARequest_IsDeliveredInTheRequestsTrace()
    {
        using var source = new ActivitySource("Payments.Tests.Traces");
        var ended = new ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = activities => activities.Name.StartsWith("Payments.", StringComparison.Ordinal),
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = ended.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
        await using var sink = await Sink.StartAsync();
        var merchant = PrefixedId.New<MerchantId>(Now);
        var secrets = new SecretBox(new Dictionary<string, byte[]> { ["k"] = new byte[32] }, "k");
        await EndpointAsync(merchant, sink.Address, secrets);

        ActivityTraceId trace;
        using (var request = source.StartActivity("POST /v1/charges", ActivityKind.Server)!)
        {
            trace = request.TraceId;
            await using var connection = await database.App.OpenConnectionAsync();
            await using var transaction = await connection.BeginTransactionAsync();
            await EventLog.AppendAsync(
                connection, transaction, [new DomainEvent(PrefixedId.New<EventId>(Now), merchant, "charge.captured", "charge", Guid.CreateVersion7(Now), "{}", Now)], default);
            await transaction.CommitAsync();
        }

        var time = new TestTime(Now);
        var sender = new MemorySender();
        await new OutboxRelay(database.App, sender, time, NullLogger<OutboxRelay>.Instance).RelayAsync(default);
        var signal = new WebhookSignal();
        await using var fanOut = new FanOutEvent(database.App, signal, time);
        var letters = new DeadLetters(database.App, new OutboxSignal(), time, NullLogger<DeadLetters>.Instance);
        var messages = new MessageDispatcher(database.App, [fanOut], letters, time, NullLogger<MessageDispatcher>.Instance);
        foreach (var (queue, message) in sender.Sent)
            await messages.DispatchAsync(queue, message.ToUtf8(), default);
        var options = new WebhookOptions { AllowLoopback = true };
        using var http = new WebhookHttp(options);
        var disable = new DisableEndpoint(database.App, new OutboxSignal(), time, NullLogger<DisableEndpoint>.Instance);
        await using (var dispatcher = new WebhookDispatcher(database.App, http, secrets, disable, signal, options, time, NullLogger<WebhookDispatcher>.Instance))
            await dispatcher.DispatchDueAsync(default);

        Assert.Single(sink.Got);
        var processed = Assert.Single(ended, activity => activity.OperationName == "process event.created" && activity.TraceId == trace);
        var delivered = Assert.Single(ended, activity => activity.OperationName == "deliver webhook" && activity.TraceId == trace);
        Assert.Equal(processed.SpanId, delivered.ParentSpanId);
    }

    [Fact]
    public async Task GroupCommit_MadeDuringARequest_DoesNotCarryItsTraceIntoLaterBatches()
    {
        using var request = new Activity("the first request").Start();
        await using var commits = new GroupCommit<int, string?>(
            "traces", database.App, (_, _, items, _) => ValueTask.FromResult<IReadOnlyList<string?>>([.. items.Select(_ => Activity.Current?.Id)]), new GroupCommitOptions(), TimeProvider.System);

        Assert.Null(await commits.SubmitAsync(1, default));

        // This caller finds itself alone, and so runs its batch itself: still not in its own trace.
        Assert.Null(await commits.SubmitAsync(2, default));
        Assert.Same(request, Activity.Current);
    }

    private async Task EndpointAsync(MerchantId merchant, string address, SecretBox secrets)
    {
        var id = PrefixedId.New<WebhookEndpointId>(Now);
        var secret = secrets.Seal(System.Text.Encoding.UTF8.GetBytes(StandardWebhooks.NewSecret()), $"webhook_endpoint:{id}");
        await using var connection = await database.App.OpenConnectionAsync();
        await connection.ExecuteAsync(
            """
            INSERT INTO payments.webhook_endpoints (bucket, merchant_id, id, url, event_types, api_version, status, secret, created_at,
                updated_at)
            VALUES (payments.bucket_of(@merchant), @merchant, @id, @address, ARRAY['*'], '1', 'enabled', @secret, @now, @now)
            """,
            new { merchant = merchant.Value, id = id.Value, address, secret, now = Now });
    }
}
