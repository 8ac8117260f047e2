using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Npgsql;
using Payments.Domain;
using Payments.Kit;

namespace Payments.Benchmarks;

/// <summary>
/// Charges over HTTP, the whole way: the published app under the local host and the sandbox acquirer as processes of their own, this process as the only caller,
/// one Postgres. Beside it, in the same run and on the same server, two baselines that do one INSERT for each request: a bare ASP.NET Core endpoint, and a
/// function on the same host and worker. Then again with millions of charges in the tables.
/// </summary>
/// <remarks>
/// All of it shares one machine, so the processor time of each process is reported for each charge too. The acquirer sends no webhooks and does not wait for its own disk: a
/// real processor's machine is not ours. The app runs with all its timers and listeners.
/// </remarks>
internal static class ChargesBench
{
    private const int Merchants = 64;
    private const int Amount = 1_050;
    private const int Turns = 4;
    private static readonly int[] Connections = [1, 32, 128];

    public static async Task RunAsync(BenchRun run)
    {
        var times = run.Quick
            ? new BenchTimes(TimeSpan.FromSeconds(1.5), TimeSpan.FromSeconds(3))
            : new BenchTimes(TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(20));
        var history = Setting("PAYMENTS_BENCH_HISTORY") is { } text ? long.Parse(text, CultureInfo.InvariantCulture) : run.Quick ? 50_000L : 5_000_000L;
        int[] connectionCounts = Setting("PAYMENTS_BENCH_CONNECTIONS") is { } list ? [.. list.Split(',').Select(count => int.Parse(count, CultureInfo.InvariantCulture))] : Connections;
        if (Setting("PAYMENTS_BENCH_SECONDS") is { } seconds)
            times = times with { Measure = TimeSpan.FromSeconds(double.Parse(seconds, CultureInfo.InvariantCulture)) };
        await run.ExecuteAsync(BareCharge.Table);
        var secrets = Secrets.Create();
        await using var acquirer = await StartAcquirerAsync(run, secrets);
        await using var app = await StartAppAsync(run, acquirer, secrets);
        await using var bare = await HttpBench.StartBareAsync(run);
        await using var functions = await HttpBench.StartFunctionAsync(run);
        var callers = await CreateMerchantsAsync(app.Address, secrets.PlatformKey);
        var charge = new Target(app.Address, number => callers[number % callers.Length].Head);
        var insert = new Target(bare.Address, _ => HeadOf(bare.Address, "none"));
        var function = new Target(functions.Address, _ => HeadOf(functions.Address, "none"));

        run.Report("start", "time until ready", app.TimeToStart.TotalSeconds, "s", bare.TimeToStart.TotalSeconds);
        run.Report("idle", "memory of host and worker", app.MemoryMegabytes, "MB");

        // Code is compiled as it gets used, on both sides: what is measured is how they run for the rest of the day.
        var warmUp = new BenchTimes(TimeSpan.Zero, run.Quick ? TimeSpan.FromSeconds(6) : TimeSpan.FromSeconds(20));
        foreach (var target in new[] { insert, function, charge })
            await LoadAsync(target, 32, warmUp);
        await FillLogAsync(run);
        foreach (var connections in connectionCounts)
        {
            await StatementsAsync(run, "SELECT pg_stat_statements_reset()");
            var (baselines, ours, used) = await InTurnsAsync(run, [insert, function], charge, connections, times, app, acquirer);
            await StatementsAsync(
                run,
                """
                SELECT format('%s calls, %s ms in all, %s ms each, planned for %s ms each, %s kB of WAL: %s', calls, round(total_exec_time), round(mean_exec_time::numeric, 3),
                    round(total_plan_time::numeric / calls, 3), round(wal_bytes / 1000), left(regexp_replace(query, '\s+', ' ', 'g'), 100))
                FROM pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY total_exec_time DESC LIMIT 16
                """);
            Report(run, $"{connections} connections, beside a bare endpoint", ours, baselines[0]);
            Report(run, $"{connections} connections, beside a function", ours, baselines[1]);
            run.Report($"{connections} connections", "memory of host and worker", app.MemoryMegabytes, "MB", bare.MemoryMegabytes);
            foreach (var (process, milliseconds) in used)
                run.Report($"{connections} connections", $"processor time, {process}", milliseconds, "ms/charge");
        }

        if (history == 0)
            return;
        await app.DisposeAsync();
        await FillAsync(run, callers, history);
        await BesideEmptyTablesAsync(run, callers, history, acquirer, secrets, app.Address.Port, connectionCounts[^1], times);
        await CheckAsync(run);
    }

