using System.Diagnostics;
using System.Globalization;
using System.Text;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Payments.Domain;
using Payments.Domain.Idempotency;
using Payments.Domain.Ledger;
using Payments.Domain.Messaging;
using Payments.Domain.Payouts;

namespace Payments.Benchmarks;

/// <summary>
/// A night: every merchant has money and is paid through bank files, which the bank then reports as paid. Creation stands beside an INSERT ... SELECT
/// of as many rows into a plain table with one more index; the rest is stated in seconds and megabytes.
/// </summary>
internal static class PayoutsBench
{
    public static async Task RunAsync(BenchRun run)
    {
        var folder = Directory.CreateTempSubdirectory("payouts-bench").FullName;
        try
        {
            await using var services = Services(run, folder);
            int[] sizes = run.Quick ? [1_000, 10_000, 30_000] : [10_000, 100_000, 1_000_000];

            // The first nights of a process load code, compile it well and open connections.
            await NightAsync(run, services, folder, new DateOnly(2030, 1, 5), 500, report: false);
            await NightAsync(run, services, folder, new DateOnly(2030, 1, 6), 10_000, report: false);
            for (var i = 0; i < sizes.Length; i++)
            {
                await NightAsync(run, services, folder, new DateOnly(2030, 1, 8).AddDays(i), sizes[i], report: true);
            }

            using var process = Process.GetCurrentProcess();
            run.Report($"{sizes[^1]} merchants", "peak memory", process.PeakWorkingSet64 / 1e6, "MB");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task NightAsync(BenchRun run, ServiceProvider services, string folder, DateOnly date, int merchants, bool report)
    {
        var name = $"{merchants} merchants";
        await FillAsync(run, date, merchants);
        var baseline = await PlainInsertAsync(run, date, merchants);

        var night = await services.GetRequiredService<RunPayouts>().RunAsync(date, Currency.Eur, "bench", CancellationToken.None);
        if (night.Payouts != merchants || night.Status != PayoutRunStatus.Submitted)
            throw new InvalidOperationException($"{night.Payouts} of {merchants} merchants were paid; the run is {night.Status}.");
        var creation = (night.CreatedAt!.Value - night.StartedAt).TotalSeconds;
        var submission = (night.SubmittedAt!.Value - night.CreatedAt.Value).TotalSeconds;

        var reports = services.GetRequiredService<BankReports>();
        var settled = 0;
        var watch = Stopwatch.StartNew();
        foreach (var statement in await StatementsAsync(run, date))
        {
            using var content = new MemoryStream(Encoding.UTF8.GetBytes(statement));
            settled += (await reports.ApplyAsync(name, content, CancellationToken.None)).Applied;
        }

        if (settled != merchants)
            throw new InvalidOperationException($"{settled} of {merchants} payouts were settled.");
        if (!report)
            return;
        run.Report(name, "creation", creation, "s", baseline);
        run.Report(name, "submission to files", submission, "s");
        run.Report(name, "settlement", watch.Elapsed.TotalSeconds, "s");
        run.Report(name, "payouts created", merchants / creation, "payouts/s", merchants / baseline);
        await ReportFileAsync(run, services, folder, date, name);
    }

    // Writing alone, without marking the payouts as sent: the largest file of the night once more, to memory that forgets it.
    private static async Task ReportFileAsync(BenchRun run, ServiceProvider services, string folder, DateOnly date, string name)
    {
        var largest = Directory.GetFiles(Path.Combine(folder, $"{date:yyyy-MM-dd}")).MaxBy(path => new FileInfo(path).Length)!;
        var file = Path.GetRelativePath(folder, largest).Replace('\\', '/');
        var watch = Stopwatch.StartNew();
        var payouts = await services.GetRequiredService<PayoutFiles>().RewriteAsync(file, Stream.Null, CancellationToken.None);
        run.Report(name, $"file of {payouts} payouts", watch.Elapsed.TotalSeconds, "s");
        run.Report(name, $"file of {payouts} payouts, size", new FileInfo(largest).Length / 1e6, "MB");
    }

    private static async Task<double> PlainInsertAsync(BenchRun run, DateOnly date, int merchants)
    {
        await run.ExecuteAsync(
            """
            DROP TABLE IF EXISTS payments.plain;
            CREATE TABLE payments.plain (id uuid PRIMARY KEY, merchant_id uuid NOT NULL, currency text NOT NULL, amount bigint NOT NULL, status text NOT NULL, created_at timestamptz NOT NULL);
            CREATE INDEX ON payments.plain (merchant_id, id);
            """);
        var watch = Stopwatch.StartNew();
        await run.ExecuteAsync(string.Create(CultureInfo.InvariantCulture, $"""
            INSERT INTO payments.plain SELECT gen_random_uuid(), merchant_id, currency, sum(net), 'pending', '2030-01-01'
            FROM payments.balance_transactions WHERE available_on = '{date:yyyy-MM-dd}' AND released_at IS NOT NULL AND currency = 'EUR' GROUP BY merchant_id, currency LIMIT {merchants}
            """));
        return watch.Elapsed.TotalSeconds;
    }

    /// <summary>
    /// Merchants of their own for each night, each with a bank account and two captures as <c>ReleaseFunds</c> leaves them: available, and in the merchant's open
    /// batch. Rows stand in the order of merchants, whose ids are ordered by time.
    /// </summary>
    private static Task FillAsync(BenchRun run, DateOnly date, int merchants) => run.ExecuteAsync(string.Create(CultureInfo.InvariantCulture, $"""
        DELETE FROM payments.payout_settings;
        CREATE TEMP TABLE fresh AS SELECT overlay(overlay(gen_random_uuid()::text placing '0198' from 1 for 4) placing '7' from 15 for 1)::uuid AS id, gen_random_uuid() AS account, gen_random_uuid() AS batch, n
        FROM generate_series(1, {merchants}) AS n ORDER BY id;
        INSERT INTO payments.merchants (bucket, id, name, country, status, fee_plan, payout_delay_days, metadata, created_at, updated_at)
        SELECT payments.bucket_of(id), id, 'Merchant ' || n, 'DE', 'active', '{"{}"}', 2, '{"{}"}', '2029-01-01', '2029-01-01' FROM fresh;
        INSERT INTO payments.bank_accounts (bucket, merchant_id, id, currency, kind, holder_name, iban, status, verified_at, usable_from,
            created_at, updated_at)
        SELECT payments.bucket_of(id), id, account, 'EUR', 'iban', 'Händler & Söhne ' || n, 'DE89370400440532013000', 'active',
            '2029-01-01', '2020-01-01', '2029-01-01', '2029-01-01' FROM fresh;
        INSERT INTO payments.payout_settings (bucket, merchant_id, currency, interval, minimum, reserve_basis_points, reserve_days,
            reserve_fixed, bank_account_id, batch_id, created_at, updated_at)
        SELECT payments.bucket_of(id), id, 'EUR', 'daily', 1, 0, 0, 0, account, batch, '2029-01-01', '2029-01-01' FROM fresh;
        INSERT INTO payments.balance_transactions (bucket, merchant_id, id, type, source_id, journal_key, currency, amount, fee, net,
            available_on, released_at, batch_id, created_at)
        SELECT payments.bucket_of(id), id, gen_random_uuid(), 'charge', 'ch_bench', 'bench/' || id || '/' || c, 'EUR', 1000 + n % 5000, 0,
            1000 + n % 5000, '{date:yyyy-MM-dd}', '2029-01-01', batch, '2029-01-01'
        FROM fresh CROSS JOIN generate_series(1, 2) AS c;
        WITH opened AS (
            INSERT INTO ledger.accounts (bucket, name, currency, merchant_id, sign, min_balance, opened_at)
            SELECT get_byte(uuid_send(id), 15) % 64, 'merchant/mer_' || replace(id::text, '-', '') || '/' || part, 'EUR', id, 1, 0, '2029-01-01'
            FROM fresh CROSS JOIN (VALUES ('available'), ('in_transit')) AS p (part)
            RETURNING id, bucket, name, merchant_id
        )
        INSERT INTO ledger.balances (account_id, bucket, sign, min_balance, currency, balance, recorded_at)
        SELECT o.id, o.bucket, 1, 0, 'EUR', CASE WHEN o.name LIKE '%available' THEN 2 * (1000 + f.n % 5000) ELSE 0 END, '2029-01-01'
        FROM opened o JOIN fresh f ON f.id = o.merchant_id;
        DROP TABLE fresh;
        ANALYZE payments.balance_transactions; ANALYZE payments.payout_settings; ANALYZE payments.bank_accounts; ANALYZE payments.merchants; ANALYZE payments.payouts;
        ANALYZE ledger.accounts; ANALYZE ledger.balances;
        """));

    // One statement for each file, each booked in one sum.
    private static async Task<IReadOnlyList<string>> StatementsAsync(BenchRun run, DateOnly date)
    {
        await using var command = run.App.CreateCommand(
            "SELECT replace(f.id::text, '-', ''), f.amount FROM payments.payout_files f JOIN payments.payout_runs r ON r.id = f.run_id WHERE r.date = $1 ORDER BY f.sequence");
        command.Parameters.Add(new() { Value = date });
        await using var reader = await command.ExecuteReaderAsync();
        var statements = new List<string>();
        while (await reader.ReadAsync())
        {
            var (id, amount) = (reader.GetString(0), reader.GetInt64(1));
            statements.Add(string.Create(CultureInfo.InvariantCulture, $"""
                <Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><GrpHdr><MsgId>{id}</MsgId></GrpHdr><Stmt><Id>1</Id><Acct><Id><IBAN>DE89370400440532013000</IBAN></Id></Acct>
                  <Ntry><Amt Ccy="EUR">{amount / 100}.{amount % 100:00}</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BkTxCd/>
                    <NtryDtls><Btch><PmtInfId>{id}-1</PmtInfId></Btch></NtryDtls></Ntry></Stmt></BkToCstmrStmt></Document>
                """));
        }

        return statements;
    }

    private static ServiceProvider Services(BenchRun run, string folder)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Payouts:FileFolder"] = folder,
            ["Payouts:Rails:EUR"] = "File",
            ["Payouts:OriginatorName"] = "Payment Functions",
            ["Payouts:OriginatorIban"] = "DE89370400440532013000",
            ["Payouts:OriginatorAddress:TownName"] = "Berlin",
            ["Payouts:OriginatorAddress:Country"] = "DE",
        }).Build();
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddSingleton<TimeProvider>(new PlatformClock());
        services.AddSingleton(run.App);
        services.AddSingleton<LedgerPosting>();
        services.AddSingleton<OutboxSignal>();
        services.AddSingleton<IdempotencyStore>();
        services.AddPayouts(configuration);
        return services.BuildServiceProvider();
    }
}
