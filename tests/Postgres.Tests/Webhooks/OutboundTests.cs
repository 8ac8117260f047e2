using System.Globalization;
using System.Net;
using System.Text.Json;
using Dapper;
using Microsoft.Extensions.Logging.Abstractions;
using Payments.Domain;
using Payments.Domain.Audit;
using Payments.Domain.Messaging;
using Payments.Domain.Secrets;
using Payments.Domain.Webhooks;
using Payments.Domain.Webhooks.Outbound;
using Payments.Postgres.Tests.Messaging;

namespace Payments.Postgres.Tests.Webhooks;

public sealed class OutboundTests : IClassFixture<TestDatabase>, IAsyncLifetime
{
    private static readonly Actor Ada = Actor.Platform("ada");
    private readonly TestDatabase _database;
    private readonly TestTime _time = new(new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero));
    private readonly MerchantId _merchant;
    private readonly WebhookSignal _signal = new();
    private readonly SecretBox _secrets = new(new Dictionary<string, byte[]> { ["k"] = new byte[32] }, "k");
    private readonly WebhookOptions _options = new() { AllowLoopback = true, Timeout = TimeSpan.FromSeconds(10) };
    private readonly WebhookEndpoints _endpoints;
    private readonly WebhookDeliveries _deliveries;
    private readonly FanOutEvent _fanOut;
    private readonly List<IAsyncDisposable> _disposables = [];
    private Sink _sink = null!;

    public OutboundTests(TestDatabase database)
    {
        _database = database;
        _merchant = PrefixedId.New<MerchantId>(_time.GetUtcNow());
        _endpoints = new WebhookEndpoints(database.App, _secrets, _options, _signal, _time);
        _deliveries = new WebhookDeliveries(database.App, _signal, _time);
        _fanOut = new FanOutEvent(database.App, _signal, _time);
    }

    public async ValueTask InitializeAsync()
    {
        await ExecuteAsync("TRUNCATE payments.outbox, payments.webhook_deliveries, payments.webhook_lanes, payments.webhook_endpoints, payments.webhook_attempts");
        _sink = await Sink.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var disposable in _disposables)
            await disposable.DisposeAsync();
        await _fanOut.DisposeAsync();
        await _sink.DisposeAsync();
    }

    [Fact]
    public async Task Deliver_Event_ArrivesSignedWithTheSnapshot()
    {
        var (endpoint, secret) = await CreateAsync("/hooks");
        var happened = await HappenAsync("charge.captured", """{"id":"ch_1","amount":1250}""");
        await DispatchAsync();

        var got = Assert.Single(_sink.Got);
        Assert.Equal(happened.ToString(), got.Headers["webhook-id"]);
        Assert.True(Verifies(got, secret));
        Assert.False(got.Headers.ContainsKey("traceparent"));
        using var json = JsonDocument.Parse(got.Body);
        Assert.Equal("charge.captured", json.RootElement.GetProperty("type").GetString());
        Assert.Equal(1, json.RootElement.GetProperty("sequence").GetInt32());
        Assert.Equal("2026-03-01T12:00:00Z", json.RootElement.GetProperty("created_at").GetString());
        Assert.Equal(1250, json.RootElement.GetProperty("data").GetProperty("amount").GetInt32());
        var delivery = Assert.Single(await _deliveries.ListAsync(_merchant, endpoint, null, null, 10, default));
        Assert.Equal((DeliveryStatus.Delivered, 1), (delivery.Status, delivery.Attempts));
    }

    [Fact]
    public async Task FanOut_SameMessageManyTimes_DeliversOnceToEachEndpointThatWantsIt()
    {
        await CreateAsync("/all");
        await CreateAsync("/charges", "charge.*");
        await CreateAsync("/refunds", "refund.*");
        var happened = await AppendAsync("charge.captured", "{}");
        await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => FanOutAsync(happened)));
        await DispatchAsync();
        await FanOutAsync(happened);
        await DispatchAsync();

        Assert.Equal(["/all", "/charges"], _sink.Got.Select(got => got.Path).Order());
    }

    [Fact]
    public async Task Deliver_AfterRotation_CarriesBothSignaturesForADay()
    {
        var (endpoint, former) = await CreateAsync("/hooks");
        var rotated = await RotateAsync(endpoint);
        await HappenAsync("charge.captured", "{}");
        await DispatchAsync();
        _time.Advance(WebhookEndpoints.RotationOverlap);
        await HappenAsync("charge.captured", "{}");
        await DispatchAsync();

        var got = _sink.Got.ToArray();
        Assert.True(Verifies(got[0], former));
        Assert.True(Verifies(got[0], rotated.Secret!));
        Assert.False(Verifies(got[1], former));
        Assert.True(Verifies(got[1], rotated.Secret!));
    }

    [Fact]
    public async Task Deliver_ToAnEndpointWithAPublicKey_IsSignedWithEd25519AndOverADayWithTheFormerSecretToo()
    {
        var made = await MakeAsync(_merchant, $"{_sink.Address}/signed", EndpointSignature.Ed25519);
        Assert.Null(made.Secret);
        var (endpoint, publicKey) = (made.Endpoint!.Id, made.Endpoint.PublicKey!);
        await HappenAsync("charge.captured", "{}");
        await DispatchAsync();
        var rotated = await RotateAsync(endpoint);
        Assert.NotEqual(publicKey, rotated.Endpoint!.PublicKey);
        var toSecret = await RotateAsync(endpoint, EndpointSignature.Hmac);
        Assert.Null(toSecret.Endpoint!.PublicKey);
        await HappenAsync("charge.captured", "{}");
        await DispatchAsync();
        _time.Advance(WebhookEndpoints.RotationOverlap);
        await HappenAsync("charge.captured", "{}");
        await DispatchAsync();

        var got = _sink.Got.ToArray();
        Assert.StartsWith("v1a,", got[0].Headers["webhook-signature"], StringComparison.Ordinal);
        Assert.True(VerifiesWith(got[0], publicKey));
        Assert.True(VerifiesWith(got[1], rotated.Endpoint.PublicKey!));
        Assert.True(Verifies(got[1], toSecret.Secret!));
        Assert.False(VerifiesWith(got[2], rotated.Endpoint.PublicKey!));
        Assert.True(Verifies(got[2], toSecret.Secret!));
        Assert.Null((await _endpoints.FindAsync(_merchant, endpoint, default))!.PublicKey);
    }

    [Fact]
    public async Task Endpoint_OfALiveKey_HasToBeHttpsWhateverDevelopmentAllows()
    {
        var refused = await CommitAsync((connection, transaction) =>
            _endpoints.CreateAsync(connection, transaction, _merchant, $"{_sink.Address}/live", null, null, EndpointSignature.Hmac, live: true, Ada, default));
        Assert.Equal(EndpointRefusal.UrlNotSecure, refused.Refusal);

        var (endpoint, _) = await CreateAsync("/hooks");
        Assert.Equal(EndpointRefusal.UrlNotSecure, (await _endpoints.UpdateAsync(_merchant, endpoint, $"{_sink.Address}/live", null, null, null, live: true, Ada, default)).Refusal);
    }

    [Fact]
    public async Task Deliver_ServerErrors_RetriesOnScheduleUntilItGivesUp()
    {
        var (endpoint, secret) = await CreateAsync("/hooks");
        _sink.Answer = (_, context) =>
        {
            context.Response.StatusCode = 500;
            return Microsoft.AspNetCore.Http.HttpResponseWritingExtensions.WriteAsync(context.Response, "broken");
        };
        await HappenAsync("charge.captured", "{}");
        var started = _time.GetUtcNow();
        for (var i = 0; i < 2000 && (await OnlyDeliveryAsync(endpoint)).Status == DeliveryStatus.Pending; i++)
        {
            await DispatchAsync();
            if ((await OnlyDeliveryAsync(endpoint)).NextAttemptAt is { } next)
                await AdvanceToAsync(endpoint, next);
        }

        var delivery = await OnlyDeliveryAsync(endpoint);
        Assert.Equal((DeliveryStatus.Failed, 10), (delivery.Status, delivery.Attempts));
        Assert.InRange(_time.GetUtcNow() - started, TimeSpan.FromHours(60), TimeSpan.FromHours(92));
        var attempts = await _deliveries.ListAttemptsAsync(_merchant, delivery.Id, default);
        Assert.Equal(10, attempts.Count);
        Assert.All(attempts, attempt => Assert.Equal((AttemptOutcome.ServerError, 500, "broken"), (attempt.Outcome, attempt.StatusCode, attempt.Response)));
        Assert.All(_sink.Got, got => Assert.True(Verifies(got, secret)));
        Assert.Single(_sink.Got.Select(got => got.Headers["webhook-id"]).Distinct());
    }

    [Fact]
    public async Task Deliver_EndpointAsksToWait_IsLeftAloneThatLong()
    {
        var (endpoint, _) = await CreateAsync("/hooks");
        _sink.Answer = (_, context) =>
        {
            context.Response.StatusCode = 429;
            context.Response.Headers.RetryAfter = "1800";
            return Task.CompletedTask;
        };
        await HappenAsync("charge.captured", "{}");
        await DispatchAsync();

        Assert.Equal(_time.GetUtcNow().AddMinutes(30), (await OnlyDeliveryAsync(endpoint)).NextAttemptAt);
    }

    [Fact]
    public async Task Deliver_Gone_DisablesTheEndpointAndTellsTheOthers()
    {
        var (endpoint, _) = await CreateAsync("/gone");
        await CreateAsync("/other", "webhook_endpoint.*");
        _sink.Answer = (got, context) =>
        {
            context.Response.StatusCode = got.Path == "/gone" ? 410 : 200;
            return Task.CompletedTask;
        };
        await HappenAsync("charge.captured", "{}");
        await HappenAsync("charge.refunded", "{}");
        await DispatchAsync();
        await FanOutOutboxAsync();
        await DispatchAsync();

        var found = await _endpoints.FindAsync(_merchant, endpoint, default);
        Assert.Equal((EndpointStatus.Disabled, EndpointDisabledReason.Gone), (found!.Status, found.DisabledReason));
        Assert.DoesNotContain(await _deliveries.ListAsync(_merchant, endpoint, null, null, 10, default), d => d.Status == DeliveryStatus.Pending);
        Assert.Contains(_sink.Got, got => got.Path == "/other");
    }

    [Fact]
    public async Task Deliver_FailingForFiveDays_DisablesTheEndpoint()
    {
        var (endpoint, _) = await CreateAsync("/hooks");
        _sink.Answer = (_, context) =>
        {
            context.Response.StatusCode = 404;
            return Task.CompletedTask;
        };
        for (var hours = 0; hours <= 5 * 24; hours += 12)
        {
            Assert.Equal(EndpointStatus.Enabled, (await _endpoints.FindAsync(_merchant, endpoint, default))!.Status);
            await HappenAsync("charge.captured", "{}");
            await DispatchAsync();
            _time.Advance(TimeSpan.FromHours(12));
        }

        Assert.Equal(EndpointDisabledReason.Failing, (await _endpoints.FindAsync(_merchant, endpoint, default))!.DisabledReason);
    }

    [Fact]
    public async Task Deliver_Redirect_IsNotFollowed()
    {
        var (endpoint, _) = await CreateAsync("/hooks");
        _sink.Answer = (_, context) =>
        {
            context.Response.Redirect("/elsewhere");
            return Task.CompletedTask;
        };
        await HappenAsync("charge.captured", "{}");
        await DispatchAsync();

        Assert.Single(_sink.Got);
        Assert.Equal(302, Assert.Single(await AttemptsAsync(endpoint)).StatusCode);
    }

    [Fact]
    public async Task Deliver_AnswerWithoutEnd_KeepsTheFirstKilobyteAndHangsUp()
    {
        var (endpoint, _) = await CreateAsync("/hooks");
        _sink.Answer = async (_, context) =>
        {
            var chunk = new byte[4096];
            Array.Fill(chunk, (byte)'x');
            while (!context.RequestAborted.IsCancellationRequested)
                await context.Response.Body.WriteAsync(chunk, context.RequestAborted);
        };
        await HappenAsync("charge.captured", "{}");
        await DispatchAsync();

        var attempt = Assert.Single(await AttemptsAsync(endpoint));
        Assert.Equal((AttemptOutcome.Delivered, 1024), (attempt.Outcome, attempt.Response!.Length));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Deliver_OkWithABodyThatIsNotFinished_IsDelivered(bool trickles)
    {
        using var listener = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var stop = new CancellationTokenSource();
        var receiver = ReceiveAsync(listener, trickles, stop.Token);
        var made = await MakeAsync(_merchant, $"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}/h");
        await HappenAsync("charge.captured", "{}");

        // The clock stands until it is moved: the body gets its second, and the answer does not wait for its end.
        var dispatching = DispatchAsync();
        while (!dispatching.IsCompleted)
        {
            await Task.WhenAny(dispatching, Task.Delay(20));
            _time.Advance(TimeSpan.FromMilliseconds(250));
        }

        await dispatching;
        Assert.Equal(DeliveryStatus.Delivered, (await OnlyDeliveryAsync(made.Endpoint!.Id)).Status);
        var attempt = Assert.Single(await AttemptsAsync(made.Endpoint.Id));
        Assert.Equal((AttemptOutcome.Delivered, 200), (attempt.Outcome, attempt.StatusCode));
        await stop.CancelAsync();
        await receiver;
    }

    /// <summary>Answers 200 at once, and never finishes its body, or announces more than it sends.</summary>
    private static async Task ReceiveAsync(System.Net.Sockets.TcpListener listener, bool trickles, CancellationToken stop)
    {
        try
        {
            using var client = await listener.AcceptTcpClientAsync(stop);
            await using var stream = client.GetStream();
            _ = await stream.ReadAsync(new byte[16 * 1024], stop);
            await stream.WriteAsync(trickles ? "HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n."u8.ToArray() : "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok"u8.ToArray(), stop);
            while (trickles)
            {
                await Task.Delay(20, stop);
                await stream.WriteAsync("."u8.ToArray(), stop);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The test is over, or the sender hung up.
        }
    }

    [Fact]
    public async Task Resend_ARange_TakesWhatWaitsForItsNextAttempt()
    {
        var (endpoint, _) = await CreateAsync("/hooks");
        var from = _time.GetUtcNow();
        _sink.Answer = (_, context) =>
        {
            context.Response.StatusCode = 400;
            return Task.CompletedTask;
        };
        await HappenAsync("charge.captured", "{}");
        await DispatchAsync();
        _sink.Answer = (_, _) => Task.CompletedTask;
        Assert.Equal(DeliveryStatus.Pending, (await OnlyDeliveryAsync(endpoint)).Status);

        Assert.Equal(1, await _deliveries.ResendAsync(_merchant, endpoint, from, from.AddHours(1), deliveredToo: false, Ada, default));
        Assert.Equal(0, await _deliveries.ResendAsync(_merchant, endpoint, from, from.AddHours(1), deliveredToo: false, Ada, default));
        await DispatchAsync();

        Assert.Equal(DeliveryStatus.Delivered, (await OnlyDeliveryAsync(endpoint)).Status);
        Assert.Equal(2, _sink.Got.Count);
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("10.0.0.5")]
    [InlineData("169.254.169.254")]
    [InlineData("::ffff:192.168.1.1")]
    [InlineData("fd00::1")]
    public async Task Deliver_NameThatTurnedPrivateAfterItWasSaved_IsRefusedWhenConnecting(string address)
    {
        var created = await MakeAsync(_merchant, "https://rebinding.example.com/");
        var resolved = 0;
        using var http = new WebhookHttp(new WebhookOptions(), (_, _) =>
        {
            resolved++;
            return Task.FromResult<IPAddress[]>([IPAddress.Parse(address)]);
        });
        await HappenAsync("charge.captured", "{}");
        await DispatchAsync(http);

        Assert.Equal(1, resolved);
        Assert.Equal(AttemptOutcome.AddressRefused, Assert.Single(await AttemptsAsync(created.Endpoint!.Id)).Outcome);
        Assert.Empty(_sink.Got);
    }

    [Fact]
    public async Task Deliver_OneEndpointHangs_FiftyOthersGetTheirsMeanwhile()
    {
        await CreateAsync("/hangs");
        var others = new List<MerchantId>();
        for (var i = 0; i < 50; i++)
        {
            var merchant = PrefixedId.New<MerchantId>(_time.GetUtcNow());
            others.Add(merchant);
            Assert.Null((await MakeAsync(merchant, $"{_sink.Address}/{i}")).Refusal);
        }

        var hanging = new TaskCompletionSource();
        _sink.Answer = (got, _) => got.Path == "/hangs" ? hanging.Task : Task.CompletedTask;
        for (var i = 0; i < 20; i++)
            await HappenAsync("charge.captured", "{}");
        using var http = new WebhookHttp(_options);
        var dispatch = Dispatcher(http).DispatchDueAsync(default);
        foreach (var merchant in others)
            await FanOutAsync(await AppendAsync("charge.captured", "{}", merchant), merchant);
        await PollAsync(() => Task.FromResult(_sink.Got.Count(got => got.Path != "/hangs") == 50));

        Assert.False(dispatch.IsCompleted);
        Assert.InRange(_sink.Got.Count(got => got.Path == "/hangs"), 1, 8);
        hanging.SetResult();
        await dispatch;
    }

    [Fact]
    public async Task Deliver_EndpointInTrouble_IsTriedWithOneAfterAPause()
    {
        var (endpoint, _) = await CreateAsync("/hooks");
        _sink.Answer = (_, context) =>
        {
            context.Response.StatusCode = 503;
            return Task.CompletedTask;
        };
        for (var i = 0; i < DeliveryRules.CircuitAfter; i++)
        {
            await HappenAsync("charge.captured", "{}");
            await DispatchAsync();
        }

        var before = _sink.Got.Count;
        for (var i = 0; i < 20; i++)
            await HappenAsync("charge.captured", "{}");
        await DispatchAsync();
        Assert.Equal(before, _sink.Got.Count);

        // The pause is as long as said, and what is tried again first may be a fifth later.
        _time.Advance(DeliveryRules.PauseAfter(DeliveryRules.CircuitAfter) * 1.25);
        await DispatchAsync();
        Assert.Equal(before + 1, _sink.Got.Count);

        _sink.Answer = (_, _) => Task.CompletedTask;
        _time.Advance(TimeSpan.FromHours(1));
        await DispatchAsync();
        Assert.All(await _deliveries.ListAsync(_merchant, endpoint, null, null, 100, default), d => Assert.Equal(DeliveryStatus.Delivered, d.Status));
    }

    [Fact]
    public async Task Deliver_EventDuringATurn_IsNotOverlookedWhenTheLaneIsGivenBack()
    {
        await CreateAsync("/hooks");
        var first = new TaskCompletionSource();
        _sink.Answer = (_, _) => _sink.Got.Count == 1 ? first.Task : Task.CompletedTask;
        await HappenAsync("charge.captured", "{}");
        var dispatch = DispatchAsync();
        await PollAsync(() => Task.FromResult(_sink.Got.Count == 1));
        await HappenAsync("charge.captured", "{}");
        first.SetResult();
        await dispatch;
        await DispatchAsync();

        Assert.Equal(2, _sink.Got.Count);
    }

    [Fact]
    public async Task Deliver_SeveralDispatchersAtOnce_SendEachDeliveryOnce()
    {
        await CreateAsync("/a");
        await CreateAsync("/b");
        for (var i = 0; i < 60; i++)
            await HappenAsync("charge.captured", "{}");
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => DispatchAsync()));
        await DispatchAsync();

        Assert.Equal(120, _sink.Got.Count);
        Assert.Equal(120, _sink.Got.Select(got => got.Path + got.Headers["webhook-id"]).Distinct().Count());
    }

    [Fact]
    public async Task Deliver_DispatcherDiedDuringATurn_AnotherDeliversAfterTheLease()
    {
        await CreateAsync("/hooks");
        await HappenAsync("charge.captured", "{}");
        await ExecuteAsync($"UPDATE payments.webhook_lanes SET lease = gen_random_uuid(), leased_until = '{_time.GetUtcNow().AddSeconds(60):O}'");
        await DispatchAsync();
        Assert.Empty(_sink.Got);

        _time.Advance(TimeSpan.FromSeconds(60));
        await DispatchAsync();
        Assert.Single(_sink.Got);
    }

    [Fact]
    public async Task Resend_OneARangeOrATest_ArrivesAgain()
    {
        var (endpoint, _) = await CreateAsync("/hooks");
        var from = _time.GetUtcNow();
        var happened = await HappenAsync("charge.captured", "{}");
        await DispatchAsync();
        Assert.True(await _deliveries.ResendAsync(_merchant, (await OnlyDeliveryAsync(endpoint)).Id, Ada, default));
        await DispatchAsync();
        Assert.Equal(0, await _deliveries.ResendAsync(_merchant, endpoint, from, from.AddHours(1), deliveredToo: false, Ada, default));
        Assert.Equal(1, await _deliveries.ResendAsync(_merchant, endpoint, from, from.AddHours(1), deliveredToo: true, Ada, default));
        await DispatchAsync();
        Assert.All(_sink.Got, got => Assert.Equal(happened.ToString(), got.Headers["webhook-id"]));
        Assert.Equal(3, _sink.Got.Count);

        Assert.NotNull(await _deliveries.SendTestAsync(_merchant, endpoint, default));
        await DispatchAsync();
        Assert.Equal("webhook_endpoint.test", JsonDocument.Parse(_sink.Got.Last().Body).RootElement.GetProperty("type").GetString());
        Assert.False(await _deliveries.ResendAsync(PrefixedId.New<MerchantId>(from), (await _deliveries.ListAsync(_merchant, endpoint, null, null, 1, default))[0].Id, Ada, default));
    }

    [Fact]
    public async Task Delete_WhileAnEventIsFannedOut_LeavesNothingPendingForGood()
    {
        var (endpoint, _) = await CreateAsync("/hooks");
        await HappenAsync("charge.authorized", "{}");
        await DispatchAsync();
        var happened = await AppendAsync("charge.captured", "{}");
        await using var connection = await _database.App.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using (var fanOut = new Npgsql.NpgsqlCommand(OutboundSql.FanOut, connection, transaction)
        {
            Parameters =
            {
                new() { Value = new[] { _merchant.Value } }, new() { Value = new[] { happened.Value } }, new() { Value = new[] { happened.Value } }, new() { Value = _time.GetUtcNow() },
                new() { Value = new string?[] { null }, NpgsqlDbType = NpgsqlTypes.NpgsqlDbType.Array | NpgsqlTypes.NpgsqlDbType.Text },
            },
        })
        {
            await fanOut.ExecuteNonQueryAsync();
        }

        var deleting = _endpoints.DeleteAsync(_merchant, endpoint, Ada, default);
        await PollAsync(async () => await CountAsync("pg_locks JOIN pg_stat_activity USING (pid) WHERE datname = current_database() AND NOT granted") == 1);
        await transaction.CommitAsync();
        Assert.True(await deleting);

        await DispatchAsync();
        Assert.Equal(0, await CountAsync("payments.webhook_deliveries WHERE status = 'pending'"));
        Assert.Equal(1, await CountAsync("payments.webhook_deliveries WHERE status = 'canceled'"));
    }

    [Fact]
    public async Task Endpoints_DisabledOrDeleted_GetNothingMoreAndEnabledAgainTheyDo()
    {
        var (endpoint, _) = await CreateAsync("/hooks");
        await HappenAsync("charge.captured", "{}");
        Assert.Null((await _endpoints.UpdateAsync(_merchant, endpoint, null, null, null, EndpointStatus.Disabled, live: false, Ada, default)).Refusal);
        await DispatchAsync();
        Assert.Empty(_sink.Got);
        Assert.Equal(DeliveryStatus.Canceled, (await OnlyDeliveryAsync(endpoint)).Status);

        Assert.Null((await _endpoints.UpdateAsync(_merchant, endpoint, $"{_sink.Address}/new", "", ["refund.*"], EndpointStatus.Enabled, live: false, Ada, default)).Refusal);
        await HappenAsync("charge.captured", "{}");
        await HappenAsync("refund.succeeded", "{}");
        await DispatchAsync();
        Assert.Equal("/new", Assert.Single(_sink.Got).Path);

        var late = await AppendAsync("refund.failed", "{}");
        Assert.True(await _endpoints.DeleteAsync(_merchant, endpoint, Ada, default));
        await FanOutAsync(late);
        await DispatchAsync();
        Assert.Single(_sink.Got);
        Assert.False(await _endpoints.DeleteAsync(_merchant, endpoint, Ada, default));
        Assert.Equal(EndpointRefusal.NotFound, (await RotateAsync(endpoint)).Refusal);
    }

    [Fact]
    public async Task Endpoints_OfAnotherMerchant_AreNotThere()
    {
        var (endpoint, _) = await CreateAsync("/hooks");
        var other = PrefixedId.New<MerchantId>(_time.GetUtcNow());

        Assert.Null(await _endpoints.FindAsync(other, endpoint, default));
        Assert.Empty(await _endpoints.ListAsync(other, null, 10, default));
        Assert.False(await _endpoints.DeleteAsync(other, endpoint, Ada, default));
        Assert.Equal(EndpointRefusal.NotFound, (await _endpoints.UpdateAsync(other, endpoint, null, "x", null, null, live: false, Ada, default)).Refusal);
    }

    [Fact]
    public async Task Endpoints_Secret_IsStoredEncryptedAndResealedWithTheActiveKey()
    {
        var (endpoint, secret) = await CreateAsync("/hooks");
        var ring = new SecretBox(new Dictionary<string, byte[]> { ["k"] = new byte[32], ["new"] = [.. Enumerable.Repeat((byte)1, 32)] }, "new");
        var rotated = new WebhookEndpoints(_database.App, ring, _options, _signal, _time);

        Assert.Equal(1, await rotated.ResealAsync(default));
        Assert.Equal(0, await rotated.ResealAsync(default));
        await using var connection = await _database.App.OpenConnectionAsync();
        var stored = await connection.ExecuteScalarAsync<byte[]>("SELECT secret FROM payments.webhook_endpoints WHERE id = @id", new { id = endpoint.Value });
        Assert.Equal(secret, System.Text.Encoding.UTF8.GetString(ring.Open(stored, $"webhook_endpoint:{endpoint}")));
        Assert.DoesNotContain(Convert.ToHexString(System.Text.Encoding.UTF8.GetBytes(secret)), Convert.ToHexString(stored!), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Purge_OldDeliveries_Go()
    {
        var (endpoint, _) = await CreateAsync("/hooks");
        await HappenAsync("charge.captured", "{}");
        await DispatchAsync();
        _time.Advance(TimeSpan.FromDays(91));
        await HappenAsync("charge.captured", "{}");
        await DispatchAsync();

        var old = (await _deliveries.ListAsync(_merchant, endpoint, null, null, 10, default))[^1];
        Assert.Single(await _deliveries.ListAttemptsAsync(_merchant, old.Id, default));

        Assert.Equal(1, await _deliveries.PurgeAsync(default));
        Assert.Single(await AttemptsAsync(endpoint));
        Assert.Empty(await _deliveries.ListAttemptsAsync(_merchant, old.Id, default));
    }

    private static bool Verifies(Sink.Received got, string secret) => StandardWebhooks.Verify(
        [StandardWebhooks.KeyOf(secret)!],
        got.Headers["webhook-id"],
        long.Parse(got.Headers["webhook-timestamp"], CultureInfo.InvariantCulture),
        got.Body,
        got.Headers["webhook-signature"]);

    private static bool VerifiesWith(Sink.Received got, string publicKey) => StandardWebhooksEd25519.Verify(
        [StandardWebhooksEd25519.PublicKey(publicKey)!],
        got.Headers["webhook-id"],
        long.Parse(got.Headers["webhook-timestamp"], CultureInfo.InvariantCulture),
        got.Body,
        got.Headers["webhook-signature"]);

    private static async Task PollAsync(Func<Task<bool>> condition)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (!await condition())
            await Task.Delay(10, deadline.Token);
    }

    private async Task<(WebhookEndpointId Id, string Secret)> CreateAsync(string path, params string[] types)
    {
        var result = await MakeAsync(_merchant, _sink.Address + path, types);
        Assert.Null(result.Refusal);
        return (result.Endpoint!.Id, result.Secret!);
    }

    private Task<EndpointResult> MakeAsync(MerchantId merchant, string url, params string[] types) => MakeAsync(merchant, url, EndpointSignature.Hmac, types);

    private Task<EndpointResult> MakeAsync(MerchantId merchant, string url, EndpointSignature signature, params string[] types) => CommitAsync((connection, transaction) =>
        _endpoints.CreateAsync(connection, transaction, merchant, url, null, types.Length == 0 ? null : types, signature, live: false, Ada, default));

    private Task<EndpointResult> RotateAsync(WebhookEndpointId endpoint, EndpointSignature? signature = null) =>
        CommitAsync((connection, transaction) => _endpoints.RotateSecretAsync(connection, transaction, _merchant, endpoint, signature, Ada, default));

    private async Task<EndpointResult> CommitAsync(Func<Npgsql.NpgsqlConnection, Npgsql.NpgsqlTransaction, Task<EndpointResult>> work)
    {
        await using var connection = await _database.App.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        var result = await work(connection, transaction);
        await transaction.CommitAsync();
        return result;
    }

    private async Task<EventId> HappenAsync(string type, string data)
    {
        var id = await AppendAsync(type, data);
        await FanOutAsync(id);
        return id;
    }

    private async Task<EventId> AppendAsync(string type, string data, MerchantId? merchant = null)
    {
        var now = _time.GetUtcNow();
        var happened = new DomainEvent(PrefixedId.New<EventId>(now), merchant ?? _merchant, type, type.Split('.')[0], Guid.CreateVersion7(now), data, now);
        await using var connection = await _database.App.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await EventLog.AppendAsync(connection, transaction, [happened], default);
        await transaction.CommitAsync();
        return happened.Id;
    }

    private Task FanOutAsync(EventId id, MerchantId? merchant = null) => _fanOut.HandleAsync(
        new Message(id.Value, "event.created", 1, JsonElement.Parse($$"""{"merchant_id":"{{(merchant ?? _merchant).Value}}","event_id":"{{id.Value}}"}"""), _time.GetUtcNow()), default);

    private async Task FanOutOutboxAsync()
    {
        var sender = new MemorySender();
        await new OutboxRelay(_database.App, sender, _time, NullLogger<OutboxRelay>.Instance).RelayAsync(default);
        foreach (var (_, message) in sender.Sent)
            await _fanOut.HandleAsync(new Message(message.Id, message.Type, message.Version, message.Body!.Value, message.CreatedAt), default);
    }

    private async Task DispatchAsync(WebhookHttp? http = null)
    {
        using var own = new WebhookHttp(_options);
        await Dispatcher(http ?? own).DispatchDueAsync(default);
    }

    private WebhookDispatcher Dispatcher(WebhookHttp http)
    {
        var disable = new DisableEndpoint(_database.App, new OutboxSignal(), _time, NullLogger<DisableEndpoint>.Instance);
        var dispatcher = new WebhookDispatcher(_database.App, http, _secrets, disable, _signal, _options, _time, NullLogger<WebhookDispatcher>.Instance);
        _disposables.Add(dispatcher);
        return dispatcher;
    }

    // The circuit of a failing endpoint may hold a delivery a little longer than its own time.
    private async Task AdvanceToAsync(WebhookEndpointId endpoint, DateTimeOffset next)
    {
        await using var connection = await _database.App.OpenConnectionAsync();
        var due = await connection.ExecuteScalarAsync<DateTime?>("SELECT due_at FROM payments.webhook_lanes WHERE endpoint_id = @id", new { id = endpoint.Value });
        var target = due is { } lane && lane > next.UtcDateTime ? new DateTimeOffset(lane, TimeSpan.Zero) : next;
        if (target > _time.GetUtcNow())
            _time.Advance(target - _time.GetUtcNow() + TimeSpan.FromTicks(10));
    }

    private async Task<WebhookDelivery> OnlyDeliveryAsync(WebhookEndpointId endpoint) => Assert.Single(await _deliveries.ListAsync(_merchant, endpoint, null, null, 10, default));

    private async Task<IReadOnlyList<DeliveryAttempt>> AttemptsAsync(WebhookEndpointId endpoint) =>
        await _deliveries.ListAttemptsAsync(_merchant, (await OnlyDeliveryAsync(endpoint)).Id, default);

    private async Task<long> CountAsync(string from)
    {
        await using var connection = await _database.Owner.OpenConnectionAsync();
        return await connection.ExecuteScalarAsync<long>($"SELECT count(*) FROM {from}");
    }

    private async Task ExecuteAsync(string sql)
    {
        await using var connection = await _database.Owner.OpenConnectionAsync();
        await connection.ExecuteAsync(sql);
    }
}