    /// <summary>
    /// The filled tables and, in turn with them, empty ones in a database of their own, each with an app that has as much behind it: a machine whose speed changes within a quarter of an hour, as
    /// a virtual one's does, would otherwise be taken for the tables.
    /// </summary>
    private static async Task BesideEmptyTablesAsync(
        BenchRun filled, Caller[] filledCallers, long history, Service acquirer, Secrets secrets, int port, int connections, BenchTimes times)
    {
        await using var empty = await BenchRun.StartAsync(filled.Servers, filled.Name, filled.Quick);
        await using var filledApp = await StartAppAsync(filled, acquirer, secrets, port);
        await using var emptyApp = await StartAppAsync(empty, acquirer, secrets);
        var emptyCallers = await CreateMerchantsAsync(emptyApp.Address, secrets.PlatformKey);
        var (filledTarget, emptyTarget) = (new Target(filledApp.Address, number => filledCallers[number % filledCallers.Length].Head), new Target(emptyApp.Address, number => emptyCallers[number % emptyCallers.Length].Head));

        // Code goes on being compiled for a minute, and servers fill their buffers.
        var warmUp = new BenchTimes(TimeSpan.Zero, times.WarmUp + times.Measure);
        foreach (var count in new[] { 32, connections })
        {
            await LoadAsync(emptyTarget, count, warmUp);
            await LoadAsync(filledTarget, count, warmUp);
        }

        var (before, after, used) = await InTurnsAsync(filled, [emptyTarget], filledTarget, connections, times with { Measure = times.Measure * 2 }, filledApp, acquirer);
        var name = string.Create(CultureInfo.InvariantCulture, $"{connections} connections, after {history} charges, beside empty tables");
        Report(filled, name, after, before[0]);
        filled.Report(name, "memory of host and worker", filledApp.MemoryMegabytes, "MB", emptyApp.MemoryMegabytes);
        foreach (var (process, milliseconds) in used)
            filled.Report(name, $"processor time, {process}", milliseconds, "ms/charge");
    }

    /// <summary>
    /// The baselines and ours in turn, each for a part of the time: between two measurements that follow each other a machine's speed may change by more than what is to be seen. With them the processor
    /// time, in milliseconds, that each process used for a call of ours.
    /// </summary>
    private static async Task<(IReadOnlyList<HttpLoadResult> Baselines, HttpLoadResult Ours, IReadOnlyList<(string Process, double Milliseconds)> Used)> InTurnsAsync(
        BenchRun run, IReadOnlyList<Target> baselines, Target ours, int connections, BenchTimes times, params Service[] services)
    {
        var turn = new BenchTimes(times.WarmUp / 2, times.Measure / Turns);
        var (theirs, mine) = (baselines.Select(_ => new List<HttpLoadResult>()).ToArray(), new List<HttpLoadResult>());
        var used = new Dictionary<string, TimeSpan>(StringComparer.Ordinal);
        for (var i = 0; i < Turns; i++)
        {
            for (var each = 0; each < baselines.Count; each++)
                theirs[each].Add(await LoadAsync(baselines[each], connections, turn));
            var share = await ProcessorTimes.StartAsync(run, services);
            mine.Add(await LoadAsync(ours, connections, turn));
            foreach (var (process, time) in share.Stop())
                used[process] = used.GetValueOrDefault(process) + time;
        }

        var calls = Math.Max(1, mine.Sum(r => r.Calls * (turn.WarmUp + turn.Measure) / r.Measured));
        return ([.. theirs.Select(HttpLoadResult.Of)], HttpLoadResult.Of(mine), [.. used.Select(pair => (pair.Key, pair.Value.TotalMilliseconds / calls))]);
    }

