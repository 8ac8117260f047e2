using System.Diagnostics.Metrics;
using Dapper;
using Payments.Domain;
using Payments.Domain.Observability;

namespace Payments.Postgres.Tests.Observability;

/// <summary>What is open in the database, as the gauges tell it.</summary>
public sealed class StateMetricsTests(TestServer server) : IAsyncLifetime
{
    private static readonly DateTimeOffset Now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
    private readonly TestDatabase _database = new(server);
    private readonly Clock _clock = new(Now);

    public ValueTask InitializeAsync() => _database.InitializeAsync();

    public ValueTask DisposeAsync() => _database.DisposeAsync();

    [Fact]
    public async Task Measure_NothingOpen_ReportsZeroForEveryStateButADeadline()
    {
        using var metrics = new StateMetrics(_database.App, _clock);
        Assert.Empty(Read(metrics));

        await metrics.MeasureAsync(TestContext.Current.CancellationToken);

        var read = Read(metrics);
        Assert.Equal(14, read.Count);
        Assert.All(read, each => Assert.Equal((0, ""), (each.Value, each.Tags)));
    }

    [Fact]
    public async Task Measure_WhatIsOpen_IsCountedAndAged()
    {
        var merchant = PrefixedId.New<MerchantId>(Now);
        await using (var connection = await _database.App.OpenConnectionAsync(TestContext.Current.CancellationToken))
        {
            await connection.ExecuteAsync(
                """
                INSERT INTO payments.attempts (bucket, merchant_id, id, charge_id, operation, status, provider, amount, next_check_at,
                    created_at)
                VALUES (payments.bucket_of(@merchant), @merchant, gen_random_uuid(), gen_random_uuid(), 'charge', 'unknown', 'sandbox',
                    100, @now, @now - interval '10 minutes'),
                       (payments.bucket_of(@merchant), @merchant, gen_random_uuid(), gen_random_uuid(), 'charge', 'started', 'sandbox',
                           100, @now, @now - interval '20 minutes'),
                       (payments.bucket_of(@merchant), @merchant, gen_random_uuid(), gen_random_uuid(), 'charge', 'succeeded', 'sandbox',
                           100, NULL, @now - interval '9 hours');
                INSERT INTO payments.charges (bucket, merchant_id, id, status, currency, amount, capture_method, payment_token, provider,
                    metadata, created_at, updated_at, first_check_at)
                VALUES (payments.bucket_of(@merchant), @merchant, gen_random_uuid(), 'pending', 'EUR', 100, 'automatic', 'tok_visa',
                    'sandbox', '{}', @now - interval '1 minute', @now - interval '1 minute', @now),
                       (payments.bucket_of(@merchant), @merchant, gen_random_uuid(), 'pending', 'EUR', 100, 'automatic', 'tok_visa',
                           'sandbox', '{}', @now, @now, @now + interval '1 minute');
                INSERT INTO payments.provider_events (provider, event_id, id, type, status, payload, received_at, processed_at)
                VALUES ('sandbox', 'e1', gen_random_uuid(), 't', 'waiting', '\x7b7d', @now - interval '5 minutes', NULL),
                       ('sandbox', 'e2', gen_random_uuid(), 't', 'failed', '\x7b7d', @now - interval '5 days', @now),
                       ('sandbox', 'e3', gen_random_uuid(), 't', 'applied', '\x7b7d', @now - interval '5 days', @now);
                INSERT INTO payments.dead_letters (id, queue, raw, reason, dead_at, replayed_at)
                VALUES (gen_random_uuid(), 'provider-events', 'x', 'r', @now, NULL), (gen_random_uuid(), 'provider-events', 'x', 'r', @now, @now);
                INSERT INTO payments.payout_runs (id, mode, date, currency, rail, status, execution_date, payouts, amount, refused,
                    started_by, started_at, submitted_at)
                VALUES (gen_random_uuid(), 'live', '2026-02-27', 'EUR', 'sandbox', 'submitted', '2026-02-27', 1, 5, 0, 'timer',
                    @now - interval '2 days', @now),
                       (gen_random_uuid(), 'live', '2026-02-28', 'EUR', 'sandbox', 'created', '2026-02-28', 7, 90000, 2, 'timer',
                           @now - interval '1 hour', NULL);
                INSERT INTO payments.unmatched_bank_items (id, sha256, position, file_name, reason, reference, detail, created_at, acknowledged_at, acknowledged_by)
                VALUES (gen_random_uuid(), sha256('a'), 0, 'a', 'file_rejected', 'a', 'd', @now, NULL, NULL), (gen_random_uuid(), sha256('b'), 0, 'b', 'file_rejected', 'b', 'd', @now, @now, 'x'),
                       (gen_random_uuid(), sha256('c'), 1, 'c', 'amount_differs', 'c', 'd', @now, NULL, NULL);
                """,
                new { merchant = merchant.Value, now = Now });
        }

        using var metrics = new StateMetrics(_database.App, _clock);
        await metrics.MeasureAsync(TestContext.Current.CancellationToken);
        _clock.Advance(TimeSpan.FromSeconds(30));
        var read = Read(metrics);

        Assert.Equal(3, Of("payments.attempts.open", "operation=charge,provider=sandbox"));
        Assert.Equal((20 * 60) + 30, Of("payments.attempts.oldest", "operation=charge,provider=sandbox"));
        Assert.Equal(1, Of("payments.provider_events.open", "provider=sandbox,status=waiting"));
        Assert.Equal(1, Of("payments.provider_events.open", "provider=sandbox,status=failed"));
        Assert.Equal((5 * 60) + 30, Of("payments.provider_events.oldest", "provider=sandbox"));
        Assert.Equal(1, Of("payments.dead_letters.waiting", "queue=provider-events"));
        Assert.Equal((90_000, 7, 2), (Of("payments.payout_runs.amount", "currency=EUR"), Of("payments.payout_runs.payouts", "currency=EUR"), Of("payments.payout_runs.refused", "currency=EUR")));
        Assert.Equal((1, 1), (Of("payments.bank_items.unmatched", "reason=file_rejected"), Of("payments.bank_items.unmatched", "reason=amount_differs")));
        Assert.Equal(3_630, Of("payments.payout_runs.oldest", ""));

        double Of(string name, string tags) => Assert.Single(read, each => each.Name == name && each.Tags == tags).Value;
    }

