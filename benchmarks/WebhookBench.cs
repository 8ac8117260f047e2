using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Payments.Domain;
using Payments.Domain.Messaging;
using Payments.Domain.Secrets;
using Payments.Domain.Webhooks;
using Payments.Domain.Webhooks.Inbound;
using Payments.Domain.Webhooks.Outbound;
using Payments.Kit;
using EventId = Payments.Domain.EventId;
using EventLog = Payments.Domain.Messaging.EventLog;

namespace Payments.Benchmarks;

/// <summary>
/// Webhooks in over HTTP (read, verify, store with a message, acknowledge) beside a bare endpoint of the same server that reads the same bytes and does one INSERT,
/// the drain of what was stored, and webhooks out to a thousand endpoints of a sink: servers and callers are in this process, without the
/// Functions host. A measurement before these sends webhooks through the host to the published app.
/// </summary>
internal static class WebhookBench
{
    private const string Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    private const int Endpoints = 1_000;
    private static readonly int[] Callers = [1, 16, 64, 256];
    private static readonly byte[] Key = StandardWebhooks.KeyOf(Secret)!;
    private static readonly byte[] Body = Encoding.UTF8.GetBytes($$$"""{"id":"e","type":"payment.captured","data":{"text":"{{{new string('x', 1_000)}}}"}}""");
    private static long _numbers;