    /// <summary>
    /// A server that has run for an hour writes its log into files it has written before; a new one fills each with zeros first, which is a sixteenth of all that it does. So the files of one round are
    /// made before anything is measured.
    /// </summary>
    private static async Task FillLogAsync(BenchRun run)
    {
        await using var connection = await run.OpenAdminAsync();
        await using var round = new NpgsqlCommand(
            """
            DO $$
            BEGIN
                FOR segment IN 1 .. (SELECT setting::bigint / 16 FROM pg_settings WHERE name = 'max_wal_size') LOOP
                    PERFORM pg_logical_emit_message(false, 'bench', 'the next file');
                    PERFORM pg_switch_wal();
                END LOOP;
            END
            $$
            """, connection)
        { CommandTimeout = 0 };
        await round.ExecuteNonQueryAsync();
        await using var checkpoint = new NpgsqlCommand("CHECKPOINT", connection) { CommandTimeout = 0 };
        await checkpoint.ExecuteNonQueryAsync();
    }

    private static string? Setting(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;

    /// <summary>Where the server's time goes, for people, when it runs with pg_stat_statements (PAYMENTS_BENCH_POSTGRES="shared_preload_libraries=pg_stat_statements").</summary>
    private static async Task StatementsAsync(BenchRun run, string sql)
    {
        await using var connection = await run.OpenAdminAsync();
        await using (var loaded = new NpgsqlCommand("SELECT current_setting('shared_preload_libraries') LIKE '%pg_stat_statements%'", connection))
        {
            if (!(bool)(await loaded.ExecuteScalarAsync())!)
                return;
        }

        await using (var extension = new NpgsqlCommand("CREATE EXTENSION IF NOT EXISTS pg_stat_statements", connection))
            await extension.ExecuteNonQueryAsync();
#pragma warning disable CA2100 // The benchmark's own statements.
        await using var command = new NpgsqlCommand(sql, connection);
#pragma warning restore CA2100
        await using var row = await command.ExecuteReaderAsync();
        while (await row.ReadAsync())
        {
            if (row.GetDataTypeName(0) == "text")
                Console.Error.WriteLine("# " + row.GetString(0));
        }
    }

    private static Task<HttpLoadResult> LoadAsync(Target target, int connections, BenchTimes times) => HttpLoad.PostAsync(
        target.Address, connections, times.WarmUp, times.Measure, target.Head,
        _ => $$"""{"amount":{{Amount}},"currency":"EUR","payment_method":"tok_visa","description":"Order {{Random.Shared.Next(1_000_000)}}"}""", 201);

    private static void Report(BenchRun run, string name, HttpLoadResult ours, HttpLoadResult bare)
    {
        run.Report(name, "throughput", ours.PerSecond, "charges/s", bare.PerSecond);
        run.Report(name, "p50", ours.P50Milliseconds, "ms", bare.P50Milliseconds);
        run.Report(name, "p95", ours.P95Milliseconds, "ms", bare.P95Milliseconds);
        run.Report(name, "p99", ours.P99Milliseconds, "ms", bare.P99Milliseconds);
        run.Report(name, "failures", ours.Failures + bare.Failures, "requests");
    }

    /// <summary>One merchant in each bucket of the ledger, as on a platform of any size: no account is hotter than it would be there.</summary>
    private static async Task<Caller[]> CreateMerchantsAsync(Uri app, string platformKey)
    {
        using var http = new HttpClient { BaseAddress = app };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", platformKey);
        var callers = new Dictionary<short, Caller>();
        while (callers.Count < Merchants)
        {
            var id = (await PostAsync("/v1/merchants", """{"name":"A shop","country":"DE"}""")).GetProperty("id").GetString()!;
            if (!PrefixedId.TryParse<MerchantId>(id, out var merchant) || callers.ContainsKey(merchant.Bucket))
                continue;
            var secret = (await PostAsync($"/v1/merchants/{id}/api_keys", """{"mode":"live"}""")).GetProperty("secret").GetString()!;
            callers.Add(merchant.Bucket, new Caller(merchant, HeadOf(app, secret)));
        }

        return [.. callers.Values];

        async Task<JsonElement> PostAsync(string path, string body)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
            request.Headers.Add("Idempotency-Key", Guid.CreateVersion7(TimeProvider.System.GetUtcNow()).ToString("N"));
            using var response = await http.SendAsync(request);
            if (!response.IsSuccessStatusCode)
                throw new InvalidOperationException($"POST {path}: {(int)response.StatusCode} {await response.Content.ReadAsStringAsync()}");
            return await response.Content.ReadFromJsonAsync<JsonElement>();
        }
    }

    private static string HeadOf(Uri address, string key) =>
        $"POST /v1/charges HTTP/1.1\r\nHost: {address.Authority}\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n";

