using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Payments.Domain;
using Payments.Domain.Disputes;
using Payments.Domain.Disputes.Files;
using Payments.Domain.Ledger;
using Payments.Domain.Messaging;

namespace Payments.Benchmarks;

/// <summary>
/// A partner's file of disputes, one a line, of charges that are not known (the lines are kept unmatched) and of charges that are (each opens a dispute and
/// posts to the ledger), beside COPY of the same file into a plain table. Then the same lines again: under another hash, so that each is looked at, and as the same bytes.
/// </summary>
internal static class DisputesFileBench
{
    private static readonly DateTimeOffset Start = new(2026, 3, 1, 0, 0, 0, TimeSpan.Zero);

    private static readonly DisputeFileDialect Dialect = new()
    {
        Provider = "bench",
        Columns = new()
        {
            [DisputeField.DisputeId] = "dispute",
            [DisputeField.ChargeReference] = "payment",
            [DisputeField.Stage] = "stage",
            [DisputeField.Status] = "status",
            [DisputeField.Amount] = "amount",
            [DisputeField.Currency] = "currency",
            [DisputeField.Network] = "network",
            [DisputeField.ReasonCode] = "code",
            [DisputeField.OccurredAt] = "at",
            [DisputeField.EvidenceDueBy] = "due",
        },
    };

    public static async Task RunAsync(BenchRun run)
    {
        await run.ExecuteAsync(
            """
            CREATE TABLE payments.bare_disputes
                (dispute text, payment text, stage text, status text, amount bigint, currency text, network text, code text, at timestamptz, due timestamptz);
            GRANT INSERT, TRUNCATE ON payments.bare_disputes TO payments_app;
            """);
        foreach (var lines in run.Quick ? (int[])[10_000, 100_000] : [10_000, 100_000, 1_000_000])
        {
            await CompareAsync(run, lines, matched: false);
        }

        foreach (var lines in run.Quick ? (int[])[10_000] : [10_000, 100_000])
        {
            await CompareAsync(run, lines, matched: true);
        }
    }

