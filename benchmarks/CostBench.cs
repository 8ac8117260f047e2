using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Npgsql;
using Payments.Kit;

namespace Payments.Benchmarks;

/// <summary>
/// What one charge uses, for docs/cost.md: processor time of the app (host and worker) and of Postgres, commits, rows, log and disk. The app, the acquirer and the
/// servers run as processes of their own; each merchant has an endpoint that takes its webhooks. What the idle app uses is measured first and taken off.
/// </summary>
internal static class CostBench
{
    private const int Merchants = 20;
    private const int Callers = 16;

    public static async Task RunAsync(BenchRun run)
    {
        var charges = run.Quick ? 2_000 : 20_000;
        var secrets = Secrets.Create();
        var appPort = FreePorts.Take();
        await using var acquirer = await ChargesBench.StartAcquirerAsync(run, secrets, new Uri($"http://127.0.0.1:{appPort}/webhooks/sandbox"));
        await using var app = await ChargesBench.StartAppAsync(run, acquirer, secrets, appPort);
        using var http = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = Callers }) { BaseAddress = app.Address };
        await using var database = NpgsqlDataSource.Create(run.OwnerConnectionString);
        var postmaster = Fields((await run.ScalarAsync<int>("SELECT pg_backend_pid()")).ToString(CultureInfo.InvariantCulture))[1];
        using var sink = new Sink();
        var keys = new List<string>();
        for (var i = 0; i < Merchants; i++)
            keys.Add(await MerchantAsync(http, secrets.PlatformKey, sink.Address));

        await ChargeAsync(http, keys, run.Quick ? 500 : 2_000);
        await SettledAsync(database);
        var idleFrom = await UsageAsync(database, sink, app, postmaster);
        await Task.Delay(TimeSpan.FromSeconds(run.Quick ? 8 : 30));
        var idleTo = await UsageAsync(database, sink, app, postmaster);
        var began = Stopwatch.GetTimestamp();
        await ChargeAsync(http, keys, charges);
        await SettledAsync(database);
        var to = await UsageAsync(database, sink, app, postmaster);
        Console.Error.WriteLine($"# {charges} charges and all that follows them in {Stopwatch.GetElapsedTime(began).TotalSeconds:0} s");

        var idle = (idleTo - idleFrom) / (idleTo.At - idleFrom.At);
        var used = to - idleTo - (idle * (to.At - idleTo.At));
        Report("app", "processor_time", used.AppMilliseconds, "ms");
        Report("postgres", "processor_time", used.PostgresMilliseconds, "ms");
        Report("postgres", "commits", used.Commits, "transactions");
        Report("postgres", "rows_inserted", used.Inserted, "rows");
        Report("postgres", "rows_updated", used.Updated, "rows");
        Report("postgres", "rows_deleted", used.Deleted, "rows");
        Report("postgres", "write_ahead_log", used.LogBytes, "bytes");
        Report("postgres", "disk", (to - idleTo).DiskBytes, "bytes");
        Report("queues", "messages", used.Messages, "messages");
        Report("merchants", "webhooks", (to - idleTo).Webhooks, "requests");
        run.Report("idle app", "processor_time", idle.AppMilliseconds, "ms/s");
        run.Report("idle postgres", "processor_time", idle.PostgresMilliseconds, "ms/s");
        foreach (var (table, size) in await SizesAsync(database))
            run.Report(table, "disk_and_indexes", size, "bytes");

        void Report(string what, string metric, double value, string unit) => run.Report(what, metric + "_per_charge", value / charges, unit);
    }

    private static async Task<string> MerchantAsync(HttpClient http, string platform, string endpoint)
    {
        var merchant = (await PostAsync(http, "/v1/merchants", platform, """{"name":"Cost","country":"DE","payout_delay_days":2}""")).GetProperty("id").GetString();
        var key = (await PostAsync(http, $"/v1/merchants/{merchant}/api_keys", platform, """{"mode":"test"}""")).GetProperty("secret").GetString()!;
        await PostAsync(http, "/v1/webhook_endpoints", key, $$"""{"url":"{{endpoint}}"}""");
        return key;
    }

    private static Task ChargeAsync(HttpClient http, List<string> keys, int count)
    {
        var next = 0;
        return Task.WhenAll(Enumerable.Range(0, Callers).Select(async _ =>
        {
            for (var i = Interlocked.Increment(ref next); i <= count; i = Interlocked.Increment(ref next))
                await PostAsync(http, "/v1/charges", keys[i % keys.Count], """{"amount":1050,"currency":"EUR","payment_method":"tok_visa","description":"Order"}""");
        }));
    }

    private static async Task<JsonElement> PostAsync(HttpClient http, string path, string key, string body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        request.Headers.Add("Idempotency-Key", Guid.CreateVersion7(TimeProvider.System.GetUtcNow()).ToString("N"));
        using var response = await http.SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        return (int)response.StatusCode == 201 ? JsonElement.Parse(text) : throw new InvalidOperationException($"{path} answered {(int)response.StatusCode}: {text}");
    }

    // Everything that follows from the charges has happened: the processor's webhooks applied, ours delivered, the ledger sealed.
    private static async Task SettledAsync(NpgsqlDataSource database)
    {
        const string Open = """
            SELECT (SELECT count(*) FROM payments.outbox) + (SELECT count(*) FROM payments.provider_events WHERE status IN ('received', 'waiting'))
                + (SELECT count(*) FROM payments.webhook_deliveries WHERE status = 'pending')
                + (SELECT count(*) FROM payments.all_attempts WHERE next_check_at IS NOT NULL)
            """;
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            await using var command = database.CreateCommand(Open);
            if ((long)(await command.ExecuteScalarAsync())! == 0)
                break;
            if (Stopwatch.GetElapsedTime(started) > TimeSpan.FromMinutes(10))
                throw new InvalidOperationException("What follows from the charges did not end within ten minutes.");
            await Task.Delay(200);
        }

        // Statistics of a connection that has become idle arrive within a second or so.
        await Task.Delay(TimeSpan.FromSeconds(3));
    }

    private static async Task<Usage> UsageAsync(NpgsqlDataSource database, Sink sink, Service app, string postmaster)
    {
        const string Statistics = """
            SELECT (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()),
                sum(n_tup_ins)::bigint, sum(n_tup_upd)::bigint, sum(n_tup_del)::bigint, (pg_current_wal_lsn() - '0/0')::bigint,
                sum(pg_total_relation_size(relid))::bigint, sum(n_tup_ins) FILTER (WHERE relname = 'outbox')::bigint
            FROM pg_stat_user_tables
            """;
        await using var command = database.CreateCommand(Statistics);
        await using var row = await command.ExecuteReaderAsync();
        await row.ReadAsync();
        return new Usage(
            Stopwatch.GetTimestamp() / (double)Stopwatch.Frequency, app.ProcessorTimes.Sum(pair => pair.Time.TotalMilliseconds), Milliseconds(postmaster),
            row.GetInt64(0), row.GetInt64(1), row.GetInt64(2), row.GetInt64(3), row.GetInt64(4), row.GetInt64(5), row.GetInt64(6), sink.Count);
    }

    private static async Task<List<(string Table, long Bytes)>> SizesAsync(NpgsqlDataSource database)
    {
        await using var command = database.CreateCommand(
            "SELECT schemaname || '.' || relname, pg_total_relation_size(relid) FROM pg_stat_user_tables WHERE pg_total_relation_size(relid) > 500000 ORDER BY 2 DESC");
        await using var rows = await command.ExecuteReaderAsync();
        var sizes = new List<(string, long)>();
        while (await rows.ReadAsync())
            sizes.Add((rows.GetString(0), rows.GetInt64(1)));
        return sizes;
    }

    /// <summary>Processor time that a process and its children, living and reaped, have used. Linux counts it in hundredths of a second.</summary>
    private static double Milliseconds(string pid)
    {
        var ticks = Ticks(pid, reaped: true);
        foreach (var process in Directory.EnumerateDirectories("/proc").Select(path => Path.GetFileName(path)).Where(name => name.All(char.IsAsciiDigit)))
        {
            try
            {
                if (Fields(process)[1] == pid)
                    ticks += Ticks(process, reaped: false);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // It ended between the listing and the look.
            }
        }

        return ticks * 10;
    }

    private static long Ticks(string pid, bool reaped)
    {
        var fields = Fields(pid);
        var ticks = Number(11) + Number(12);
        return reaped ? ticks + Number(13) + Number(14) : ticks;

        long Number(int index) => long.Parse(fields[index], CultureInfo.InvariantCulture);
    }

    // From the third field of /proc/PID/stat on: the second is a name in parentheses, which may hold spaces.
    private static string[] Fields(string pid)
    {
        var text = File.ReadAllText($"/proc/{pid}/stat");
        return text[(text.LastIndexOf(')') + 2)..].Split(' ');
    }

    private sealed record Usage(
        double At, double AppMilliseconds, double PostgresMilliseconds, double Commits, double Inserted, double Updated, double Deleted, double LogBytes, double DiskBytes, double Messages,
        double Webhooks)
    {
        public static Usage operator -(Usage a, Usage b) => Map(a, b, (x, y) => x - y);

        public static Usage operator *(Usage a, double by) => Map(a, a, (x, _) => x * by);

        public static Usage operator /(Usage a, double by) => Map(a, a, (x, _) => x / by);

        private static Usage Map(Usage a, Usage b, Func<double, double, double> of) => new(
            of(a.At, b.At), of(a.AppMilliseconds, b.AppMilliseconds), of(a.PostgresMilliseconds, b.PostgresMilliseconds), of(a.Commits, b.Commits), of(a.Inserted, b.Inserted),
            of(a.Updated, b.Updated), of(a.Deleted, b.Deleted), of(a.LogBytes, b.LogBytes), of(a.DiskBytes, b.DiskBytes), of(a.Messages, b.Messages), of(a.Webhooks, b.Webhooks));
    }

    /// <summary>Takes merchants' webhooks.</summary>
    private sealed class Sink : IDisposable
    {
        private readonly HttpListener _listener = new();
        private long _count;

        public Sink()
        {
            using var free = new TcpListener(IPAddress.Loopback, 0);
            free.Start();
            var port = ((IPEndPoint)free.LocalEndpoint).Port;
            free.Stop();
            Address = $"http://127.0.0.1:{port}/hook";
            _listener.Prefixes.Add($"http://127.0.0.1:{port}/");
            _listener.Start();
            _ = AnswerAsync();
        }

        public string Address { get; }

        public long Count => Interlocked.Read(ref _count);

        public void Dispose() => _listener.Close();

        private async Task AnswerAsync()
        {
            try
            {
                while (true)
                {
                    var context = await _listener.GetContextAsync();
                    context.Response.StatusCode = 204;
                    context.Response.Close();
                    Interlocked.Increment(ref _count);
                }
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException)
            {
                // The run is over.
            }
        }
    }
}
