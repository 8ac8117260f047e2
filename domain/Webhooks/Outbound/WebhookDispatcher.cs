using System.Collections.Concurrent;
using System.Text;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Database;
using Payments.Domain.Messaging;
using Payments.Domain.Secrets;

namespace Payments.Domain.Webhooks.Outbound;

/// <summary>
/// Delivers due deliveries. It leases lanes, one for each endpoint, and serves each lane in a turn: it sends some deliveries, then releases
/// the lane with the results. Endpoints in trouble share a small number of lanes and are tried after growing pauses, so that a dead
/// endpoint does not delay the others. If the process dies during a turn, the lease ends after a minute, and another turn repeats the
/// unfinished deliveries.
/// </summary>
public sealed class WebhookDispatcher : IAsyncDisposable
{
    private const int TurnSize = 32;
    private const int AtATime = 8;
    private static readonly TimeSpan PollEvery = TimeSpan.FromSeconds(1);

    private readonly NpgsqlDataSource _dataSource;
    private readonly SendDelivery _send;
    private readonly SecretBox _secrets;
    private readonly DisableEndpoint _disable;
    private readonly WebhookSignal _signal;
    private readonly WebhookOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger<WebhookDispatcher> _logger;
    private readonly GroupCommit<Turn, DateTimeOffset?> _results;
    private readonly ConcurrentDictionary<(Guid Endpoint, Guid Lease), Task> _running = new();
    private int _healthy;
    private volatile bool _runs;
    private int _troubled;

    public WebhookDispatcher(
        NpgsqlDataSource dataSource, WebhookHttp http, SecretBox secrets, DisableEndpoint disable, WebhookSignal signal, WebhookOptions options, TimeProvider time, ILogger<WebhookDispatcher> logger)
    {
        _dataSource = dataSource;
        _send = new SendDelivery(http, options, time);
        _secrets = secrets;
        _disable = disable;
        _signal = signal;
        _options = options;
        _time = time;
        _logger = logger;
        _results = new("webhook-results", dataSource, RecordAsync, new GroupCommitOptions(), time);
    }

    /// <summary>Delivers until cancelled, then finishes the turns in progress.</summary>
    public async Task RunAsync(CancellationToken ct)
    {
        _runs = true;
        while (!ct.IsCancellationRequested)
        {
            var claimed = 0;
            try
            {
                claimed = await StartTurnsAsync(ct);
            }
            catch (OperationCanceledException) when (ct.IsCancellationRequested)
            {
                break;
            }
#pragma warning disable CA1031 // After any failure the rows are safe, and the next round tries again.
            catch (Exception e)
#pragma warning restore CA1031
            {
                OutboundLog.DispatchFailed(_logger, e);
            }

            if (claimed > 0)
                continue;
            try
            {
                await _signal.WaitAsync(PollEvery, _time, ct);
            }
            catch (OperationCanceledException)
            {
                break;
            }
        }

        _runs = false;
        await Task.WhenAll(_running.Values);
    }

    /// <summary>
    /// Delivers what is due now and returns when nothing is left. A timer calls it in case <see cref="RunAsync"/> does not run. If it runs
    /// in this process, this method only wakes it.
    /// </summary>
    public async Task DispatchDueAsync(CancellationToken ct)
    {
        if (_runs)
        {
            _signal.Set();
            return;
        }

        while (true)
        {
            // Read before the claim: a turn that ends between the claim and a later read may have left work due.
            var idle = _running.IsEmpty;
            if (await StartTurnsAsync(ct) > 0)
                continue;
            if (idle)
                return;
            await _signal.WaitAsync(PollEvery, _time, ct);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_running.Values);
        await _results.DisposeAsync();
    }

    private async Task<int> StartTurnsAsync(CancellationToken ct) =>
        await StartTurnsAsync(troubled: false, _options.Lanes - Volatile.Read(ref _healthy), ct)
        + await StartTurnsAsync(troubled: true, _options.TroubledLanes - Volatile.Read(ref _troubled), ct);

