using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Database;
using Payments.Domain.Messaging;

namespace Payments.Domain.Webhooks.Outbound;

/// <summary>Creates one delivery of an event for each endpoint that wants it. Handling the event again changes nothing.</summary>
public sealed class FanOutEvent : IMessageHandler, IAsyncDisposable
{
    private readonly WebhookSignal _signal;
    private readonly TimeProvider _time;
    private readonly GroupCommit<Item, bool> _commits;

    public FanOutEvent(NpgsqlDataSource dataSource, WebhookSignal signal, TimeProvider time)
    {
        _signal = signal;
        _time = time;
        _commits = new("webhook-fan-out", dataSource, WriteAsync, new GroupCommitOptions(), time);
    }

    public string Queue => QueueNames.WebhookDeliveries;

    public string Type => "event.created";

    public short Version => 1;

    public int Concurrency => int.MaxValue;

    public async Task HandleAsync(Message message, CancellationToken ct)
    {
        await _commits.SubmitAsync(
            new Item(message.Body.GetProperty("merchant_id").GetGuid(), message.Body.GetProperty("event_id").GetGuid(), message.TraceParent), ct);
        _signal.Set();
    }

    public ValueTask DisposeAsync() => _commits.DisposeAsync();

    private async ValueTask<IReadOnlyList<bool>> WriteAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyList<Item> items, CancellationToken ct)
    {
        var now = _time.GetUtcNow();
        Item[] distinct = [.. items.DistinctBy(item => item.Event)];
        await using var command = new NpgsqlCommand(OutboundSql.FanOut, connection, transaction)
        {
            Parameters =
            {
                SqlParameters.Column(distinct.Select(item => item.Merchant), NpgsqlDbType.Uuid),
                SqlParameters.Column(distinct.Select(item => item.Event), NpgsqlDbType.Uuid),
                SqlParameters.Column(distinct.Select(_ => Guid.CreateVersion7(now)), NpgsqlDbType.Uuid),
                SqlParameters.Time(now),
                SqlParameters.Column(distinct.Select(item => item.TraceParent), NpgsqlDbType.Text),
            },
        };
        await command.ExecuteNonQueryAsync(ct);
        return new bool[items.Count];
    }

    private sealed record Item(Guid Merchant, Guid Event, string? TraceParent);
}