    /// <summary>
    /// History as so many charges would have left it, set by set: charges, attempts, keys with their answers, balance transactions, events, monthly volumes, and the ledger, sealed. The ledger's rows are
    /// inserted as its owner with the versions and balances that posting one after another would have given them, and the balances follow; the check at the end replays that. Stored
    /// answers and events are shorter than real ones: what grows is rows and index entries. Rows come without indexes, which are built afterwards as they were: the app must not run.
    /// </summary>
    private static async Task FillAsync(BenchRun run, Caller[] callers, long count)
    {
        var started = Stopwatch.GetTimestamp();
        await run.ExecuteAsync(
            """
            CREATE UNLOGGED TABLE payments.fill_accounts AS
            SELECT p.merchant_id, p.bucket, p.id AS pending, c.id AS clearing, f.id AS fees
            FROM ledger.accounts p
            JOIN ledger.accounts c ON c.name = 'processor/sandbox/clearing' AND c.currency = 'EUR' AND c.bucket = p.bucket
            JOIN ledger.accounts f ON f.name = 'platform/fees' AND f.currency = 'EUR' AND f.bucket = p.bucket
            WHERE p.name LIKE 'merchant/%/pending' AND p.currency = 'EUR';
            """);
        if (await run.ScalarAsync<long>("SELECT count(*) FROM payments.fill_accounts") != callers.Length)
            throw new InvalidOperationException("Each merchant has charged before the fill.");
        var indexes = await RowsAsync(
            run,
            """
            SELECT i.indexrelid::regclass::text, i.indrelid::regclass::text, pg_get_indexdef(i.indexrelid), c.conname, CASE c.contype WHEN 'p' THEN 'PRIMARY KEY' ELSE 'UNIQUE' END
            FROM pg_index i LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype IN ('p', 'u')
            WHERE i.indrelid = ANY (string_to_array($TABLES$, ', ')::regclass[]) ORDER BY pg_get_indexdef(i.indexrelid) LIKE '% brin %', i.indexrelid
            """.Replace("$TABLES$", $"'{FilledTables}'", StringComparison.Ordinal));

        // Keys come complete here: their pages need no room for answers.
        await run.ExecuteAsync("ALTER TABLE payments.idempotency_keys SET (fillfactor = 100)");
        foreach (var index in indexes)
            await run.ExecuteAsync(index[3] is null ? $"DROP INDEX {index[0]}" : $"ALTER TABLE {index[1]} DROP CONSTRAINT {index[3]}");

        // Two at a time, each its half of the merchants: they share no account. Charges of the last hours, the oldest first.
        const int Chunk = 500_000;
        await InTwoAsync([0, 1], async half =>
        {
            for (var done = 0L; done < count; done += Chunk)
            {
                var each = (Math.Min(Chunk, count - done) + Merchants - 1) / Merchants;
                await run.ExecuteAsync(string.Create(
                    CultureInfo.InvariantCulture,
                    $"SET synchronous_commit = off; SET work_mem = '256MB'; SELECT set_config('fill.half', '{half}', false), set_config('fill.each', '{each}', false), set_config('fill.ago', '{count - done}', false);{FillSql}"));
            }
        });
        Told("rows");
        await InTwoAsync(indexes, index => run.ExecuteAsync($"SET maintenance_work_mem = '512MB'; {index[2]}"));
        foreach (var index in indexes.Where(index => index[3] is not null))
            await run.ExecuteAsync($"ALTER TABLE {index[1]} ADD CONSTRAINT {index[3]} {index[4]} USING INDEX {index[3]}");
        await run.ExecuteAsync("DROP TABLE payments.fill_accounts; ALTER TABLE payments.idempotency_keys SET (fillfactor = 12)");
        Told("indexes");

        // As the timer would have: the second call seals what the first one marked.
        for (var i = 0; i < 3; i++)
            await run.ScalarAsync<int>("SELECT ledger.seal(now(), 10000)");
        Told("seals");
        await InTwoAsync([.. FilledTables.Split(", "), "ledger.balances"], table => run.ExecuteAsync($"VACUUM ANALYZE {table}"));
        await using (var connection = await run.OpenAdminAsync())
        {
            await using var checkpoint = new NpgsqlCommand("CHECKPOINT", connection) { CommandTimeout = 0 };
            await checkpoint.ExecuteNonQueryAsync();
        }

        run.Report($"fill of {count} charges", "time", Stopwatch.GetElapsedTime(started).TotalSeconds, "s");
        run.Report($"fill of {count} charges", "database", await run.ScalarAsync<long>("SELECT pg_database_size(current_database())") / 1e6, "MB");

        void Told(string what) => Console.Error.WriteLine($"# {what} after {Stopwatch.GetElapsedTime(started).TotalSeconds:0} s");
    }