    private async Task<int> StartTurnsAsync(bool troubled, int free, CancellationToken ct)
    {
        if (free <= 0)
            return 0;
        await using var connection = await _dataSource.OpenConnectionAsync(ct);
        var lanes = await ClaimAsync(connection, troubled, free, ct);
        if (lanes.Count == 0)
            return 0;

        // This process holds the lanes from here on. A cancellation now would leave them unserved until their lease ends.
        await LoadAsync(connection, lanes);
        foreach (var lane in lanes.Values)
        {
            _ = troubled ? Interlocked.Increment(ref _troubled) : Interlocked.Increment(ref _healthy);
            var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            var turn = TakeTurnAsync(lane, troubled, started.Task);
            _running[(lane.Endpoint, lane.Lease)] = turn;
            started.SetResult();
        }

        return lanes.Count;
    }

    private async Task TakeTurnAsync(Lane lane, bool troubled, Task started)
    {
        await started;
        try
        {
            await DeliverAsync(lane);
        }
#pragma warning disable CA1031 // The lane becomes free when its lease ends.
        catch (Exception e)
#pragma warning restore CA1031
        {
            OutboundLog.TurnFailed(_logger, lane.Endpoint, e);
        }
        finally
        {
            _ = troubled ? Interlocked.Decrement(ref _troubled) : Interlocked.Decrement(ref _healthy);
            _running.TryRemove((lane.Endpoint, lane.Lease), out _);
            _signal.Set();
        }
    }

    private async Task DeliverAsync(Lane lane)
    {
        if (lane.Target is not { } target)
        {
            // The endpoint was deleted or disabled meanwhile, so its pending deliveries are canceled.
            await _disable.CancelAsync(lane.Endpoint, CancellationToken.None);
            await _results.SubmitAsync(new Turn(lane, [], _time.GetUtcNow()), CancellationToken.None);
            return;
        }

        var owner = WebhookEndpoints.OwnerOf(new WebhookEndpointId(lane.Endpoint));
        using var current = SigningKey.Parse(Encoding.UTF8.GetString(_secrets.Open(target.Secret, owner)));
        using var previous = target.PreviousSecret is { } former ? SigningKey.Parse(Encoding.UTF8.GetString(_secrets.Open(former, owner))) : null;
        IReadOnlyList<SigningKey> keys = previous is null ? [current] : [current, previous];
        var began = _time.GetTimestamp();
        var finished = new ConcurrentBag<Finished>();
        var trouble = false;
        await Parallel.ForEachAsync(lane.Due, new ParallelOptions { MaxDegreeOfParallelism = AtATime }, async (due, _) =>
        {
            // Deliveries that are not started keep their due time, and a later turn of the lane sends them.
            if (Volatile.Read(ref trouble) || _time.GetElapsedTime(began) > _options.Lease / 3)
                return;
            var attempt = await _send.SendAsync(target.Url, keys, target.ApiVersion, due.Event, due.TraceParent);
            if (DeliveryRules.IsTrouble(attempt.Outcome) || attempt.Outcome == AttemptOutcome.Gone)
                Volatile.Write(ref trouble, true);
            finished.Add(Finish(due, attempt));
        });

        var turn = new Turn(lane, [.. finished.OrderBy(f => f.Delivery)], _time.GetUtcNow());
        var failingSince = await _results.SubmitAsync(turn, CancellationToken.None);
        if (turn.Finished.Any(f => f.Attempt.Outcome == AttemptOutcome.Gone))
            await _disable.DisableAsync(new MerchantId(lane.Merchant), new WebhookEndpointId(lane.Endpoint), EndpointDisabledReason.Gone, CancellationToken.None);
        else if (turn.Failed && !turn.Succeeded && turn.At - failingSince >= DeliveryRules.DisableAfter)
            await _disable.DisableAsync(new MerchantId(lane.Merchant), new WebhookEndpointId(lane.Endpoint), EndpointDisabledReason.Failing, CancellationToken.None);
    }