    private static async Task CompareAsync(BenchRun run, int lines, bool matched)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"{(matched ? "matched" : "unmatched")}, {lines} lines");
        var prefix = string.Create(CultureInfo.InvariantCulture, $"{(matched ? "m" : "u")}{lines}_");
        var path = Path.GetTempFileName();
        try
        {
            if (matched)
                await ChargesAsync(run, prefix, lines);
            await WriteAsync(path, prefix, lines);

            // The middle of three: one run alone is as often a checkpoint's as its own.
            TimeSpan[] copies = [await CopyAsync(run, path), await CopyAsync(run, path), await CopyAsync(run, path)];
            var copy = copies.Order().ElementAt(1);
            var files = new DisputeFileIngestion(
                run.App,
                new DisputeIngestion(run.App, new LedgerPosting(run.App), new OutboxSignal(), TimeProvider.System, NullLogger<DisputeIngestion>.Instance),
                new OutboxSignal(),
                TimeProvider.System,
                NullLogger<DisputeFileIngestion>.Instance);
            var (first, memory, file) = await ApplyAsync(files, path);
            if ((matched ? file.Applied : file.Unmatched) != lines)
                throw new InvalidOperationException($"{name}: {file}");
            run.Report(name, "first", lines / first.TotalSeconds, "lines/s", lines / copy.TotalSeconds);
            run.Report(name, "first, time", first.TotalSeconds, "s", copy.TotalSeconds);
            run.Report(name, "first, peak memory", memory / 1048576.0, "MiB");
            var (same, _, _) = await ApplyAsync(files, path);
            run.Report(name, "same bytes again, time", same.TotalSeconds, "s", first.TotalSeconds);

            // A blank line changes the hash and nothing else.
            await File.AppendAllTextAsync(path, "\n");
            var (again, _, repeated) = await ApplyAsync(files, path);
            if (repeated.Duplicate != lines)
                throw new InvalidOperationException($"{name}, again: {repeated}");
            run.Report(name, "same lines again, time", again.TotalSeconds, "s", first.TotalSeconds);
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static async Task<(TimeSpan Elapsed, long Peak, DisputeFile File)> ApplyAsync(DisputeFileIngestion files, string path)
    {
        GC.Collect();
        var peak = 0L;
        using var stop = new CancellationTokenSource();
        var sampling = Task.Run(async () =>
        {
            using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
            using var process = Process.GetCurrentProcess();
            try
            {
                while (await timer.WaitForNextTickAsync(stop.Token))
                {
                    process.Refresh();
                    peak = Math.Max(peak, process.WorkingSet64);
                }
            }
            catch (OperationCanceledException)
            {
            }
        });
        var watch = Stopwatch.StartNew();
        var file = await files.ApplyAsync("bench", Dialect, Path.GetFileName(path), _ => Task.FromResult<Stream>(File.OpenRead(path)), CancellationToken.None)
            ?? throw new InvalidOperationException("Nobody else is at work on the file.");
        watch.Stop();
        await stop.CancelAsync();
        await sampling;
        return (watch.Elapsed, peak, file);
    }

    private static async Task<TimeSpan> CopyAsync(BenchRun run, string path)
    {
        await run.ExecuteAsync("TRUNCATE payments.bare_disputes");
        var watch = Stopwatch.StartNew();
        await using var connection = await run.App.OpenConnectionAsync();
        await using (var writer = await connection.BeginTextImportAsync("COPY payments.bare_disputes FROM STDIN (FORMAT csv, HEADER true)"))
        {
            using var reader = new StreamReader(path);
            var buffer = new char[64 * 1024];
            int read;
            while ((read = await reader.ReadAsync(buffer)) > 0)
                await writer.WriteAsync(buffer.AsMemory(0, read));
        }

        return watch.Elapsed;
    }

    private static async Task WriteAsync(string path, string prefix, int lines)
    {
        await using var writer = new StreamWriter(path);
        await writer.WriteAsync("dispute,payment,stage,status,amount,currency,network,code,at,due\n");
        for (var i = 0; i < lines; i++)
        {
            await writer.WriteAsync(string.Create(
                CultureInfo.InvariantCulture,
                $"dsp_{prefix}{i:D8},pay_{prefix}{i:D8},chargeback,needs_response,{1000 + (i % 9000)},EUR,visa,10.4,{Start.AddSeconds(i):yyyy-MM-ddTHH:mm:ssZ},{Start.AddDays(20):yyyy-MM-dd}\n"));
        }
    }

    /// <summary>A hundred merchants, each with its share of the charges.</summary>
    private static async Task ChargesAsync(BenchRun run, string prefix, int count)
    {
        await using var connection = await run.App.OpenConnectionAsync();
        var merchants = Enumerable.Range(0, 100).Select(_ => PrefixedId.New<MerchantId>(TimeProvider.System.GetUtcNow()).Value).ToArray();
        await using var command = new NpgsqlCommand(
            """
            INSERT INTO payments.merchants (bucket, id, name, country, status, fee_plan, payout_delay_days, metadata, created_at,
                updated_at)
            SELECT payments.bucket_of(id), id, 'A shop', 'DE', 'active', '{"rules":[]}', 2, '{}', $2, $2 FROM unnest($1::uuid[]) AS t (id)
            """,
            connection);
        command.Parameters.Add(new NpgsqlParameter { Value = merchants });
        command.Parameters.Add(new NpgsqlParameter { Value = Start.UtcDateTime });
        await command.ExecuteNonQueryAsync();
        await using var charges = new NpgsqlCommand(
            """
            INSERT INTO payments.charges (bucket, merchant_id, id, status, currency, amount, capture_method, authorized_amount,
                captured_amount, payment_token, provider,
                provider_reference, metadata, created_at, updated_at)
            SELECT payments.bucket_of(($1::uuid[])[1 + i % 100]), ($1::uuid[])[1 + i % 100], gen_random_uuid(), 'captured', 'EUR', 10000,
                'automatic', 10000, 10000, 'tok', 'bench',
                   'pay_' || $2 || lpad(i::text, 8, '0'), '{}', $3, $3
            FROM generate_series(0, $4 - 1) AS i
            """,
            connection)
        {
            Parameters = { new() { Value = merchants }, new() { Value = prefix }, new() { Value = Start.UtcDateTime }, new() { Value = count } },
        };
        await charges.ExecuteNonQueryAsync();
        await run.ExecuteAsync("ANALYZE payments.charges");
    }
}