    private const string FilledTables = "ledger.transfers, payments.charges, payments.attempts, payments.idempotency_keys, payments.balance_transactions, payments.events";

    private static Task InTwoAsync<T>(IReadOnlyList<T> all, Func<T, Task> work) =>
        Parallel.ForEachAsync(all, new ParallelOptions { MaxDegreeOfParallelism = 2 }, async (one, _) => await work(one));

    private static async Task<IReadOnlyList<string?[]>> RowsAsync(BenchRun run, string sql)
    {
        await using var connection = await run.Owner.OpenConnectionAsync();
#pragma warning disable CA2100 // The benchmark's own statements.
        await using var command = new NpgsqlCommand(sql, connection);
#pragma warning restore CA2100
        await using var reader = await command.ExecuteReaderAsync();
        var rows = new List<string?[]>();
        while (await reader.ReadAsync())
            rows.Add([.. Enumerable.Range(0, reader.FieldCount).Select(i => reader.IsDBNull(i) ? null : reader.GetString(i))]);
        return rows;
    }

    private const string FillSql =
        """
        BEGIN;
        CREATE TEMP TABLE fill (merchant_id, k, id, at) ON COMMIT DROP AS
        SELECT merchant_id, k, encode(substring(int8send((extract(epoch FROM at) * 1000)::bigint) FROM 3) || '\x7000'::bytea || substring(uuid_send(gen_random_uuid()) FROM 9), 'hex')::uuid, at
        FROM payments.fill_accounts a, generate_series(1, current_setting('fill.each')::bigint) k,
            LATERAL (SELECT now() - make_interval(secs => (current_setting('fill.ago')::bigint * 0.001)) + make_interval(secs => k * 0.001) AS at) t
        WHERE a.bucket % 2 = current_setting('fill.half')::int;
        ANALYZE fill;
        INSERT INTO payments.idempotency_keys (bucket, merchant_id, key, fingerprint, object_id, response_status, response_body,
            created_at, completed_at)
        SELECT payments.bucket_of(merchant_id), merchant_id, md5(id::text), sha256(uuid_send(id)), id, 201,
            convert_to(format('{"id":"ch_%s","object":"charge","status":"captured"}', id), 'UTF8'), at, at FROM fill;
        INSERT INTO payments.charges (bucket, merchant_id, id, status, currency, amount, capture_method, authorized_amount,
            captured_amount, fee_amount, fee_details, payment_token, provider, provider_reference,
            card, description, metadata, created_at, updated_at)
        SELECT payments.bucket_of(merchant_id), merchant_id, id, 'captured', 'EUR', 1050, 'automatic', 1050, 1050, 60,
            '[{"amount":1050,"fee":60,"plan_version":1,"rule":{},"parts":[{"type":"percentage","amount":30,"basis_points":290,"of":1050},{"type":"fixed","amount":30}]}]',
            'tok_visa', 'sandbox', 'pay_' || replace(id::text, '-', ''), '{"brand":"visa","last4":"4242","country":"US"}', 'Order 1', '{}', at, at
        FROM fill;
        INSERT INTO payments.attempts (bucket, merchant_id, id, charge_id, operation, status, provider, amount, provider_reference,
            idempotency_key, created_at, finished_at)
        SELECT payments.bucket_of(merchant_id), merchant_id, id, id, 'charge', 'succeeded', 'sandbox', 1050, 'pay_' || replace(id::text,
            '-', ''), md5(id::text), at, at FROM fill;
        INSERT INTO payments.balance_transactions (bucket, merchant_id, id, type, source_id, journal_key, currency, amount, fee, net,
            available_on, created_at)
        SELECT payments.bucket_of(merchant_id), merchant_id, id, 'charge', 'ch_' || replace(id::text, '-', ''),
            'capture:att_' || replace(id::text, '-', ''), 'EUR', 1050, 60, 990, (at + interval '30 days')::date, at FROM fill;
        INSERT INTO payments.events (bucket, merchant_id, id, type, object_type, object_id, sequence, data, created_at)
        SELECT payments.bucket_of(merchant_id), merchant_id, id, 'charge.captured', 'charge', id, 1, jsonb_build_object('id',
            'ch_' || replace(id::text, '-', ''), 'object', 'charge', 'status', 'captured'), at FROM fill;
        -- Whoever else posts waits: the versions below follow on what stands now.
        SELECT count(*) FROM (SELECT account_id FROM ledger.balances WHERE account_id IN (SELECT unnest(ARRAY[pending, clearing, fees]) FROM payments.fill_accounts WHERE bucket % 2 = current_setting('fill.half')::int) ORDER BY account_id FOR UPDATE) l;
        SELECT pg_current_xact_id();
        WITH numbered AS (
            SELECT nextval('ledger.journal_ids') AS journal_id, f.*, a.bucket, a.pending, a.clearing, a.fees
            FROM (SELECT * FROM fill ORDER BY k, merchant_id) f JOIN payments.fill_accounts a USING (merchant_id)
        )
        INSERT INTO ledger.transfers (journal_id, amount, debit_version, debit_balance, credit_version, credit_balance, recorded_at, debit_account, credit_account, line, bucket, code,
            effective_at, merchant_id, kind, external_key)
        SELECT n.journal_id, l.amount,
            CASE l.line WHEN 1 THEN c.version + n.k ELSE p.version + 2 * n.k END,
            CASE l.line WHEN 1 THEN c.balance + 1050 * n.k ELSE p.balance + 990 * n.k END,
            CASE l.line WHEN 1 THEN p.version + 2 * n.k - 1 ELSE f.version + n.k END,
            CASE l.line WHEN 1 THEN p.balance + 990 * (n.k - 1) + 1050 ELSE f.balance + 60 * n.k END,
            greatest(now(), c.recorded_at, p.recorded_at, f.recorded_at),
            CASE l.line WHEN 1 THEN n.clearing ELSE n.pending END, CASE l.line WHEN 1 THEN n.pending ELSE n.fees END, l.line, n.bucket, l.code,
            CASE l.line WHEN 1 THEN n.at END, CASE l.line WHEN 1 THEN n.merchant_id END, CASE l.line WHEN 1 THEN 'capture' END,
            CASE l.line WHEN 1 THEN 'capture:att_' || replace(n.id::text, '-', '') END
        FROM numbered n
        JOIN ledger.balances c ON c.account_id = n.clearing
        JOIN ledger.balances p ON p.account_id = n.pending
        JOIN ledger.balances f ON f.account_id = n.fees
        CROSS JOIN (VALUES (1::smallint, 1050, 'capture'), (2::smallint, 60, 'fee')) AS l (line, amount, code);
        UPDATE ledger.balances b
        SET balance = b.balance + t.balance * t.n, version = b.version + t.versions * t.n, recorded_at = greatest(now(), b.recorded_at)
        FROM (SELECT x.account_id, x.balance, x.versions, current_setting('fill.each')::bigint AS n
            FROM payments.fill_accounts a, LATERAL (VALUES (a.clearing, 1050, 1), (a.pending, 990, 2), (a.fees, 60, 1)) AS x (account_id, balance, versions)
            WHERE a.bucket % 2 = current_setting('fill.half')::int) t
        WHERE b.account_id = t.account_id;
        INSERT INTO payments.monthly_volumes AS v (bucket, merchant_id, currency, month, captured, captures)
        SELECT payments.bucket_of(merchant_id), merchant_id, 'EUR', date_trunc('month', at AT TIME ZONE 'UTC')::date, sum(1050),
            count(*) FROM fill GROUP BY 1, 2, 3, 4
        ON CONFLICT (merchant_id, currency, month, bucket) DO UPDATE SET captured = v.captured + EXCLUDED.captured,
            captures = v.captures + EXCLUDED.captures;
        COMMIT;
        """;