    private Finished Finish(Due due, Attempt attempt)
    {
        var now = _time.GetUtcNow();
        var attempts = due.Attempts + 1;
        return DeliveryRules.Next(attempt.Outcome, attempts) switch
        {
            DeliveryStep.Done => new Finished(due.Delivery, attempt, "delivered", null, now),
#pragma warning disable CA5394 // It only spreads retries. No secret depends on it.
            DeliveryStep.Retry => new Finished(due.Delivery, attempt, "pending", now + DeliveryRules.WaitAfter(attempts, attempt.RetryAfter, Random.Shared.NextDouble()), now),
#pragma warning restore CA5394
            DeliveryStep.GiveUp or DeliveryStep.Disable => new Finished(due.Delivery, attempt, "failed", null, now),
        };
    }

    private async Task<Dictionary<Guid, Lane>> ClaimAsync(NpgsqlConnection connection, bool troubled, int free, CancellationToken ct)
    {
        var now = _time.GetUtcNow();
        var lease = Guid.CreateVersion7(now);
        await using var command = new NpgsqlCommand(OutboundSql.ClaimLanes, connection)
        {
            Parameters =
            {
                SqlParameters.Uuid(lease), SqlParameters.Time(now), SqlParameters.Time(now + _options.Lease), new() { Value = troubled }, SqlParameters.Int(free),
            },
        };
        var lanes = new Dictionary<Guid, Lane>();
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
            lanes.Add(reader.GetGuid(0), new Lane(reader.GetGuid(0), reader.GetGuid(1), reader.GetInt32(2), reader.GetInt64(3), lease));
        return lanes;
    }

    private async Task LoadAsync(NpgsqlConnection connection, Dictionary<Guid, Lane> lanes)
    {
        var now = _time.GetUtcNow();
        await using var batch = new NpgsqlBatch(connection)
        {
            BatchCommands =
            {
                new NpgsqlBatchCommand(OutboundSql.LoadEndpoints)
                {
                    Parameters =
                    {
                        SqlParameters.Column(lanes.Values.Select(lane => lane.Merchant), NpgsqlDbType.Uuid),
                        SqlParameters.Column(lanes.Keys, NpgsqlDbType.Uuid),
                        SqlParameters.Time(now),
                    },
                },
                new NpgsqlBatchCommand(OutboundSql.LoadDeliveries)
                {
                    Parameters =
                    {
                        SqlParameters.Column(lanes.Values.Select(lane => lane.Merchant), NpgsqlDbType.Uuid),
                        SqlParameters.Column(lanes.Keys, NpgsqlDbType.Uuid),
                        SqlParameters.Column(lanes.Values.Select(lane => lane.Failures >= DeliveryRules.CircuitAfter ? 1 : TurnSize), NpgsqlDbType.Integer),
                        SqlParameters.Time(now),
                    },
                },
            },
        };
        await using var reader = await batch.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            lanes[reader.GetGuid(0)].Target = new Target(
                reader.GetString(1), reader.GetString(2), reader.GetFieldValue<byte[]>(3), reader.IsDBNull(4) ? null : reader.GetFieldValue<byte[]>(4));
        }

