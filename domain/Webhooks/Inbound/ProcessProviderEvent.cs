using System.Text.Json;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Database;
using Payments.Domain.Messaging;

namespace Payments.Domain.Webhooks.Inbound;

/// <summary>
/// Processes stored events from their queue: translate, apply, record the outcome. The process may die after any line.
/// Then the event is applied again, which appliers allow, and its outcome is recorded once.
/// </summary>
public sealed class ProcessProviderEvent : IMessageHandler, IAsyncDisposable
{
    private readonly NpgsqlDataSource _dataSource;
    private readonly ILookup<string, INeutralEventMapper> _mappers;
    private readonly IProviderEventApplier[] _appliers;
    private readonly TimeProvider _time;
    private readonly ILogger<ProcessProviderEvent> _logger;
    private readonly GroupCommit<Ending, bool> _endings;

    public ProcessProviderEvent(
        NpgsqlDataSource dataSource,
        IEnumerable<INeutralEventMapper> mappers,
        IEnumerable<IProviderEventApplier> appliers,
        TimeProvider time,
        ILogger<ProcessProviderEvent> logger)
    {
        _dataSource = dataSource;
        _mappers = mappers.ToLookup(mapper => mapper.Provider, StringComparer.Ordinal);
        _appliers = [.. appliers];
        _time = time;
        _logger = logger;
        _endings = new GroupCommit<Ending, bool>("provider-event-results", dataSource, RecordAsync, new GroupCommitOptions(), time);
    }

    public string Queue => QueueNames.ProviderEvents;

    public string Type => "provider_event.received";

    public short Version => 1;

    /// <summary>
    /// How long an event waits for its object after this many attempts: 1 s, 5 s, 30 s, 2 min, 10 min, 1 h, then every 6 h.
    /// Null after three days. By then partners no longer repeat their own events either.
    /// </summary>
    internal static TimeSpan? WaitAfter(int attempts) => attempts switch
    {
        <= 1 => TimeSpan.FromSeconds(1),
        2 => TimeSpan.FromSeconds(5),
        3 => TimeSpan.FromSeconds(30),
        4 => TimeSpan.FromMinutes(2),
        5 => TimeSpan.FromMinutes(10),
        6 => TimeSpan.FromHours(1),
        <= 18 => TimeSpan.FromHours(6),
        _ => null,
    };

    public async Task HandleAsync(Message message, CancellationToken ct)
    {
        var id = message.Body.GetProperty("id").GetGuid();
        var attempt = message.Body.GetProperty("attempt").GetInt32();

        // The transaction that stores an event also stores its message, and the event outlives the message. If a read does not find the
        // event, the read is wrong. So the event must not count as handled. The message comes again, and at last becomes a dead letter that
        // an operator sees.
        if (await LoadAsync(id, ct) is not { } received)
            throw new InvalidOperationException($"There is no event {id}.");
        if (received.Attempts != attempt || received.Status is not (ProviderEventStatus.Received or ProviderEventStatus.Waiting))
        {
            // Another message handled this attempt. If more is to follow, it has its own message.
            return;
        }

        // A read that was planned while payloads moved to a new week's partition may miss a payload. The event must not count as handled,
        // so its message comes again.
        if (received.Payload is not { } payload)
            throw new InvalidOperationException($"The payload of the event {received.EventId} of {received.Provider} cannot be seen.");
        var result = await ApplyAsync(received, payload, ct);
        if (result.Outcome == ApplyOutcome.Waiting && WaitAfter(attempt + 1) is null)
            result = new ApplyResult(ApplyOutcome.Failed, $"It waited for three days: {result.Detail}");
        if (result.Outcome == ApplyOutcome.Failed)
            InboundLog.EventFailed(_logger, received.Provider, received.EventId, received.Type, result.Detail);
        await _endings.SubmitAsync(new Ending(id, attempt, result, _time.GetUtcNow(), message.TraceParent), ct);
    }

    public ValueTask DisposeAsync() => _endings.DisposeAsync();

    private async Task<ApplyResult> ApplyAsync(ProviderEvent received, ReadOnlyMemory<byte> payload, CancellationToken ct)
    {
        INeutralEvent? neutral;
        try
        {
            neutral = Map(received, JsonElement.Parse(payload.Span));
        }
        catch (FormatException e)
        {
            return new ApplyResult(ApplyOutcome.Failed, e.Message);
        }

        if (neutral is null)
            return new ApplyResult(ApplyOutcome.Ignored, $"No capability of this platform takes events of the type '{received.Type}'.");
        if (neutral is EventIgnored ignored)
            return new ApplyResult(ApplyOutcome.Ignored, ignored.Reason);
        return _appliers.FirstOrDefault(applier => applier.Applies(neutral)) is { } applier
            ? await applier.ApplyAsync(neutral, ct)
            : new ApplyResult(ApplyOutcome.Ignored, $"No capability of this platform takes events of the type '{received.Type}'.");
    }

    private INeutralEvent? Map(ProviderEvent received, JsonElement payload)
    {
        foreach (var mapper in _mappers[received.Provider])
        {
            if (mapper.Map(received, payload) is { } neutral)
                return neutral;
        }

        return null;
    }

    private async Task<ProviderEvent?> LoadAsync(Guid id, CancellationToken ct)
    {
        await using var command = _dataSource.CreateCommand(InboundSql.Load);
        command.Parameters.Add(SqlParameters.Uuid(id));
        await using var reader = await command.ExecuteReaderAsync(ct);
        return await reader.ReadAsync(ct) ? ProviderEvents.Read(reader) : null;
    }

    private static async ValueTask<IReadOnlyList<bool>> RecordAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyList<Ending> endings, CancellationToken ct)
    {
        var ordered = endings.OrderBy(ending => ending.Id).ToArray();
        var recorded = new HashSet<Guid>();
        await using (var command = new NpgsqlCommand(InboundSql.Finish, connection, transaction)
        {
            Parameters =
            {
                SqlParameters.Column(ordered.Select(ending => ending.Id), NpgsqlDbType.Uuid),
                SqlParameters.Column(ordered.Select(ending => ending.Attempt), NpgsqlDbType.Integer),
                SqlParameters.Texts(ordered.Select(ending => DbText.Of(ending.Result.Outcome))),
                SqlParameters.Column(ordered.Select(ending => ending.Result.Detail), NpgsqlDbType.Text),
                SqlParameters.Times(ordered, ending => ending.At),
            },
        })
        {
            await using var reader = await command.ExecuteReaderAsync(ct);
            while (await reader.ReadAsync(ct))
                recorded.Add(reader.GetGuid(0));
        }

        // Two handlings of the same event may be in one batch. Only one of them enqueues the next message.
        await Outbox.EnqueueAsync(connection, transaction, [.. ordered
            .Where(ending => ending.Result.Outcome == ApplyOutcome.Waiting && recorded.Contains(ending.Id))
            .DistinctBy(ending => ending.Id)
            .Select(ending => ProviderEvents.Message(ending.Id, ending.Attempt + 1, ending.At, WaitAfter(ending.Attempt + 1)!.Value) with { TraceParent = ending.TraceParent })], ct);
        return [.. endings.Select(ending => recorded.Contains(ending.Id))];
    }

    private sealed record Ending(Guid Id, int Attempt, ApplyResult Result, DateTimeOffset At, string? TraceParent);
}