    /// <summary>What was measured has to be right as well: balances are the sums of their rows, without gaps, and each capture is in the ledger once.</summary>
    private static async Task CheckAsync(BenchRun run)
    {
        var wrong = await run.ScalarAsync<long>(
            """
            WITH sides AS (
                SELECT debit_account AS account, -amount AS change FROM ledger.transfers
                UNION ALL SELECT credit_account, amount FROM ledger.transfers
            ), sums AS (SELECT account, sum(change) AS balance, count(*) AS version FROM sides GROUP BY account)
            SELECT (SELECT count(*) FROM sums s JOIN ledger.balances b ON b.account_id = s.account WHERE b.balance <> b.sign * s.balance OR b.version <> s.version)
                + abs((SELECT count(*) FROM payments.charges WHERE status = 'captured') - (SELECT count(*) FROM payments.balance_transactions))
                + abs((SELECT count(*) FROM payments.charges WHERE status = 'captured') - (SELECT sum(captures)::bigint FROM payments.monthly_volumes))
            """);
        run.Report("afterwards", "accounts and charges that do not add up", wrong, "rows");
    }

    internal static Task<Service> StartAcquirerAsync(BenchRun run, Secrets secrets, Uri? webhooks = null)
    {
        var port = FreePorts.Take();
        var command = Programs.Acquirer(port, secrets, Path.Combine(run.Servers.Folder, "acquirer"), webhooks).With([new("Acquirer__FlushToDisk", "false")]);
        return Service.StartAsync(run.Servers, "acquirer", command, port, "/health");
    }

