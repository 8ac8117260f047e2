using System.Text;
using System.Text.Json;
using Dapper;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using Payments.Domain.Audit;
using Payments.Domain.Messaging;
using Payments.Domain.Webhooks;
using Payments.Domain.Webhooks.Inbound;
using Payments.Postgres.Tests.Messaging;

namespace Payments.Postgres.Tests.Webhooks;

public sealed class InboundTests : IClassFixture<TestDatabase>, IAsyncLifetime
{
    private const string Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    private readonly TestDatabase _database;
    private readonly TestTime _time = new(new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero));
    private readonly OutboxSignal _signal = new();
    private readonly Applier _applier = new();
    private readonly MemorySender _sender = new();
    private readonly ReceiveWebhook _receive;
    private readonly ProcessProviderEvent _process;

    public InboundTests(TestDatabase database)
    {
        _database = database;
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?> { ["Webhooks:Inbound:Acme:Secret"] = Secret }).Build();
        var providers = new InboundProviders(configuration, [new WebhookScheme("standard", secrets => new StandardWebhooksVerifier(secrets))]);
        _receive = new ReceiveWebhook(providers, database.App, _signal, _time, NullLogger<ReceiveWebhook>.Instance);
        _process = new ProcessProviderEvent(database.App, [new Mapper()], [_applier], _time, NullLogger<ProcessProviderEvent>.Instance);
    }

    public async ValueTask InitializeAsync() => await ExecuteAsync("DELETE FROM payments.outbox; DELETE FROM payments.provider_events; DELETE FROM payments.provider_event_payloads");

    public async ValueTask DisposeAsync()
    {
        await _receive.DisposeAsync();
        await _process.DisposeAsync();
    }

    [Fact]
    public async Task Receive_SameEventManyTimesAtOnce_StoresAndQueuesItOnce()
    {
        var receipts = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => ReceiveAsync("evt_1", """{"type":"known","n":1}""")));

        Assert.All(receipts, receipt => Assert.Null(receipt.Refusal));
        Assert.Equal(1, receipts.Sum(receipt => receipt.Stored));
        Assert.Equal(1, await CountAsync("payments.outbox"));
    }

    [Theory]
    [InlineData("nobody", true, 10, WebhookRefusal.UnknownProvider)]
    [InlineData("acme", false, 10, WebhookRefusal.BadSignature)]
    [InlineData("acme", true, ReceiveWebhook.MaxBody + 1, WebhookRefusal.TooLarge)]
    public async Task Receive_Refused_StoresNothing(string provider, bool trusted, int size, WebhookRefusal expected)
    {
        var body = new byte[size];
        var headers = Headers("evt_1", body, trusted ? Secret : StandardWebhooks.NewSecret());
        var receipt = await _receive.HandleAsync(provider, headers, body, default);

        Assert.Equal(expected, receipt.Refusal);
        Assert.Equal(0, await CountAsync("payments.provider_events"));
        Assert.Equal(0, await CountAsync("payments.outbox"));
    }

    [Fact]
    public async Task Process_KnownType_AppliesItAndRecordsThat()
    {
        await ReceiveAsync("evt_1", """{"type":"known","n":7}""");
        await DrainAsync();

        Assert.Equal([7], _applier.Applied);
        Assert.Equal("applied", await StatusAsync("evt_1"));
    }

    [Fact]
    public async Task Process_SameMessageTwice_AppliesItOnce()
    {
        await ReceiveAsync("evt_1", """{"type":"known","n":7}""");
        await DrainAsync();
        foreach (var (_, message) in _sender.Sent.ToArray())
            await HandleAsync(message);

        Assert.Equal([7], _applier.Applied);
    }

    [Fact]
    public async Task Process_UnknownType_IsKeptAsIgnored()
    {
        await ReceiveAsync("evt_1", """{"type":"something.else"}""");
        await DrainAsync();

        Assert.Equal("ignored", await StatusAsync("evt_1"));
        Assert.Empty(_applier.Applied);
    }

    [Fact]
    public async Task Process_PayloadThatTheMapperCannotRead_FailsAndIsKept()
    {
        await ReceiveAsync("evt_1", """{"type":"known","n":"seven"}""");
        await DrainAsync();

        Assert.Equal("failed", await StatusAsync("evt_1"));
    }

    [Fact]
    public async Task Process_ObjectNotKnownYet_WaitsAndIsAppliedWhenItIs()
    {
        _applier.Result = _ => new ApplyResult(ApplyOutcome.Waiting, "no payment 7");
        await ReceiveAsync("evt_1", """{"type":"known","n":7}""");
        await DrainAsync();
        Assert.Equal("waiting", await StatusAsync("evt_1"));

        _applier.Result = _ => new ApplyResult(ApplyOutcome.Applied);
        await DrainAsync();
        Assert.Equal("waiting", await StatusAsync("evt_1"));
        _time.Advance(TimeSpan.FromSeconds(1));
        await DrainAsync();
        Assert.Equal("applied", await StatusAsync("evt_1"));
        Assert.Equal([7], _applier.Applied);
    }

    [Fact]
    public async Task Process_ObjectNeverKnown_FailsAfterThreeDaysAndCanBeReplayed()
    {
        _applier.Result = _ => new ApplyResult(ApplyOutcome.Waiting, "no payment 7");
        await ReceiveAsync("evt_1", """{"type":"known","n":7}""");
        var started = _time.GetUtcNow();
        for (var i = 0; i < 30 && await StatusAsync("evt_1") != "failed"; i++)
        {
            await DrainAsync();
            _time.Advance(TimeSpan.FromHours(6));
        }

        Assert.InRange(_time.GetUtcNow() - started, TimeSpan.FromDays(3), TimeSpan.FromDays(6));
        Assert.Equal(0, await CountAsync("payments.outbox"));

        _applier.Result = _ => new ApplyResult(ApplyOutcome.Applied);
        var events = new ProviderEvents(_database.App, _signal, _time);
        var failed = Assert.Single(await events.ListAsync(ProviderEventStatus.Failed, "acme", null, 10, default));
        Assert.True(await events.ReplayAsync(failed.Id, Actor.Platform("ada"), default));
        await DrainAsync();
        Assert.Equal("applied", await StatusAsync("evt_1"));
    }

    [Fact]
    public async Task Process_WaitingMessageHandledTwice_IsContinuedOnce()
    {
        _applier.Result = _ => new ApplyResult(ApplyOutcome.Waiting);
        await ReceiveAsync("evt_1", """{"type":"known","n":7}""");
        await RelayAsync();
        var message = _sender.Sent.Single().Message;
        await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => HandleAsync(message)));

        Assert.Equal(1, await CountAsync("payments.outbox"));
    }

    [Fact]
    public async Task Process_CrashAfterTheEffect_AppliesAgainAndEndsTheSame()
    {
        _applier.Result = _ => throw new InvalidOperationException("crash after the effect");
        await ReceiveAsync("evt_1", """{"type":"known","n":7}""");
        await RelayAsync();
        var message = _sender.Sent.Single().Message;
        await Assert.ThrowsAsync<InvalidOperationException>(() => HandleAsync(message));
        Assert.Equal("received", await StatusAsync("evt_1"));

        _applier.Result = _ => new ApplyResult(ApplyOutcome.Applied);
        await HandleAsync(message);
        Assert.Equal("applied", await StatusAsync("evt_1"));
    }

    [Theory]
    [InlineData("payments.provider_events")]
    [InlineData("payments.provider_event_payloads")]
    public async Task Process_EventOrPayloadNotSeen_IsNotTakenForHandledAndAppliedWhenItIs(string hidden)
    {
        await ReceiveAsync("evt_1", """{"type":"known","n":7}""");
        await RelayAsync();
        var message = _sender.Sent.Single().Message;
        await using var owner = await _database.Owner.OpenConnectionAsync();
        await owner.ExecuteAsync($"CREATE TEMP TABLE away AS SELECT * FROM {hidden}; DELETE FROM {hidden}");
        await Assert.ThrowsAsync<InvalidOperationException>(() => HandleAsync(message));

        await owner.ExecuteAsync($"INSERT INTO {hidden} SELECT * FROM away");
        Assert.Equal("received", await StatusAsync("evt_1"));
        await HandleAsync(message);
        Assert.Equal("applied", await StatusAsync("evt_1"));
    }

    [Fact]
    public async Task Purge_WeeksOfFinishedEvents_GoAndARepetitionIsStillKnown()
    {
        var events = new ProviderEvents(_database.App, _signal, _time);
        await events.PurgeAsync(default);
        await ReceiveAsync("evt_done", """{"type":"known","n":7}""");
        await DrainAsync();
        await ReceiveAsync("evt_open", """{"type":"known","n":8}""");
        Assert.Equal(2, await CountAsync("payments.provider_event_payloads_20260223"));
        _time.Advance(TimeSpan.FromDays(91));

        await events.PurgeAsync(default);
        await events.PurgeAsync(default);
        Assert.Equal(0, await CountAsync("payments.provider_event_payloads"));
        Assert.False(await ExistsAsync("payments.provider_event_payloads_20260223"));
        Assert.True(await ExistsAsync("payments.provider_event_payloads_20260525"));
        Assert.Equal(0, (await ReceiveAsync("evt_done", """{"type":"known","n":7}""")).Stored);
        var done = Assert.Single(await events.ListAsync(ProviderEventStatus.Applied, null, null, 10, default));
        Assert.Null((await events.FindAsync(done.Id, default))!.Payload);
        Assert.False(await events.ReplayAsync(done.Id, Actor.Platform("ada"), default));
        await DrainAsync();
        Assert.Equal([7, 8], _applier.Applied);

        // What was kept beyond its week goes once it is done with.
        await events.PurgeAsync(default);
        Assert.All(await events.ListAsync(null, null, null, 10, default), listed => Assert.Null(events.FindAsync(listed.Id, default).GetAwaiter().GetResult()!.Payload));
    }

    [Fact]
    public async Task Purge_WeekWithoutPartitionYet_TakesItsRowsFromTheDefault()
    {
        await ReceiveAsync("evt_1", """{"type":"known","n":7}""");
        var before = await CountAsync("payments.provider_event_payloads_default");
        var events = new ProviderEvents(_database.App, _signal, _time);
        _time.Advance(TimeSpan.FromDays(14));
        await ReceiveAsync("evt_2", """{"type":"known","n":8}""");
        await events.PurgeAsync(default);

        Assert.InRange(await CountAsync("payments.provider_event_payloads_default"), 0, before);
        await DrainAsync();
        Assert.Equal([7, 8], _applier.Applied.Order());
    }

    [Fact]
    public async Task Purge_OfATableThatIsNotTheirs_IsRefused() =>
        Assert.Equal("22023", (await Assert.ThrowsAsync<Npgsql.PostgresException>(() => ExecuteAsync("SELECT payments.keep_weeks('events', now(), '1 day')"))).SqlState);

    [Fact]
    public async Task Replay_RangeOfOneStatus_ProcessesThoseAlone()
    {
        await ReceiveAsync("evt_1", """{"type":"known","n":1}""");
        await DrainAsync();
        await ReceiveAsync("evt_2", """{"type":"something.else"}""");
        await DrainAsync();
        var events = new ProviderEvents(_database.App, _signal, _time);
        var from = _time.GetUtcNow().AddHours(-1);

        Assert.Equal(0, await events.ReplayAsync(from.AddHours(-1), from, null, Actor.Platform("ada"), default));
        Assert.Equal(1, await events.ReplayAsync(from, from.AddHours(2), ProviderEventStatus.Applied, Actor.Platform("ada"), default));
        await DrainAsync();
        Assert.Equal([1, 1], _applier.Applied);
        Assert.Equal(("applied", "ignored"), (await StatusAsync("evt_1"), await StatusAsync("evt_2")));
    }

    private async Task<WebhookReceipt> ReceiveAsync(string id, string body)
    {
        var bytes = Encoding.UTF8.GetBytes(body);
        return await _receive.HandleAsync("acme", Headers(id, bytes, Secret), bytes, default);
    }

    private HeaderDictionary Headers(string id, byte[] body, string secret) => new()
    {
        [StandardWebhooks.IdHeader] = id,
        [StandardWebhooks.TimestampHeader] = $"{_time.GetUtcNow().ToUnixTimeSeconds()}",
        [StandardWebhooks.SignatureHeader] = StandardWebhooks.Sign(StandardWebhooks.KeyOf(secret)!, id, _time.GetUtcNow().ToUnixTimeSeconds(), body),
    };

    private Task<int> RelayAsync() => new OutboxRelay(_database.App, _sender, _time, NullLogger<OutboxRelay>.Instance).RelayAsync(default);

    private async Task DrainAsync()
    {
        var before = _sender.Sent.Count;
        await RelayAsync();
        foreach (var (_, message) in _sender.Sent.Skip(before).ToArray())
            await HandleAsync(message);
    }

    private Task HandleAsync(MessageEnvelope message) => _process.HandleAsync(new Message(message.Id, message.Type, message.Version, message.Body!.Value, message.CreatedAt), default);

    private async Task<string?> StatusAsync(string eventId)
    {
        await using var connection = await _database.App.OpenConnectionAsync();
        return await connection.ExecuteScalarAsync<string>("SELECT status FROM payments.provider_events WHERE provider = 'acme' AND event_id = @eventId", new { eventId });
    }

    private async Task<long> CountAsync(string table)
    {
        await using var connection = await _database.App.OpenConnectionAsync();
        return await connection.ExecuteScalarAsync<long>($"SELECT count(*) FROM {table}");
    }

    private async Task<bool> ExistsAsync(string table)
    {
        await using var connection = await _database.App.OpenConnectionAsync();
        return await connection.ExecuteScalarAsync<bool>("SELECT to_regclass(@table) IS NOT NULL", new { table });
    }

    private async Task ExecuteAsync(string sql)
    {
        await using var connection = await _database.App.OpenConnectionAsync();
        await connection.ExecuteAsync(sql);
    }

    private sealed record Number(int Value) : INeutralEvent;

    private sealed class Mapper : INeutralEventMapper
    {
        public string Provider => "acme";

        public INeutralEvent? Map(ProviderEvent received, JsonElement payload) => received.Type != "known" ? null
            : payload.GetProperty("n").ValueKind == JsonValueKind.Number ? new Number(payload.GetProperty("n").GetInt32())
            : throw new FormatException("'n' is no number.");
    }

    private sealed class Applier : IProviderEventApplier
    {
        public List<int> Applied { get; } = [];

        public Func<int, ApplyResult> Result { get; set; } = _ => new ApplyResult(ApplyOutcome.Applied);

        public bool Applies(INeutralEvent neutral) => neutral is Number;

        public Task<ApplyResult> ApplyAsync(INeutralEvent neutral, CancellationToken ct)
        {
            var value = ((Number)neutral).Value;
            var result = Result(value);
            if (result.Outcome == ApplyOutcome.Applied)
                Applied.Add(value);
            return Task.FromResult(result);
        }
    }
}