    [Fact]
    public async Task Measure_NotAskedForThreeMinutes_FallsSilent()
    {
        using var metrics = new StateMetrics(_database.App, _clock);
        await metrics.MeasureAsync(TestContext.Current.CancellationToken);
        _clock.Advance(TimeSpan.FromMinutes(3));

        Assert.Empty(Read(metrics));
    }

    // Other instances of the meter may live at the same time: only this one's instruments are listened to.
    private static List<(string Name, double Value, string Tags)> Read(StateMetrics metrics)
    {
        var read = new List<(string, double, string)>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (metrics.Owns(instrument.Meter))
                    listener.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => read.Add((instrument.Name, value, Text(tags))));
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => read.Add((instrument.Name, value, Text(tags))));
        listener.Start();
        listener.RecordObservableInstruments();
        return read;

        static string Text(ReadOnlySpan<KeyValuePair<string, object?>> tags) =>
            string.Join(',', tags.ToArray().Select(tag => $"{tag.Key}={tag.Value}").Order(StringComparer.Ordinal));
    }

    private sealed class Clock(DateTimeOffset now) : TimeProvider
    {
        private TimeSpan _passed;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override DateTimeOffset GetUtcNow() => now + _passed;

        public override long GetTimestamp() => _passed.Ticks;

        public void Advance(TimeSpan by) => _passed += by;
    }
}