    internal static Task<Service> StartAppAsync(BenchRun run, Service acquirer, Secrets secrets, int? at = null)
    {
        var port = at ?? FreePorts.Take();
        var folder = Path.Combine(run.Servers.Folder, $"app-{port}");
        var postgres = new NpgsqlConnectionStringBuilder(run.AppConnectionString) { MaxPoolSize = 100 }.ConnectionString;
        var surroundings = new AppSurroundings(run.Servers.Storage, postgres, acquirer.Address, secrets);
        Programs.CopyApp(folder, AppSettings.Compose(surroundings, [new("Logging__Console__Enabled", "false")]));
        return Service.StartAsync(run.Servers, "app", Programs.Host(folder, port), port, "/health/ready");
    }

    private sealed record Target(Uri Address, Func<int, string> Head);

    private sealed record Caller(MerchantId Merchant, string Head);

    /// <summary>What each process used of the processors between two moments; of Postgres, all its processes, where the system has /proc and the server is on this machine.</summary>
    private sealed class ProcessorTimes
    {
        private readonly Service[] _services;
        private readonly int? _postmaster;
        private readonly Dictionary<string, TimeSpan> _before;

        private ProcessorTimes(Service[] services, int? postmaster)
        {
            _services = services;
            _postmaster = postmaster;
            _before = Read();
        }

        public static async Task<ProcessorTimes> StartAsync(BenchRun run, params Service[] services)
        {
            int? postmaster = null;
            if (OperatingSystem.IsLinux() && Stat(await run.ScalarAsync<int>("SELECT pg_backend_pid()")) is { } backend)
                postmaster = backend.Parent;
            return new ProcessorTimes(services, postmaster);
        }

        public IEnumerable<(string Process, TimeSpan Time)> Stop()
        {
            var after = Read();
            return [.. after.Select(pair => (pair.Key, pair.Value - _before.GetValueOrDefault(pair.Key)))];
        }

        private Dictionary<string, TimeSpan> Read()
        {
            var times = _services.SelectMany(service => service.ProcessorTimes).ToDictionary(pair => pair.Process, pair => pair.Time, StringComparer.Ordinal);
            using (var self = Process.GetCurrentProcess())
                times["driver"] = self.TotalProcessorTime;
            if (_postmaster is not { } postmaster)
                return times;
            var sum = TimeSpan.Zero;
            foreach (var folder in Directory.EnumerateDirectories("/proc"))
            {
                if (int.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out var pid) && Stat(pid) is { } stat && stat.Parent == postmaster)
                    sum += stat.Time;
            }

            times["postgres"] = sum;
            return times;
        }

        private static (int Parent, TimeSpan Time)? Stat(int pid)
        {
            try
            {
                // pid (name) state ppid ... utime stime, in hundredths of a second: proc(5), fields 4, 14, 15.
                var text = File.ReadAllText($"/proc/{pid}/stat");
                var fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
                return (int.Parse(fields[1], CultureInfo.InvariantCulture),
                    TimeSpan.FromMilliseconds(10 * (long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture))));
            }
            catch (IOException)
            {
                return null;
            }
        }
    }
}