    public static async Task RunAsync(BenchRun run)
    {
        var times = run.Quick
            ? new BenchTimes(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2))
            : new BenchTimes(TimeSpan.FromSeconds(3), TimeSpan.FromSeconds(15));
        await OnTheHostAsync(run, times);
        var bare = await InAsync(run, times);
        await DrainAsync(run, bare);
        await OutAsync(run, run.Quick ? 20_000 : 200_000);
    }

    /// <summary>
    /// Webhooks through the host to the published app, in turn with a function on the same host that does one INSERT. The app's relay runs,
    /// so the app queues and processes the stored events meanwhile.
    /// </summary>
    private static async Task OnTheHostAsync(BenchRun run, BenchTimes times)
    {
        const int Turns = 3;
        await run.ExecuteAsync(BareCharge.Table);
        var secrets = Secrets.Create();
        var key = StandardWebhooks.KeyOf(secrets.WebhookSecret)!;
        await using var acquirer = await ChargesBench.StartAcquirerAsync(run, secrets);
        await using var app = await ChargesBench.StartAppAsync(run, acquirer, secrets);
        await using var function = await HttpBench.StartFunctionAsync(run);
        var text = Encoding.UTF8.GetString(Body);
        var turn = times with { Measure = times.Measure / Turns };
        foreach (var (callers, reported) in Callers.Select(callers => (callers, true)).Prepend((32, false)))
        {
            var (ours, theirs) = (new List<HttpLoadResult>(), new List<HttpLoadResult>());
            for (var i = 0; i < Turns; i++)
            {
                theirs.Add(await HttpLoad.PostAsync(
                    function.Address, callers, turn.WarmUp, turn.Measure,
                    _ => $"POST /v1/charges HTTP/1.1\r\nHost: {function.Address.Authority}\r\nContent-Type: application/json\r\n",
                    _ => """{"amount":1050,"currency":"EUR","payment_method":"tok_visa","description":"Order 1"}""", 201));
                ours.Add(await HttpLoad.PostAsync(app.Address, callers, turn.WarmUp, turn.Measure, _ => Head(), _ => text, 200));
            }

            if (!reported)
                continue;
            var (mine, baseline) = (HttpLoadResult.Of(ours), HttpLoadResult.Of(theirs));
            var name = $"in, on the host, {callers} callers, beside a function";
            run.Report(name, "throughput", mine.PerSecond, "events/s", baseline.PerSecond);
            run.Report(name, "p50", mine.P50Milliseconds, "ms", baseline.P50Milliseconds);
            run.Report(name, "p99", mine.P99Milliseconds, "ms", baseline.P99Milliseconds);
            run.Report(name, "failures", mine.Failures + baseline.Failures, "requests");
        }

        string Head()
        {
            var (id, time) = (NextId(), TimeProvider.System.GetUtcNow().ToUnixTimeSeconds());
            return $"POST /webhooks/sandbox HTTP/1.1\r\nHost: {app.Address.Authority}\r\nContent-Type: application/json\r\n"
                + $"{StandardWebhooks.IdHeader}: {id}\r\n{StandardWebhooks.TimestampHeader}: {time}\r\n"
                + $"{StandardWebhooks.SignatureHeader}: {StandardWebhooks.Sign(key, id, time, Body)}\r\n";
        }
    }

    private static async Task<double> InAsync(BenchRun run, BenchTimes times)
    {
        await run.ExecuteAsync("CREATE TABLE payments.bare_events (id text PRIMARY KEY, payload bytea NOT NULL, received_at timestamptz NOT NULL); GRANT INSERT ON payments.bare_events TO payments_app");
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?> { ["Webhooks:Inbound:acme:Secret"] = Secret }).Build();
        var providers = new InboundProviders(configuration, [new WebhookScheme("standard", secrets => new StandardWebhooksVerifier(secrets))]);
        await using var receive = new ReceiveWebhook(providers, run.App, new OutboxSignal(), TimeProvider.System, NullLogger<ReceiveWebhook>.Instance);
        await using var server = await ServeAsync(async context =>
        {
            var body = await ReadAsync(context.Request);
            if (context.Request.Path == "/bare")
            {
                await InsertAsync(run.App, context.Request.Headers[StandardWebhooks.IdHeader].ToString(), body);
                return;
            }

            var receipt = await receive.HandleAsync("acme", context.Request.Headers, body, CancellationToken.None);
            context.Response.StatusCode = receipt.Refusal is null ? StatusCodes.Status200OK : StatusCodes.Status401Unauthorized;
            await context.Response.WriteAsync(receipt.Acknowledgement);
        });
        using var http = new HttpMessageInvoker(new SocketsHttpHandler { UseProxy = false, ActivityHeadersPropagator = null, PooledConnectionLifetime = TimeSpan.FromHours(1) });
        var address = server.Urls.First();
        var best = 0.0;
        foreach (var callers in Callers)
        {
            var bare = await ClosedLoop.RunAsync(callers, times.WarmUp, times.Measure, _ => PostAsync(http, address + "/bare"));
            var ours = await ClosedLoop.RunAsync(callers, times.WarmUp, times.Measure, _ => PostAsync(http, address + "/webhooks/acme"));
            run.Report($"in, {callers} callers", "throughput", ours.PerSecond, "events/s", bare.PerSecond);
            run.Report($"in, {callers} callers", "p50", ours.P50Milliseconds, "ms", bare.P50Milliseconds);
            run.Report($"in, {callers} callers", "p99", ours.P99Milliseconds, "ms", bare.P99Milliseconds);
            best = Math.Max(best, bare.PerSecond);
        }

        return best;
    }

    private static async Task<WebApplication> ServeAsync(RequestDelegate answer)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var server = builder.Build();
        server.Run(answer);
        await server.StartAsync();
        return server;
    }

    private static async Task<byte[]> ReadAsync(HttpRequest request)
    {
        var body = new byte[(int)request.ContentLength!.Value];
        await request.Body.ReadExactlyAsync(body);
        return body;
    }

    private static async Task InsertAsync(NpgsqlDataSource dataSource, string id, byte[] body)
    {
        await using var command = dataSource.CreateCommand("INSERT INTO payments.bare_events (id, payload, received_at) VALUES ($1, $2, $3)");
        command.Parameters.Add(new() { Value = id });
        command.Parameters.Add(new() { Value = body });
        command.Parameters.Add(new() { Value = TimeProvider.System.GetUtcNow().UtcDateTime });
        await command.ExecuteNonQueryAsync();
    }

    // Both get the same signed request, so that making it costs both the same.
    private static async Task PostAsync(HttpMessageInvoker http, string address)
    {
        var id = NextId();
        var time = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        using var request = new HttpRequestMessage(HttpMethod.Post, address) { Content = new ByteArrayContent(Body) };
        request.Headers.Add(StandardWebhooks.IdHeader, id);
        request.Headers.Add(StandardWebhooks.TimestampHeader, time.ToString(CultureInfo.InvariantCulture));
        request.Headers.Add(StandardWebhooks.SignatureHeader, StandardWebhooks.Sign(Key, id, time, Body));
        using var answer = await http.SendAsync(request, CancellationToken.None);
        if (!answer.IsSuccessStatusCode)
            throw new InvalidOperationException($"The webhook was answered with {(int)answer.StatusCode}.");
    }

    private static async Task DrainAsync(BenchRun run, double bare)
    {
        var queue = new MemoryQueue();
        var relay = new OutboxRelay(run.App, queue, TimeProvider.System, NullLogger<OutboxRelay>.Instance);
        var started = Stopwatch.GetTimestamp();
        var relayed = await relay.RelayAsync(CancellationToken.None);
        run.Report("relay", "throughput", relayed / Stopwatch.GetElapsedTime(started).TotalSeconds, "messages/s");

        await using var process = new ProcessProviderEvent(run.App, [], [], TimeProvider.System, NullLogger<ProcessProviderEvent>.Instance);
        started = Stopwatch.GetTimestamp();
        var handled = 0;
        await Parallel.ForEachAsync(queue.Messages.Take(run.Quick ? 20_000 : 200_000), new ParallelOptions { MaxDegreeOfParallelism = 64 }, async (message, ct) =>
        {
            await process.HandleAsync(new Message(message.Id, message.Type, message.Version, message.Body!.Value, message.CreatedAt), ct);
            Interlocked.Increment(ref handled);
        });
        run.Report("drain, 64 at a time", "throughput", handled / Stopwatch.GetElapsedTime(started).TotalSeconds, "events/s", bare);
    }

    private static async Task OutAsync(BenchRun run, int events)
    {
        var got = 0;
        await using var sink = await ServeAsync(async context =>
        {
            await context.Request.Body.CopyToAsync(Stream.Null);
            Interlocked.Increment(ref got);
            context.Response.StatusCode = StatusCodes.Status204NoContent;
        });

        var options = new WebhookOptions { AllowLoopback = true };
        var secrets = new SecretBox(new Dictionary<string, byte[]> { ["bench"] = new byte[32] }, "bench");
        var signal = new WebhookSignal();
        var merchants = await EndpointsAsync(run, secrets, sink.Urls.First());
        await AppendAsync(run, merchants, events);
        var queue = new MemoryQueue();
        await new OutboxRelay(run.App, queue, TimeProvider.System, NullLogger<OutboxRelay>.Instance).RelayAsync(CancellationToken.None);
        await using var fanOut = new FanOutEvent(run.App, signal, TimeProvider.System);
        var started = Stopwatch.GetTimestamp();
        await Parallel.ForEachAsync(queue.Messages, new ParallelOptions { MaxDegreeOfParallelism = 64 }, async (message, ct) =>
            await fanOut.HandleAsync(new Message(message.Id, message.Type, message.Version, message.Body!.Value, message.CreatedAt), ct));
        run.Report("fan-out, 64 at a time", "throughput", queue.Messages.Count / Stopwatch.GetElapsedTime(started).TotalSeconds, "events/s");

        using var http = new WebhookHttp(options);
        var disable = new DisableEndpoint(run.App, new OutboxSignal(), TimeProvider.System, NullLogger<DisableEndpoint>.Instance);
        await using var dispatcher = new WebhookDispatcher(run.App, http, secrets, disable, signal, options, TimeProvider.System, NullLogger<WebhookDispatcher>.Instance);
        var before = Memory();
        started = Stopwatch.GetTimestamp();
        await dispatcher.DispatchDueAsync(CancellationToken.None);
        run.Report($"out, {Endpoints} endpoints", "throughput", got / Stopwatch.GetElapsedTime(started).TotalSeconds, "deliveries/s");
        run.Report($"out, {Endpoints} endpoints", "delivered", got, "deliveries", events);
        run.Report($"out, {Endpoints} endpoints", "memory", Memory(), "MB", before);
    }

    private static async Task<MerchantId[]> EndpointsAsync(BenchRun run, SecretBox secrets, string address)
    {
        var now = TimeProvider.System.GetUtcNow();
        var merchants = Enumerable.Range(0, Endpoints).Select(_ => PrefixedId.New<MerchantId>(now)).ToArray();
        await using var connection = await run.App.OpenConnectionAsync();
        for (var i = 0; i < merchants.Length; i++)
        {
            var id = PrefixedId.New<WebhookEndpointId>(now);
            await using var command = new NpgsqlCommand(
                """
                INSERT INTO payments.webhook_endpoints (bucket, merchant_id, id, url, event_types, api_version, status, secret, created_at,
                    updated_at)
                VALUES (payments.bucket_of($1), $1, $2, $3, ARRAY['*'], $4, 'enabled', $5, $6, $6)
                """,
                connection)
            {
                Parameters =
                {
                    new() { Value = merchants[i].Value }, new() { Value = id.Value }, new() { Value = $"{address}/{i}" }, new() { Value = StoredEvent.ApiVersion },
                    new() { Value = secrets.Seal(Encoding.UTF8.GetBytes(Secret), $"webhook_endpoint:{id}") }, new() { Value = now.UtcDateTime },
                },
            };
            await command.ExecuteNonQueryAsync();
        }

        return merchants;
    }

    private static async Task AppendAsync(BenchRun run, MerchantId[] merchants, int events)
    {
        var data = $$"""{"id":"ch_1","object":"charge","text":"{{new string('y', 600)}}"}""";
        var started = Stopwatch.GetTimestamp();
        await using var connection = await run.App.OpenConnectionAsync();
        for (var at = 0; at < events; at += 500)
        {
            var now = TimeProvider.System.GetUtcNow();
            await using var transaction = await connection.BeginTransactionAsync();
            await EventLog.AppendAsync(
                connection,
                transaction,
                [.. Enumerable.Range(at, 500).Select(i => new DomainEvent(PrefixedId.New<EventId>(now), merchants[i % Endpoints], "charge.captured", "charge", Guid.CreateVersion7(now), data, now))],
                CancellationToken.None);
            await transaction.CommitAsync();
        }

        run.Report("append, 500 at a time", "throughput", events / Stopwatch.GetElapsedTime(started).TotalSeconds, "events/s");
        await run.ExecuteAsync("ANALYZE payments.events, payments.outbox, payments.webhook_endpoints");
    }

    private static string NextId() => $"evt_{Interlocked.Increment(ref _numbers):x32}";

    private static double Memory() => GC.GetTotalMemory(forceFullCollection: true) / 1e6;

    private sealed class MemoryQueue : IMessageSender
    {
        public ConcurrentQueue<MessageEnvelope> Messages { get; } = new();

        public Task<IReadOnlyList<string?>> SendAsync(string queue, IReadOnlyList<MessageEnvelope> messages, CancellationToken ct)
        {
            foreach (var message in messages)
                Messages.Enqueue(message);
            return Task.FromResult<IReadOnlyList<string?>>(new string?[messages.Count]);
        }
    }
}
