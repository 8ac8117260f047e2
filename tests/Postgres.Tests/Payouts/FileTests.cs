using System.Security.Cryptography;
using System.Text;
using System.Xml.Linq;
using Payments.Domain;
using Payments.Domain.Idempotency;
using Payments.Domain.Ledger;
using Payments.Domain.Payouts;
using Payments.Domain.Payouts.BankFiles;
using Payments.Tests.Payouts;

namespace Payments.Postgres.Tests.Payouts;

public sealed class FileTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    private static int _days;

    [Theory]
    [InlineData("EUR")]
    [InlineData("USD")]
    public async Task RunAsync_FileRail_WritesEveryPayoutOnceAndSplitsAtTheLimit(string code)
    {
        var currency = Currency.Of(code);
        using var world = World(currency, filePayouts: 3);
        var (date, payouts) = await RunAsync(world, currency, 8);

        var files = Directory.GetFiles(Path.Combine(world.Options.FileFolder!, $"{date:yyyy-MM-dd}"));
        Assert.Equal(3, files.Length);
        var entries = await Task.WhenAll(files.Select(f => EntriesAsync(f, currency)));
        Assert.All(entries, e => Assert.InRange(e.Count, 1, 3));
        Assert.Equal(payouts.Select(p => (Key(p), p.Amount.MinorUnits)).Order(), entries.SelectMany(e => e).Order());
        Assert.All(await Task.WhenAll(payouts.Select(p => world.Reads.GetAsync(p.Merchant, p.Id, default))), p => Assert.Equal(PayoutStatus.InTransit, p!.Status));
        foreach (var file in files)
        {
            var hash = SHA256.HashData(await File.ReadAllBytesAsync(file));
            Assert.Equal(1, await world.CountAsync("SELECT count(*) FROM payments.payout_files WHERE sha256 = @hash AND bytes = @bytes", new { hash, bytes = new FileInfo(file).Length }));
        }

        await world.AssertSoundAsync();
    }

    [Fact]
    public async Task RunAsync_CrashAroundEveryWrite_EndsWithTheSameFilesAndNoPayoutTwice()
    {
        using var world = World(Currency.Eur, filePayouts: 2);
        var merchants = await EarnAsync(world, Currency.Eur, 5);
        var date = NextDate();
        var written = new Dictionary<string, byte[]>();
        var crashes = 0;

        // Dies once before each write, once in the middle of it and once right after it; the file that was written is the file that is written again.
        for (var point = 0; ; point++)
        {
            var store = new DyingStore(new FolderPayoutFileStore(world.Options.FileFolder!), point);
            world.Store = store;
            try
            {
                await world.Run.RunAsync(date, Currency.Eur, "test", default);
                break;
            }
            catch (IOException)
            {
                crashes++;
            }

            foreach (var (name, bytes) in store.Written)
            {
                Assert.Equal(written.TryAdd(name, bytes) ? bytes : written[name], bytes);
            }

            await world.AssertSoundAsync();
        }

        Assert.True(crashes >= 3, $"{crashes} crashes");
        var files = Directory.GetFiles(Path.Combine(world.Options.FileFolder!, $"{date:yyyy-MM-dd}"), "*.xml");
        var entries = (await Task.WhenAll(files.Select(f => EntriesAsync(f, Currency.Eur)))).SelectMany(e => e).ToList();
        Assert.Equal(5, entries.Distinct().Count());
        Assert.Equal(5, entries.Count);

        // An operator writes a file of a run that is long over: the bank gets the same bytes, whatever became of the payouts since.
        var payout = Assert.Single(await world.PayoutsAsync(merchants[0]));
        await world.SayAsync(payout, PayoutStatus.Failed, "AC04");
        foreach (var file in await world.Files.FilesAsync(payout.Run!.Value, default))
        {
            var again = new MemoryStream();
            await world.Files.WriteContentAsync(file, again, default);
            Assert.Equal(await File.ReadAllBytesAsync(Path.Combine(world.Options.FileFolder!, file.Name)), again.ToArray());
        }
    }

    /// <summary>
    /// Where the bank takes only files, a payout that was asked for waits for the next run's: beside the run's own payout of the merchant, never in two
    /// files, and until then it can be called off.
    /// </summary>
    [Theory]
    [InlineData("EUR")]
    [InlineData("USD")]
    public async Task RunAsync_PayoutsThatWereAskedFor_GoWithTheNextFileOnce(string code)
    {
        var currency = Currency.Of(code);
        using var world = World(currency, filePayouts: 3);
        await world.Run.RunAsync(NextDate(), currency, "test", default);
        var merchants = await EarnAsync(world, currency, 4);
        foreach (var (merchant, amounts) in new[] { (merchants[0], new long[] { 100, 200 }), (merchants[2], [300]), (merchants[3], [400]) })
        {
            foreach (var amount in amounts)
            {
                Assert.True((await AskAsync(world, merchant, code, amount)).TryGet(out _, out var refusal), refusal?.Detail);
            }
        }

        // Neither the bank's API nor the sweeper takes them, and one is called off.
        await world.Submit.SweepAsync(100, default);
        var called = (await world.PayoutsAsync(merchants[3])).Single();
        Assert.True((await world.Manual.CancelAsync(Request(merchants[3], "cancel"), called.Id, "test", default)).TryGet(out _, out _));
        Assert.Empty(world.Bank.Paid);

        var date = NextDate();
        await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => Task.Run(() => world.Run.RunAsync(date, currency, "test", default))));
        await world.Run.RunAsync(date, currency, "test", default);
        await world.Run.RunAsync(NextDate(), currency, "test", default);
        var payouts = (await Task.WhenAll(merchants.Select(world.PayoutsAsync))).SelectMany(p => p).ToList();
        Assert.Equal([100, 200, 700, 1_101, 300, 902, 400, 1_303], payouts.OrderBy(p => merchants.IndexOf(p.Merchant)).ThenBy(p => p.Amount.MinorUnits).Select(p => p.Amount.MinorUnits));
        Assert.All(payouts, p => Assert.Equal(p.Id == called.Id ? PayoutStatus.Canceled : PayoutStatus.InTransit, p.Status));
        Assert.Equal(4, payouts.Count(p => p.IsAutomatic));

        var files = Directory.GetFiles(Path.Combine(world.Options.FileFolder!, $"{date:yyyy-MM-dd}"));
        var entries = (await Task.WhenAll(files.Select(f => EntriesAsync(f, currency)))).SelectMany(e => e).ToList();
        Assert.Equal(payouts.Where(p => p.Id != called.Id).Select(p => (Key(p), p.Amount.MinorUnits)).Order(), entries.Order());

        // On their way they cannot be called off any more. What the bank says of the whole file reaches all of a merchant's payouts.
        var sent = payouts.First(p => !p.IsAutomatic && p.Id != called.Id);
        Assert.False((await world.Manual.CancelAsync(Request(sent.Merchant, "late"), sent.Id, "test", default)).TryGet(out _, out _));
        foreach (var file in await world.Files.FilesAsync(payouts.First(p => p.IsAutomatic).Run!.Value, default))
        {
            var summary = await ApplyAsync(world, $"""
                <Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt><GrpHdr><MsgId>R{file.Id:N}</MsgId></GrpHdr>
                  <OrgnlGrpInfAndSts><OrgnlMsgId>{file.Id:N}</OrgnlMsgId><GrpSts>ACSC</GrpSts></OrgnlGrpInfAndSts></CstmrPmtStsRpt></Document>
                """);
            Assert.Equal((file.Payouts, file.Payouts, 0, false), summary);
        }

        Assert.All(await Task.WhenAll(payouts.Where(p => p.Id != called.Id).Select(p => world.Reads.GetAsync(p.Merchant, p.Id, default))), p => Assert.Equal(PayoutStatus.Paid, p!.Status));
        await world.AssertSoundAsync();
    }

    [Fact]
    public async Task ApplyAsync_StatusReportAndStatement_SettleEachPayout()
    {
        using var world = World(Currency.Eur);
        var (_, payouts) = await RunAsync(world, Currency.Eur, 4);
        var report = $"""
            <Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt><GrpHdr><MsgId>R{payouts[0].Id.Value:N}</MsgId></GrpHdr>
              <OrgnlGrpInfAndSts><OrgnlMsgId>x</OrgnlMsgId><GrpSts>PART</GrpSts></OrgnlGrpInfAndSts>
              <OrgnlPmtInfAndSts><OrgnlPmtInfId>x</OrgnlPmtInfId>
                <TxInfAndSts><OrgnlEndToEndId>{EndToEndId.Of(payouts[0].Id)}</OrgnlEndToEndId><TxSts>ACSP</TxSts></TxInfAndSts>
                <TxInfAndSts><OrgnlEndToEndId>{EndToEndId.Of(payouts[1].Id)}</OrgnlEndToEndId><TxSts>RJCT</TxSts><StsRsnInf><Rsn><Cd>AC04</Cd></Rsn></StsRsnInf></TxInfAndSts>
                <TxInfAndSts><OrgnlEndToEndId>{EndToEndId.Of(new PayoutId(Guid.CreateVersion7(world.Clock.Now)))}</OrgnlEndToEndId><TxSts>RJCT</TxSts></TxInfAndSts>
              </OrgnlPmtInfAndSts></CstmrPmtStsRpt></Document>
            """;
        Assert.Equal((3, 1, 1, false), await ApplyAsync(world, report));
        Assert.Equal((3, 1, 1, true), await ApplyAsync(world, report));
        await AssertStatusAsync(world, payouts, PayoutStatus.InTransit, PayoutStatus.Failed, PayoutStatus.InTransit, PayoutStatus.InTransit);
        Assert.Equal("bank_account_errored", (await world.PreviewAsync(payouts[1].Merchant, Currency.Eur)).Reason);

        // The statement books two, returns one days later, and names one with another amount.
        string Entry(Payout payout, long amount, string indicator, string extra = "") => $"""
            <Ntry><Amt Ccy="EUR">{amount / 100}.{amount % 100:00}</Amt><CdtDbtInd>{indicator}</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BkTxCd/>
              <NtryDtls><TxDtls><Refs><EndToEndId>{EndToEndId.Of(payout.Id)}</EndToEndId></Refs>{extra}</TxDtls></NtryDtls></Ntry>
            """;
        string Statement(string id, string entries) => $"""
            <Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><GrpHdr><MsgId>{id}</MsgId></GrpHdr><Stmt><Id>1</Id><Acct><Id><IBAN>DE89370400440532013000</IBAN></Id></Acct>{entries}</Stmt></BkToCstmrStmt></Document>
            """;
        Assert.Equal((3, 2, 1, false), await ApplyAsync(world, Statement("S1", Entry(payouts[0], payouts[0].Amount.MinorUnits, "DBIT") + Entry(payouts[2], payouts[2].Amount.MinorUnits, "DBIT")
            + Entry(payouts[3], payouts[3].Amount.MinorUnits + 1, "DBIT"))));
        Assert.Equal((1, 1, 0, false), await ApplyAsync(world, Statement("S2", Entry(payouts[0], payouts[0].Amount.MinorUnits, "CRDT", "<RtrInf><Rsn><Cd>AC01</Cd></Rsn></RtrInf>"))));

        // The same news in another file is no news.
        Assert.Equal((1, 0, 0, false), await ApplyAsync(world, Statement("S3", Entry(payouts[0], payouts[0].Amount.MinorUnits, "CRDT", "<RtrInf><Rsn><Cd>AC01</Cd></Rsn></RtrInf>"))));
        await AssertStatusAsync(world, payouts, PayoutStatus.Returned, PayoutStatus.Failed, PayoutStatus.Paid, PayoutStatus.InTransit);
        Assert.Equal(payouts[0].Amount.MinorUnits, await world.BalanceAsync(ChartOfAccounts.MerchantAvailable(payouts[0].Merchant, Currency.Eur)));
        await world.AssertSoundAsync();
    }

    [Fact]
    public async Task ApplyAsync_BatchBookedInOneSum_SettlesTheWholeFile()
    {
        using var world = World(Currency.Eur);
        var (_, payouts) = await RunAsync(world, Currency.Eur, 4);
        var file = Assert.Single(await world.Files.FilesAsync(payouts[0].Run!.Value, default));
        var total = payouts.Sum(p => p.Amount.MinorUnits);
        string Statement(long amount) => $"""
            <Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><GrpHdr><MsgId>B</MsgId></GrpHdr><Stmt><Id>1</Id><Acct><Id><IBAN>DE89370400440532013000</IBAN></Id></Acct>
              <Ntry><Amt Ccy="EUR">{amount / 100}.{amount % 100:00}</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BkTxCd/>
                <NtryDtls><Btch><PmtInfId>{file.Id:N}-1</PmtInfId></Btch></NtryDtls></Ntry></Stmt></BkToCstmrStmt></Document>
            """;
        Assert.Equal((0, 0, 1, false), await ApplyAsync(world, Statement(total + 1)));
        Assert.Equal((4, 4, 0, false), await ApplyAsync(world, Statement(total)));
        await AssertStatusAsync(world, payouts, [.. Enumerable.Repeat(PayoutStatus.Paid, 4)]);
        await world.AssertSoundAsync();
    }

    [Fact]
    public async Task ApplyAsync_NachaReturn_FindsThePayoutByTraceAndGivesTheMoneyBack()
    {
        using var world = World(Currency.Usd);
        var (_, payouts) = await RunAsync(world, Currency.Usd, 3);
        var returned = payouts[1];
        string Lines(string individual) => NachaText.Text(NachaText.Returns(
            new ReturnEntry($"{world.Options.NachaOdfi}{returned.Trace!.Value:0000000}", individual, returned.Amount.MinorUnits, "R03",
                "NO ACCOUNT", Company: world.Options.NachaCompanyId!)));
        Assert.Equal((1, 0, 1, false), await ApplyAsync(world, Lines("SOMEBODYELSE")));
        Assert.Equal((1, 1, 0, false), await ApplyAsync(world, Lines(Nacha.IndividualId(returned.Id))));
        await AssertStatusAsync(world, payouts, PayoutStatus.InTransit, PayoutStatus.Returned, PayoutStatus.InTransit);
        Assert.Equal("R03", (await world.Reads.GetAsync(returned.Merchant, returned.Id, default))!.FailureCode);
        await world.AssertSoundAsync();
    }

    [Fact]
    public async Task ApplyAsync_FileCutShort_AppliesNothing()
    {
        using var world = World(Currency.Eur);
        await Assert.ThrowsAsync<BankFileException>(() => ApplyAsync(world, "<Document><BkToCstmrStmt><Stmt>"));
        Assert.Equal(0, await world.CountAsync("SELECT count(*) FROM payments.bank_reports WHERE name = 'cut'"));
    }

    private static Task<Result<StoredResponse>> AskAsync(PayoutWorld world, MerchantId merchant, string currency, long amount) =>
        world.Manual.CreateAsync(Request(merchant, $"ask-{amount}"), new CreatePayoutRequest(amount, currency, null), "test", default);

    private static IdempotentRequest Request(MerchantId merchant, string key) =>
        IdempotencyKey.Read(key).TryGet(out var value, out _) ? new IdempotentRequest(merchant, value, new byte[32]) : throw new InvalidOperationException(key);

    private PayoutWorld World(Currency currency, int filePayouts = 100) => new(database.App, o =>
    {
        o.Rails[currency.Code] = PayoutRail.File;
        o.FilePayouts = filePayouts;
    });

    private static DateOnly NextDate() => PayoutWorld.Today.AddDays(Interlocked.Increment(ref _days));

    private static async Task<List<MerchantId>> EarnAsync(PayoutWorld world, Currency currency, int count)
    {
        var merchants = new List<MerchantId>();
        for (var i = 0; i < count; i++)
        {
            merchants.Add(await world.MerchantAsync(currency));
            await world.EarnAsync(merchants[i], 1_000 + (101 * i), currency: currency);
        }

        return merchants;
    }

    private static async Task<(DateOnly Date, IReadOnlyList<Payout> Payouts)> RunAsync(PayoutWorld world, Currency currency, int count)
    {
        // What other tests left behind goes with a run of its own.
        await world.Run.RunAsync(NextDate(), currency, "test", default);
        var merchants = await EarnAsync(world, currency, count);
        var date = NextDate();
        var run = await world.Run.RunAsync(date, currency, "test", default);
        Assert.Equal((PayoutRunStatus.Submitted, PayoutRail.File), (run.Status, run.Rail));
        var payouts = await Task.WhenAll(merchants.Select(async m => Assert.Single(await world.PayoutsAsync(m))));
        return (date, payouts);
    }

    private static string Key(Payout payout) => payout.Amount.Currency == Currency.Eur ? EndToEndId.Of(payout.Id) : Nacha.IndividualId(payout.Id);

    private static async Task<IReadOnlyList<(string Key, long Amount)>> EntriesAsync(string path, Currency currency)
    {
        if (currency == Currency.Usd)
        {
            using var reader = new StreamReader(path);
            return [.. (await NachaReader.ReadAsync(reader, default)).Entries.Select(e => (e.IndividualId, e.Amount))];
        }

        XNamespace ns = Pain001Writer.Namespace;
        return [.. XDocument.Load(path).Descendants(ns + "CdtTrfTxInf").Select(e => (
            e.Descendants(ns + "EndToEndId").Single().Value,
            (long)(decimal.Parse(e.Descendants(ns + "InstdAmt").Single().Value, System.Globalization.CultureInfo.InvariantCulture) * 100)))];
    }

    private static async Task<(int Results, int Applied, int Unmatched, bool Repeated)> ApplyAsync(PayoutWorld world, string text)
    {
        var summary = await world.Reports.ApplyAsync("test", new MemoryStream(Encoding.UTF8.GetBytes(text)), default);
        return (summary.Results, summary.Applied, summary.Unmatched, summary.Repeated);
    }

    private static async Task AssertStatusAsync(PayoutWorld world, IReadOnlyList<Payout> payouts, params PayoutStatus[] expected) =>
        Assert.Equal(expected, (await Task.WhenAll(payouts.Select(p => world.Reads.GetAsync(p.Merchant, p.Id, default)))).Select(p => p!.Status));

    /// <summary>A store that dies at one point: before a write, in the middle of it, or after it. It remembers what was written whole.</summary>
    private sealed class DyingStore(IPayoutFileStore inner, int point) : IPayoutFileStore
    {
        private int _step;

        public Dictionary<string, byte[]> Written { get; } = [];

        public async Task WriteAsync(string name, string contentType, Func<Stream, CancellationToken, Task> write, CancellationToken ct)
        {
            Die();
            await inner.WriteAsync(name, contentType, async (stream, token) =>
            {
                await write(stream, token);
                Die();
            }, ct);
            await using (var stream = await inner.OpenAsync(name, ct))
            {
                var copy = new MemoryStream();
                await stream.CopyToAsync(copy, ct);
                Written.Add(name, copy.ToArray());
            }

            Die();
        }

        public Task<Stream> OpenAsync(string name, CancellationToken ct) => inner.OpenAsync(name, ct);

        private void Die()
        {
            if (_step++ == point)
            {
                throw new IOException("The process died.");
            }
        }
    }
}