        await reader.NextResultAsync();
        while (await reader.ReadAsync())
            lanes[reader.GetGuid(0)].Due.Add(new Due(reader.GetGuid(1), reader.GetInt32(2), reader.IsDBNull(3) ? null : reader.GetString(3), Events.Read(reader, 4)));
    }

    private static async ValueTask<IReadOnlyList<DateTimeOffset?>> RecordAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyList<Turn> turns, CancellationToken ct)
    {
        // Lock order: endpoint id in every instance, so that instances wait for each other instead of deadlocking.
        var ordered = turns.OrderBy(turn => turn.Lane.Endpoint).ToArray();
        var attempts = ordered.SelectMany(turn => turn.Finished.Select(f => (turn.Lane.Merchant, Finished: f))).ToArray();
        await using var batch = new NpgsqlBatch(connection, transaction);
        if (attempts.Length > 0)
        {
            batch.BatchCommands.Add(new NpgsqlBatchCommand(OutboundSql.LogAttempts)
            {
                Parameters =
                {
                    SqlParameters.Column(attempts.Select(a => a.Merchant), NpgsqlDbType.Uuid),
                    SqlParameters.Column(attempts.Select(a => a.Finished.Delivery), NpgsqlDbType.Uuid),
                    SqlParameters.Column(attempts.Select(a => Guid.CreateVersion7(a.Finished.At)), NpgsqlDbType.Uuid),
                    SqlParameters.Texts(attempts.Select(a => DbText.Of(a.Finished.Attempt.Outcome))),
                    SqlParameters.Column(attempts.Select(a => (short?)a.Finished.Attempt.StatusCode), NpgsqlDbType.Smallint),
                    SqlParameters.Column(attempts.Select(a => (int)a.Finished.Attempt.Latency.TotalMilliseconds), NpgsqlDbType.Integer),
                    SqlParameters.Column(attempts.Select(a => a.Finished.Attempt.Response), NpgsqlDbType.Text),
                    SqlParameters.Times(attempts, a => a.Finished.At),
                },
            });
            batch.BatchCommands.Add(new NpgsqlBatchCommand(OutboundSql.FinishAttempts)
            {
                Parameters =
                {
                    SqlParameters.Column(attempts.Select(a => a.Merchant), NpgsqlDbType.Uuid),
                    SqlParameters.Column(attempts.Select(a => a.Finished.Delivery), NpgsqlDbType.Uuid),
                    SqlParameters.Texts(attempts.Select(a => a.Finished.Status)),
                    SqlParameters.Times(attempts, a => a.Finished.NextAttemptAt),
                    SqlParameters.Times(attempts, a => a.Finished.At),
                },
            });
        }

        batch.BatchCommands.Add(new NpgsqlBatchCommand(OutboundSql.ReleaseLanes)
        {
            Parameters =
            {
                SqlParameters.Column(ordered.Select(turn => turn.Lane.Endpoint), NpgsqlDbType.Uuid),
                SqlParameters.Column(ordered.Select(turn => turn.Lane.Lease), NpgsqlDbType.Uuid),
                SqlParameters.Column(ordered.Select(turn => turn.Lane.Woken), NpgsqlDbType.Bigint),
                SqlParameters.Column(ordered.Select(turn => turn.Failures), NpgsqlDbType.Integer),
                SqlParameters.Column(ordered.Select(turn => turn.Succeeded), NpgsqlDbType.Boolean),
                SqlParameters.Column(ordered.Select(turn => turn.Failed), NpgsqlDbType.Boolean),
                SqlParameters.Times(ordered, turn => turn.PausedUntil),
                SqlParameters.Times(ordered, turn => turn.At),
            },
        });
        var failingSince = new Dictionary<Guid, DateTimeOffset?>();
        await using var reader = await batch.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
            failingSince[reader.GetGuid(0)] = reader.IsDBNull(1) ? null : reader.GetFieldValue<DateTimeOffset>(1);
        return [.. turns.Select(turn => failingSince.GetValueOrDefault(turn.Lane.Endpoint))];
    }

    private sealed record Lane(Guid Endpoint, Guid Merchant, int Failures, long Woken, Guid Lease)
    {
        /// <summary>Null if the endpoint is deleted or disabled.</summary>
        public Target? Target { get; set; }

        public List<Due> Due { get; } = [];
    }

    private sealed record Target(string Url, string ApiVersion, byte[] Secret, byte[]? PreviousSecret);

    private sealed record Due(Guid Delivery, int Attempts, string? TraceParent, StoredEvent Event);

    private sealed record Finished(Guid Delivery, Attempt Attempt, string Status, DateTimeOffset? NextAttemptAt, DateTimeOffset At);

    private sealed record Turn(Lane Lane, IReadOnlyList<Finished> Finished, DateTimeOffset At)
    {
        public bool Succeeded { get; } = Finished.Any(f => f.Attempt.Outcome == AttemptOutcome.Delivered);

        public bool Failed { get; } = Finished.Any(f => f.Attempt.Outcome != AttemptOutcome.Delivered);

        /// <summary>Failures in a row, after this turn. A turn counts once, however many of its deliveries failed.</summary>
        public int Failures => Succeeded ? 0 : Lane.Failures + (Finished.Any(f => DeliveryRules.IsTrouble(f.Attempt.Outcome)) ? 1 : 0);

        public DateTimeOffset? PausedUntil => Finished.Count > 0 && Failures >= DeliveryRules.CircuitAfter ? At + DeliveryRules.PauseAfter(Failures) : null;
    }
}
