using System.Security.Cryptography;
using System.Text;
using Dapper;
using Payments.Domain;
using Payments.Domain.Idempotency;
using Payments.Domain.Ledger;
using Payments.Domain.Payouts;
using Payments.Domain.Payouts.BankFiles;
using Payments.Tests.Payouts;

namespace Payments.Postgres.Tests.Payouts;

/// <summary>Payouts by NACHA file: what is written, and what comes back. Each test has a day of its own, because the files of a day are
/// numbered.</summary>
public sealed class NachaTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    private static int _weeks;

    [Fact]
    public async Task RunAsync_LanesAndPayoutsThatWereAskedFor_WritesAscendingTraces()
    {
        using var world = World(filePayouts: 6);
        var merchants = await EarnAsync(world, 12);

        // Asked for before the run, in the reverse order of the merchants: their traces are lower, their merchants anywhere.
        foreach (var merchant in merchants.AsEnumerable().Reverse().Take(5))
        {
            Assert.True((await AskAsync(world, merchant, 100)).TryGet(out _, out var refusal), refusal?.Detail);
        }

        var files = await RunAsync(world);
        Assert.True(files.Count >= 3, $"{files.Count} files");
        var all = new List<NachaEntry>();
        foreach (var file in files)
        {
            var entries = (await ReadAsync(world, file)).Entries;
            Assert.Equal(entries.OrderBy(e => e.Trace, StringComparer.Ordinal), entries);
            all.AddRange(entries);
        }

        var payouts = (await Task.WhenAll(merchants.Select(world.PayoutsAsync))).SelectMany(p => p).ToList();
        Assert.Equal(17, payouts.Count);
        Assert.Equal(payouts.Select(p => (Nacha.IndividualId(p.Id), p.Amount.MinorUnits)).Order(),
            all.Select(e => (e.IndividualId, e.Amount)).Order());
        Assert.Equal(files.Count, files.Select(f => f.Modifier).Distinct().Count());
        await world.AssertSoundAsync();
    }

    [Fact]
    public async Task RunAsync_TwoRunsOfADay_HaveFilesOfOtherModifiers()
    {
        using var world = World(filePayouts: 2);
        var day = DateOnly.FromDateTime(world.Clock.Now.UtcDateTime);
        await EarnAsync(world, 3);
        var first = await RunAsync(world, day.AddDays(-1));
        await EarnAsync(world, 3);
        var second = await RunAsync(world, day);
        var headers = await Task.WhenAll(first.Concat(second).Select(f => ReadAsync(world, f)));
        Assert.True(first.Count >= 2 && second.Count >= 2);
        Assert.Equal("ABCDEFGHIJ"[..headers.Length], string.Concat(headers.Select(h => h.Modifier)));

        // The next day begins anew.
        world.Clock.Now = world.Clock.Now.AddDays(3);
        await EarnAsync(world, 1);
        Assert.Equal('A', (await ReadAsync(world, Assert.Single(await RunAsync(world)))).Modifier);
    }

    [Fact]
    public async Task RunAsync_MoreFilesThanADayCanTellApart_WaitsForAnotherDay()
    {
        using var world = World(filePayouts: 1);
        var merchants = await EarnAsync(world, 37);
        await Assert.ThrowsAsync<InvalidOperationException>(() => RunAsync(world));
        var waiting = (await Task.WhenAll(merchants.Select(world.PayoutsAsync))).SelectMany(p => p);
        Assert.All(waiting, p => Assert.Equal(PayoutStatus.Pending, p.Status));

        // The operator takes longer files, and the run goes on.
        world.Options.FilePayouts = 30;
        Assert.Equal(2, (await RunAsync(world)).Count);
        await world.AssertSoundAsync();
    }

    [Fact]
    public async Task WriteContentAsync_FilePlannedBeforeModifiers_HasTheBytesOfThatTime()
    {
        using var world = World();
        var merchants = await EarnAsync(world, 3);
        Assert.True((await AskAsync(world, merchants[1], 100)).TryGet(out _, out _));
        var file = Assert.Single(await RunAsync(world));
        await using (var connection = await database.Owner.OpenConnectionAsync(TestContext.Current.CancellationToken))
        {
            await connection.ExecuteAsync("UPDATE payments.payout_files SET modifier = NULL, created_on = NULL WHERE id = @id",
                new { id = file.Id });
        }

        var output = new MemoryStream();
        await world.Files.RewriteAsync(file.Name, output, default);
        var entries = (await NachaReader.ReadAsync(new StringReader(Encoding.ASCII.GetString(output.ToArray())), default)).Entries;
        var byMerchant = (await Task.WhenAll(merchants.Select(world.PayoutsAsync))).SelectMany(p => p)
            .OrderBy(p => p.Merchant.Value.ToString("N"), StringComparer.Ordinal).ThenBy(p => p.Entry);
        Assert.Equal(byMerchant.Select(p => Nacha.IndividualId(p.Id)), entries.Select(e => e.IndividualId));
    }

    [Fact]
    public async Task ApplyAsync_NotificationOfChange_CorrectsTheAccountBeforeTheNextEntry()
    {
        using var world = World();
        var merchant = Assert.Single(await EarnAsync(world, 1));
        await RunAsync(world);
        var payout = Assert.Single(await world.PayoutsAsync(merchant));

        // One payout waits for tomorrow's file when the bank speaks.
        await world.EarnAsync(merchant, 700, currency: Currency.Usd);
        Assert.True((await AskAsync(world, merchant, 300)).TryGet(out _, out _));
        var notification = NachaText.Returns(Word(world, payout, "C03", "091000019   987654321"));
        Assert.Equal((1, 1, 0, false), await ApplyAsync(world, notification));
        var account = await AccountAsync(world, merchant);
        Assert.Equal(("091000019", "987654321", UsAccountType.Checking),
            (account.Details.RoutingNumber, account.Details.AccountNumber, account.Details.AccountType));
        Assert.Equal((payout.BankAccount, "C03", BankAccountState.Active, true),
            (account.Corrects!.Value, account.CorrectionCode, account.State, account.Verified));
        Assert.True(account.UsableFrom <= world.Clock.Now);

        // The money arrived. The merchant is told, and the change is in the audit log.
        Assert.Equal(PayoutStatus.InTransit, (await world.Reads.GetAsync(merchant, payout.Id, default))!.Status);
        Assert.Equal(1, await EventsAsync(world, merchant, "bank_account.corrected", account.Id));
        Assert.Equal(1, await world.CountAsync(
            "SELECT count(*) FROM payments.audit_log WHERE merchant_id = @id AND action = 'payout_settings.bank_account_corrected'",
            new { id = merchant.Value }));

        world.Clock.Now = world.Clock.Now.AddDays(3);
        var entries = (await ReadAsync(world, Assert.Single(await RunAsync(world)))).Entries;
        Assert.Equal([("091000019", "987654321", 300L), ("091000019", "987654321", 400L)],
            entries.Select(e => (e.RoutingNumber, e.AccountNumber, e.Amount)).Order());

        // The same words in another file are no news.
        Assert.Equal((1, 0, 0, false), await ApplyAsync(world, [.. notification, new string('9', 94)]));
        Assert.Equal(account.Id, (await AccountAsync(world, merchant)).Id);
        await world.AssertSoundAsync();
    }

    [Fact]
    public async Task ApplyAsync_TwoNotificationsOfTwoPayouts_AddUp()
    {
        using var world = World();
        var merchant = Assert.Single(await EarnAsync(world, 1));
        Assert.True((await AskAsync(world, merchant, 300)).TryGet(out _, out _));
        await RunAsync(world);
        var payouts = await world.PayoutsAsync(merchant);
        Assert.Equal((1, 1, 0, false), await ApplyAsync(world, NachaText.Returns(Word(world, payouts[0], "C01", "987654321"))));
        Assert.Equal((1, 1, 0, false), await ApplyAsync(world, NachaText.Returns(Word(world, payouts[1], "C05", "32"))));
        Assert.Equal((1, 0, 0, false), await ApplyAsync(world, NachaText.Returns(Word(world, payouts[1], "C01", "987654321"))));
        var account = await AccountAsync(world, merchant);
        Assert.Equal(("987654321", UsAccountType.Savings), (account.Details.AccountNumber, account.Details.AccountType));
        Assert.Equal(3,
            await world.CountAsync("SELECT count(*) FROM payments.bank_accounts WHERE merchant_id = @id", new { id = merchant.Value }));
    }

    [Fact]
    public async Task ApplyAsync_NotificationThatCannotBeUsed_StopsPayoutsAndTellsThePeople()
    {
        using var world = World();
        var merchant = Assert.Single(await EarnAsync(world, 1));
        await RunAsync(world);
        var payout = Assert.Single(await world.PayoutsAsync(merchant));
        var unusable = NachaText.Returns(Word(world, payout, "C02", "091000018"));
        Assert.Equal((1, 0, 1, false), await ApplyAsync(world, unusable));
        var item = Assert.Single(await ItemsAsync(world, unusable));
        Assert.Equal(("correction_not_applied", "C02", "091000018", payout.Id.ToString(), merchant.ToString()),
            (item.Reason, item.Code, item.Text, item.Payout, item.Merchant));
        var account = await AccountAsync(world, merchant);
        Assert.Equal((payout.BankAccount, BankAccountState.Errored, "C02"), (account.Id, account.State, account.FailureCode));
        Assert.Equal(1, await EventsAsync(world, merchant, "bank_account.correction_required", account.Id));
        Assert.Equal("bank_account_errored", (await world.PreviewAsync(merchant, Currency.Usd)).Reason);

        // The merchant gives the account anew: the old notification is about another one.
        await world.AccountAsync(merchant, Currency.Usd, number: 2);
        Assert.Equal((1, 0, 0, false), await ApplyAsync(world, NachaText.Returns(Word(world, payout, "C01", "987654321"))));
        account = await AccountAsync(world, merchant);
        Assert.Equal((BankAccountState.Active, "00000002"), (account.State, account.Details.AccountNumber));
    }

    [Theory]
    [InlineData("C09")]
    [InlineData("C11")]
    [InlineData("C61")]
    public async Task ApplyAsync_NotificationAboutUs_IsUnmatchedAndLeavesTheAccount(string code)
    {
        using var world = World();
        var merchant = Assert.Single(await EarnAsync(world, 1));
        await RunAsync(world);
        var payout = Assert.Single(await world.PayoutsAsync(merchant));
        var notification = NachaText.Returns(Word(world, payout, code, "1123456789"));
        Assert.Equal((1, 0, 1, false), await ApplyAsync(world, notification));
        var item = Assert.Single(await ItemsAsync(world, notification));
        Assert.Equal(("correction_not_applied", code, payout.Id.ToString()), (item.Reason, item.Code, item.Payout));
        Assert.Equal((payout.BankAccount, BankAccountState.Active),
            ((await AccountAsync(world, merchant)).Id, (await AccountAsync(world, merchant)).State));
    }

    [Fact]
    public async Task ApplyAsync_WordsOfSeveralCompanies_FindsOurs()
    {
        using var world = World();
        var merchant = Assert.Single(await EarnAsync(world, 1));
        await RunAsync(world);
        var payout = Assert.Single(await world.PayoutsAsync(merchant));

        // A trace number of ours with another identification is for a person; so is a return that disputes another one.
        var returned = Word(world, payout, "R03");
        var unknown = returned with { IndividualId = "SOMEBODYELSE" };
        var unclear = NachaText.Returns(unknown, Word(world, payout, "R73"));
        Assert.Equal((2, 0, 2, false), await ApplyAsync(world, unclear));
        Assert.Equal(
            [("meaning_unclear", "R73", payout.Id.ToString(), merchant.ToString()), ("unknown_payout", "R03", null, null)],
            (await ItemsAsync(world, unclear)).Select(i => (i.Reason, i.Code, i.Payout, i.Merchant)).Order());
        Assert.Equal(PayoutStatus.InTransit, (await world.Reads.GetAsync(merchant, payout.Id, default))!.Status);

        // Another company's payment by another bank is not ours. Our payout is, even if our company had another number when it was sent.
        var stranger = new ReturnEntry("121042880000001", "SOMEBODYELSE", 500, "R03", Company: "9999999999");
        var correction = stranger with { Code = "C01", Amount = 0, Data = "12345" };
        var dispute = stranger with { Code = "R61" };
        var strangers = NachaText.Returns(stranger, correction, dispute);
        Assert.Equal((0, 0, 0, false), await ApplyAsync(world, strangers));
        Assert.Empty(await ItemsAsync(world, strangers));
        Assert.Equal((1, 1, 0, false), await ApplyAsync(world, NachaText.Returns(stranger, returned with { Company = "9999999999" })));
        Assert.Equal(PayoutStatus.Returned, (await world.Reads.GetAsync(merchant, payout.Id, default))!.Status);
        await world.AssertSoundAsync();
    }

    /// <summary>
    /// Two thousand damaged return files about the same payouts, one after the other: money comes back at most once for each payout, and
    /// whatever is read
    /// and names a payout is applied, known already or unmatched.
    /// </summary>
    [Fact]
    public async Task ApplyAsync_TwoThousandDamagedFiles_GivesMoneyBackAtMostOnce()
    {
        using var world = World();
        var merchants = await EarnAsync(world, 4);
        await RunAsync(world);
        var payouts = (await Task.WhenAll(merchants.Select(world.PayoutsAsync))).Select(p => p.Single()).ToList();
        var file = NachaText.Returns(
            Word(world, payouts[0], "R03"), Word(world, payouts[1], "C01", "987654321"), Word(world, payouts[2], "R02"),
            Word(world, payouts[3], "R01") with { Company = "OTHER" });
        var (applied, unmatched, read) = (0, 0, 0);
        for (var seed = 0; seed < 2_000; seed++)
        {
            var bytes = NachaText.Damage(file, seed);
            BankReport report;
            try
            {
                report = await BankReportReader.ReadAsync(new MemoryStream(bytes), [], default);
            }
            catch (BankFileException)
            {
                continue;
            }

            // What the reader refuses never reaches the database. The others all do.
            read++;
            var summary = await world.Reports.ApplyAsync($"seed-{seed}", new MemoryStream(bytes), default);
            Assert.True(summary.Repeated || summary.Results + report.Foreign >= 3, $"seed {seed}: {summary}");
            applied += summary.Repeated ? 0 : summary.Applied;
            unmatched += summary.Repeated ? 0 : summary.Unmatched;
        }

        Assert.True(read > 200 && unmatched > 0, $"{read} read, {unmatched} unmatched");
        foreach (var payout in payouts)
        {
            var status = (await world.Reads.GetAsync(payout.Merchant, payout.Id, default))!.Status;
            Assert.Contains(status, new[] { PayoutStatus.InTransit, PayoutStatus.Returned });
            Assert.Equal(status == PayoutStatus.Returned ? payout.Amount.MinorUnits : 0,
                await world.BalanceAsync(ChartOfAccounts.MerchantAvailable(payout.Merchant, Currency.Usd)));
        }

        Assert.Equal(PayoutStatus.Returned, (await world.Reads.GetAsync(payouts[0].Merchant, payouts[0].Id, default))!.Status);
        Assert.InRange(applied, 3, 40);
        await world.AssertSoundAsync();

        // Other tests' runs leave the money that came back alone.
        await Task.WhenAll(merchants.Select(m => world.Settings.HoldAsync(m, Currency.Usd, "The test is over.", "test", default)));
    }

    private PayoutWorld World(int filePayouts = 100)
    {
        var world = new PayoutWorld(database.App, o =>
        {
            o.Rails["USD"] = PayoutRail.File;
            o.FilePayouts = filePayouts;
        });
        world.Clock.Now = PayoutWorld.Friday.AddDays(7 * Interlocked.Increment(ref _weeks));
        return world;
    }

    private static async Task<List<MerchantId>> EarnAsync(PayoutWorld world, int count)
    {
        var merchants = new List<MerchantId>();
        for (var i = 0; i < count; i++)
        {
            merchants.Add(await world.MerchantAsync(Currency.Usd));
            await world.EarnAsync(merchants[i], 1_000 + (101 * i), currency: Currency.Usd);
        }

        return merchants;
    }

    private static async Task<IReadOnlyList<PayoutFile>> RunAsync(PayoutWorld world, DateOnly? date = null)
    {
        var run = await world.Run.RunAsync(date ?? DateOnly.FromDateTime(world.Clock.Now.UtcDateTime), Currency.Usd, "test", default);
        Assert.Equal(PayoutRunStatus.Submitted, run.Status);
        return await world.Files.FilesAsync(run.Id, default);
    }

    private static async Task<NachaFile> ReadAsync(PayoutWorld world, PayoutFile file)
    {
        var bytes = await File.ReadAllBytesAsync(Path.Combine(world.Options.FileFolder!, file.Name));
        Assert.Equal(1, await world.CountAsync(
            "SELECT count(*) FROM payments.payout_files WHERE id = @id AND sha256 = @hash",
            new { id = file.Id, hash = SHA256.HashData(bytes) }));
        return await NachaReader.ReadAsync(new StringReader(Encoding.ASCII.GetString(bytes)), default);
    }

    private static ReturnEntry Word(PayoutWorld world, Payout payout, string code, string data = "") => new(
        $"{world.Options.NachaOdfi}{payout.Trace!.Value:0000000}", Nacha.IndividualId(payout.Id),
        code[0] == 'C' ? 0 : payout.Amount.MinorUnits, code, data, Company: world.Options.NachaCompanyId!);

    private static async Task<(int Results, int Applied, int Unmatched, bool Repeated)> ApplyAsync(PayoutWorld world, string[] lines)
    {
        var summary = await world.Reports.ApplyAsync("test", new MemoryStream(Encoding.Latin1.GetBytes(NachaText.Text(lines))), default);
        return (summary.Results, summary.Applied, summary.Unmatched, summary.Repeated);
    }

    private static async Task<IReadOnlyList<UnmatchedBankItemResource>> ItemsAsync(PayoutWorld world, string[] lines)
    {
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.Latin1.GetBytes(NachaText.Text(lines))));
        return [.. (await world.Unmatched.ListAsync(false, null, null, 10_000, default)).Where(i => i.FileHash == hash)];
    }

    private static async Task<BankAccount> AccountAsync(PayoutWorld world, MerchantId merchant) =>
        Assert.Single(await world.Settings.ListAsync(merchant, default)).Account!;

    private static Task<long> EventsAsync(PayoutWorld world, MerchantId merchant, string type, BankAccountId account) =>
        world.CountAsync("SELECT count(*) FROM payments.events WHERE merchant_id = @merchant AND type = @type AND object_id = @account",
            new { merchant = merchant.Value, type, account = account.Value });

    private static Task<Result<StoredResponse>> AskAsync(PayoutWorld world, MerchantId merchant, long amount) =>
        world.Manual.CreateAsync(Request(merchant, $"ask-{amount}"), new CreatePayoutRequest(amount, "USD", null), "test", default);

    private static IdempotentRequest Request(MerchantId merchant, string key) =>
        IdempotencyKey.Read(key).TryGet(out var value, out _) ? new IdempotentRequest(merchant, value, new byte[32])
            : throw new InvalidOperationException(key);
}
