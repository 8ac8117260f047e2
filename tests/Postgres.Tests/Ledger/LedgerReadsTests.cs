using System.Text.Json;
using Dapper;
using Payments.Domain;
using Payments.Domain.Ledger;
using static Payments.Postgres.Tests.Ledger.LedgerFixture;

namespace Payments.Postgres.Tests.Ledger;

public sealed class LedgerReadsTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    private readonly MerchantId _merchant = TestMerchants.Next();

    private LedgerReads Reads => new(database.App);

    private AccountRef Pending => ChartOfAccounts.MerchantPending(_merchant, Currency.Eur);

    private AccountRef Clearing => ChartOfAccounts.ProcessorClearing($"p_{_merchant.Value:N}", Currency.Eur);

    [Fact]
    public async Task BalanceAsync_PlatformAccount_AddsItsStripes()
    {
        var other = TestMerchants.InBucket((_merchant.Bucket + 7) % MerchantId.LiveBuckets);
        await database.App.PostAsync(Now, Charge(_merchant, "a", 100), Charge(other, "b", 30));

        Assert.Equal(new Money(130, Currency.Eur), await Reads.BalanceAsync(Clearing, CancellationToken.None));
        Assert.Equal(new Money(0, Currency.Usd), await Reads.BalanceAsync(Clearing with { Currency = Currency.Usd }, CancellationToken.None));
    }

    [Fact]
    public async Task BalanceAtAsync_EachMoment_IsTheBalanceThen()
    {
        for (var i = 1; i <= 40; i++)
            await database.App.PostAsync(Now.AddMinutes(10 * i), Charge(_merchant, $"{i}a", 1), Charge(_merchant, $"{i}b", 1), Release($"{i}r", 1));

        for (var i = 0; i <= 41; i++)
        {
            var expected = new Money(Math.Min(i, 40), Currency.Eur);
            Assert.Equal(expected, await Reads.BalanceAtAsync(Pending, Now.AddMinutes(10 * i), CancellationToken.None));
            Assert.Equal(expected, await Reads.BalanceAtAsync(Pending, Now.AddMinutes((10 * i) + 9), CancellationToken.None));
        }
    }

    [Fact]
    public async Task PostAsync_ClockGoesBack_TimesOfAnAccountDoNot()
    {
        await database.App.PostAsync(Now.AddHours(1), Charge(_merchant, "late clock", 5));
        await database.App.PostAsync(Now, Charge(_merchant, "early clock", 5));

        var page = await Reads.StatementAsync(Pending, null, 10, null, null, CancellationToken.None);

        Assert.Equal([Now.AddHours(1), Now.AddHours(1)], page.Lines.Select(line => line.RecordedAt));
        Assert.Equal(new Money(10, Currency.Eur), await Reads.BalanceAtAsync(Pending, Now.AddHours(1), CancellationToken.None));
    }

    [Fact]
    public async Task StatementAsync_PageByPage_IsEveryLineOnceWithItsBalance()
    {
        for (var i = 1; i <= 7; i++)
            await database.App.PostAsync(Now.AddMinutes(i), Charge(_merchant, $"{i}", 10 * i), Release($"r{i}", i));

        var lines = new List<StatementLine>();
        StatementPage page;
        do
        {
            page = await Reads.StatementAsync(Pending, lines.LastOrDefault()?.Cursor, 4, null, null, CancellationToken.None);
            lines.AddRange(page.Lines);
        }
        while (page.HasMore);

        Assert.Equal(Enumerable.Range(1, 14).Reverse().Select(i => (long)i), lines.Select(line => line.Version));
        Assert.Equal([-7L, 70, -6, 60], lines.Take(4).Select(line => line.Change));
        Assert.Equal(252, lines[0].Balance);
        Assert.All(lines.Zip(lines.Skip(1)), pair => Assert.Equal(pair.First.Balance - pair.First.Change, pair.Second.Balance));
        Assert.Equal(("charge", Clearing.Name), (lines[1].Kind, lines[1].Other));
    }

    [Fact]
    public async Task StatementAsync_BetweenTimes_IsWhatWasRecordedThen()
    {
        for (var i = 1; i <= 9; i++)
            await database.App.PostAsync(Now.AddMinutes(i), Charge(_merchant, $"{i}", 1));

        var page = await Reads.StatementAsync(Pending, null, 100, Now.AddMinutes(3), Now.AddMinutes(6), CancellationToken.None);

        Assert.Equal([6L, 5, 4], page.Lines.Select(line => line.Version));
    }

    [Fact]
    public async Task StatementAsync_StripedAccount_GoesThroughEveryStripe()
    {
        var other = TestMerchants.InBucket((_merchant.Bucket + 9) % MerchantId.LiveBuckets);
        for (var i = 1; i <= 5; i++)
            await database.App.PostAsync(Now, Charge(_merchant, $"{i}", 1), Charge(other, $"{i}", 1));

        var lines = new List<StatementLine>();
        StatementPage page;
        do
        {
            page = await Reads.StatementAsync(Clearing, lines.LastOrDefault()?.Cursor, 3, null, null, CancellationToken.None);
            lines.AddRange(page.Lines);
        }
        while (page.HasMore);

        Assert.Equal(10, lines.Select(line => (line.Bucket, line.Version)).Distinct().Count());
        Assert.Equal(10, lines.Count);
    }

    [Fact]
    public async Task JournalAsync_PostedKey_IsTheJournalAsPosted()
    {
        var charge = Charge(_merchant, "j", 100);
        var posted = Assert.Single(await database.App.PostAsync(Now.AddSeconds(5), charge));

        var journal = await Reads.JournalAsync(charge.ExternalKey, CancellationToken.None);

        Assert.NotNull(journal);
        Assert.Equal((posted.JournalId, _merchant, "charge", Now, Now.AddSeconds(5)), (journal.Id, journal.Merchant, journal.Kind, journal.EffectiveAt, journal.RecordedAt));
        Assert.Equal(new PostedTransfer(1, Clearing.Name, Pending.Name, "EUR", 100, "test", 100, 100), Assert.Single(journal.Transfers));
        Assert.Null(await Reads.JournalAsync("no such key", CancellationToken.None));
    }

    [Fact]
    public async Task TrialBalanceAsync_AnyLedger_DebitsEqualCredits()
    {
        await database.App.PostAsync(Now, Charge(_merchant, "t", 100), Release("t", 40));

        var lines = await Reads.TrialBalanceAsync(CancellationToken.None);

        Assert.All(lines.GroupBy(line => line.Currency), currency => Assert.Equal(currency.Sum(line => line.Debit), currency.Sum(line => line.Credit)));
        Assert.Contains(lines, line => line.Account == "merchant/*/pending");
        Assert.Contains(lines, line => line.Account == Clearing.Name && line.Debit == 100);
    }

    [Fact]
    public async Task AccountsAsync_ByPrefix_PagesThroughThem()
    {
        await database.App.PostAsync(Now, Charge(_merchant, "x", 100), Release("x", 40));

        var first = Assert.Single(await Reads.AccountsAsync($"merchant/{_merchant}/", null, 1, CancellationToken.None));
        var second = Assert.Single(await Reads.AccountsAsync($"merchant/{_merchant}/", first.Account, 10, CancellationToken.None));

        Assert.Equal((ChartOfAccounts.MerchantAvailable(_merchant, Currency.Eur), 40), (first.Account, first.Balance));
        Assert.Equal((Pending, 60), (second.Account, second.Balance));
    }

    /// <summary>
    /// Each question of a merchant's, asked of accounts with a long history, touches a number of pages that a scan could never do with:
    /// counted by the server, whatever plan it took, function calls included.
    /// </summary>
    [Fact]
    public async Task EachRead_LongHistory_TouchesAHandfulOfPages()
    {
        const int Journals = 60_000;
        var posting = new LedgerPosting(database.App);
        await using (var connection = await database.App.OpenConnectionAsync())
        {
            for (var i = 0; i < Journals; i += 2_000)
            {
                await using var transaction = await connection.BeginTransactionAsync();
                await posting.PostAsync(
                    connection, transaction, [.. Enumerable.Range(i, 2_000).Select(n => Charge(_merchant, $"n{n:00000}", 1))], Now.AddSeconds(i), CancellationToken.None);
                await transaction.CommitAsync();
            }
        }

        await database.Owner.ExecuteAsync("VACUUM (ANALYZE) ledger.transfers, ledger.accounts, ledger.balances");
        await using var reader = await database.App.OpenConnectionAsync();
        var pages = await reader.ExecuteScalarAsync<long>("SELECT pg_relation_size('ledger.transfers') / 8192");
        var account = await reader.ExecuteScalarAsync<int>("SELECT id FROM ledger.accounts WHERE name = @Name", Pending);
        var (name, currency, bucket) = (Pending.Name, Pending.Currency, _merchant.Bucket);
        Assert.True(pages > 1_000);

        await TouchesAsync(20, LedgerSql.Balance, new { name, currency, mode = "live" });
        await TouchesAsync(400, LedgerSql.BalanceAt, new { name, currency, at = Now.AddSeconds(Journals / 3), mode = "live" });
        await TouchesAsync(400, LedgerSql.Statement, new { account, bucket, after = 0L, before = (long)(Journals / 2), limit = 51 });
        await TouchesAsync(20, LedgerSql.JournalByKey, new { externalKey = Charge(_merchant, "n30000", 1).ExternalKey });
        await TouchesAsync(20, LedgerSql.Accounts, new
        {
            prefix = name,
            upTo = name + '\x7f',
            afterName = "",
            afterCurrency = "",
            limit = 10,
            mode = "live"
        });

        async Task TouchesAsync(int atMost, string sql, object parameters)
        {
            // The first call reads the catalogue as well.
            await reader.ExecuteAsync(sql, parameters);
            var explained = await reader.ExecuteScalarAsync<string>("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + sql, parameters);
            var plan = JsonDocument.Parse(explained!).RootElement[0].GetProperty("Plan");
            var touched = plan.GetProperty("Shared Hit Blocks").GetInt64() + plan.GetProperty("Shared Read Blocks").GetInt64();
            Assert.True(touched <= atMost, $"{touched} pages of {pages}: {explained}");
        }
    }

    private Journal Charge(MerchantId merchant, string key, long amount) =>
        new(merchant, $"charge/{_merchant.Value:N}/{merchant.Value:N}/{key}", "charge", Now, [Move(Clearing, ChartOfAccounts.MerchantPending(merchant, Currency.Eur), amount)]);

    private Journal Release(string key, long amount) => new(
        _merchant, $"release/{_merchant.Value:N}/{key}", "funds_available", Now, [Move(Pending, ChartOfAccounts.MerchantAvailable(_merchant, Currency.Eur), amount)]);
}
