using Dapper;
using Npgsql;
using Payments.Domain;
using Payments.Domain.Database;
using Payments.Domain.Ledger;

namespace Payments.Postgres.Tests.Ledger;

public sealed class LedgerPostingTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    private static readonly DateTimeOffset Now = new(2026, 5, 4, 12, 0, 0, TimeSpan.Zero);
    private readonly MerchantId _merchant = TestMerchants.Next();

    private AccountRef Pending => ChartOfAccounts.MerchantPending(_merchant, Currency.Eur);

    private AccountRef Available => ChartOfAccounts.MerchantAvailable(_merchant, Currency.Eur);

    private static AccountRef Clearing => ChartOfAccounts.ProcessorClearing("sandbox", Currency.Eur);

    private static AccountRef Fees => ChartOfAccounts.PlatformFees(Currency.Eur);

    [Fact]
    public async Task PostAsync_ChargeWithFee_MovesBothSidesAndRecordsVersions()
    {
        var result = Assert.Single(await PostAsync(Charge("c1", 100, 3)));

        Assert.Equal(PostingStatus.Posted, result.Status);
        Assert.Equal((97, 2), await BalanceAsync(Pending));
        Assert.Equal((100, 1), await BalanceAsync(Clearing));
        Assert.Equal((3, 1), await BalanceAsync(Fees));
    }

    [Fact]
    public async Task PostAsync_SameKeyAgain_ExistsWithTheFirstId()
    {
        var first = Assert.Single(await PostAsync(Charge("c1", 100, 3)));

        var again = await PostAsync(Charge("c1", 100, 3) with { EffectiveAt = Now.AddDays(1) }, Charge("c2", 5, 1), Charge("c2", 5, 1), Charge("c2", 6, 1));

        Assert.Equal(
            [PostingStatus.Exists, PostingStatus.Posted, PostingStatus.Exists, PostingStatus.ExistsWithDifferentContent],
            again.Select(result => result.Status));
        Assert.Equal(first.JournalId, again[0].JournalId);
        Assert.Equal(again[1].JournalId, again[2].JournalId);
        Assert.Equal((101, 4), await BalanceAsync(Pending));
    }

    [Fact]
    public async Task PostAsync_SameKeyWithOtherContent_IsRefusedWhateverDiffers()
    {
        await PostAsync(Charge("c1", 100, 3));
        var charge = Charge("c1", 100, 3);

        var results = new[]
        {
            charge with { Kind = "other" },
            charge with { Transfers = [charge.Transfers[0]] },
            charge with { Transfers = [charge.Transfers[1], charge.Transfers[0]] },
            charge with { Transfers = [charge.Transfers[0] with { Code = "other" }, charge.Transfers[1]] },
            charge with { Transfers = [charge.Transfers[0] with { Amount = new Money(101, Currency.Eur) }, charge.Transfers[1]] },
            charge with { Transfers = [charge.Transfers[0] with { Credit = Available }, charge.Transfers[1]] },
        };

        foreach (var journal in results)
            Assert.Equal(PostingStatus.ExistsWithDifferentContent, Assert.Single(await PostAsync(journal)).Status);
        Assert.Equal((97, 2), await BalanceAsync(Pending));
    }

    [Fact]
    public async Task PostAsync_OneJournalOverdraws_NeighboursArePostedInOrder()
    {
        var results = await PostAsync(
            Charge("c1", 100, 0),
            Release("r1", 60),
            Release("r2", 60),
            Release("r3", 40),
            Release("r4", 1));

        Assert.Equal(
            [PostingStatus.Posted, PostingStatus.Posted, PostingStatus.InsufficientFunds, PostingStatus.Posted, PostingStatus.InsufficientFunds],
            results.Select(result => result.Status));
        Assert.Null(results[2].JournalId);
        Assert.Equal((0, 3), await BalanceAsync(Pending));
        Assert.Equal((100, 2), await BalanceAsync(Available));
    }

    [Fact]
    public async Task PostAsync_LaterLineOfAJournalOverdraws_ItsEarlierLinesLeaveNoTrace()
    {
        await PostAsync(Charge("c1", 100, 0));

        var results = await PostAsync(
            new Journal(_merchant, Key("x"), "test", Now,
            [
                Move(Pending, Available, 80),
                Move(Available, Fees, 10),
                Move(Pending, Available, 21),
            ]),
            Release("r1", 100));

        Assert.Equal([PostingStatus.InsufficientFunds, PostingStatus.Posted], results.Select(result => result.Status));
        Assert.Equal((0, 2), await BalanceAsync(Pending));
        Assert.Equal((100, 1), await BalanceAsync(Available));
        Assert.Equal((0, 0), await BalanceAsync(Fees));
    }

    [Fact]
    public async Task PostAsync_MarkedPastLimit_GoesBelowZero()
    {
        var dispute = new Journal(_merchant, Key("d"), "dispute_opened", Now,
            [Move(Available, ChartOfAccounts.MerchantDisputed(_merchant, Currency.Eur), 50) with { PastLimit = true }]);

        Assert.Equal(PostingStatus.Posted, Assert.Single(await PostAsync(dispute)).Status);
        Assert.Equal((-50, 1), await BalanceAsync(Available));
    }

    [Fact]
    public async Task PostAsync_CurrencyExchange_IsTwoTransfersThroughThePositions()
    {
        var dollars = ChartOfAccounts.MerchantPending(_merchant, Currency.Usd);
        await PostAsync(Charge("c1", 100, 0));

        var exchange = new Journal(_merchant, Key("fx"), "exchange", Now,
        [
            Move(Pending, ChartOfAccounts.ForeignExchange(Currency.Eur), 100),
            new Transfer(ChartOfAccounts.ForeignExchange(Currency.Usd), dollars, new Money(108, Currency.Usd), "exchange"),
        ]);

        Assert.Equal(PostingStatus.Posted, Assert.Single(await PostAsync(exchange)).Status);
        Assert.Equal((108, 1), await BalanceAsync(dollars));
        Assert.Equal((100, 1), await BalanceAsync(ChartOfAccounts.ForeignExchange(Currency.Eur)));
        Assert.Equal((-108, 1), await BalanceAsync(ChartOfAccounts.ForeignExchange(Currency.Usd)));
    }

    [Fact]
    public async Task PostAsync_AccountOfAMerchantInAnotherBucket_IsRefused()
    {
        var other = TestMerchants.InBucket((_merchant.Bucket + 1) % MerchantId.LiveBuckets);
        await PostAsync(new Journal(other, Key("o"), "test", Now, [Move(Clearing, ChartOfAccounts.MerchantPending(other, Currency.Eur), 10)]));

        var result = await PostAsync(new Journal(_merchant, Key("x"), "test", Now, [Move(Clearing, ChartOfAccounts.MerchantPending(other, Currency.Eur), 10)]));

        Assert.Equal(PostingStatus.BucketMismatch, Assert.Single(result).Status);
    }

    // The library never asks for these, so the database is asked directly: each of the app's mistakes has its own answer, and nothing is posted.
    [Theory]
    [InlineData("account_missing")]
    [InlineData("currency_mismatch")]
    [InlineData("account_closed")]
    public async Task Post_AccountsThatCannotTakeIt_EachHasItsOwnAnswerAndItsNeighbourIsPosted(string expected)
    {
        await PostAsync(Charge("c1", 100, 3));
        await PostAsync(new Journal(_merchant, Key("usd"), "test", Now,
        [
            new Transfer(ChartOfAccounts.BankSettlement(Currency.Usd), ChartOfAccounts.MerchantAvailable(_merchant, Currency.Usd), new Money(5, Currency.Usd), "test"),
        ]));
        await PostAsync(new Journal(_merchant, Key("in"), "test", Now, [Move(Clearing, Available, 10)]));
        await PostAsync(new Journal(_merchant, Key("out"), "test", Now, [Move(Available, Clearing, 10)]));
        await using var connection = await database.App.OpenConnectionAsync();
        var (pending, available) = (await IdAsync(connection, Pending), await IdAsync(connection, Available));
        var other = expected switch
        {
            "account_missing" => int.MaxValue,
            "currency_mismatch" => await IdAsync(connection, ChartOfAccounts.MerchantAvailable(_merchant, Currency.Usd)),
            _ => available,
        };
        if (expected == "account_closed")
            Assert.True(await connection.ExecuteScalarAsync<bool>("SELECT ledger.close_account(@available)", new { available }));
        var clearing = await IdAsync(connection, Clearing);
        int[] accounts = [.. new[] { pending, clearing, other }.Order()];
        int At(int id) => Array.IndexOf(accounts, id) + 1;

        var statuses = await connection.ExecuteScalarAsync<string[]>(
            """
            SELECT statuses FROM ledger.post(
                @accounts, ARRAY[1, 2], @debits, @credits, ARRAY[7, 7]::bigint[], ARRAY['test', 'test'], ARRAY[false, false], @buckets, @keys,
                ARRAY['test', 'test'], @merchants, ARRAY[@now, @now]::timestamptz[], @now)
            """,
            new
            {
                accounts,
                debits = new[] { At(pending), At(clearing) },
                credits = new[] { At(other), At(pending) },
                buckets = new[] { _merchant.Bucket, _merchant.Bucket },
                keys = new[] { Key("refused"), Key("good") },
                merchants = new[] { _merchant.Value, _merchant.Value },
                now = Now,
            });

        Assert.Equal([expected, "posted"], statuses!);
        Assert.Equal((104, 3), await BalanceAsync(Pending));
        Assert.Equal(1, await connection.ExecuteScalarAsync<int>("SELECT count(*)::int FROM ledger.journals WHERE external_key = ANY (@keys)", new { keys = new[] { Key("refused"), Key("good") } }));
    }

    [Fact]
    public async Task Post_SaidToBeNewAndPostedBefore_IsRefusedAsAWhole()
    {
        await PostAsync(Charge("known", 100, 3));
        await using var connection = await database.App.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        Journal[] journals = [Charge("new", 50, 3), Charge("known", 100, 3)];
        await using var batch = new NpgsqlBatch(connection, transaction) { BatchCommands = { (await new LedgerPosting(database.App).TryPrepareAsync(journals, Now, default, allNew: true))! } };

        var refused = await Assert.ThrowsAsync<PostgresException>(() => batch.ExecuteNonQueryAsync());

        Assert.True(DatabaseErrors.IsUniqueViolation(refused, "transfers_external_key"));
        await transaction.RollbackAsync();
        Assert.Equal((97, 2), await BalanceAsync(Pending));
    }

    [Fact]
    public async Task CloseAccount_WithABalance_IsLeftOpen()
    {
        await PostAsync(Charge("c1", 100, 3));
        await using var connection = await database.App.OpenConnectionAsync();
        var pending = await IdAsync(connection, Pending);

        Assert.False(await connection.ExecuteScalarAsync<bool>("SELECT ledger.close_account(@pending)", new { pending }));
        Assert.Equal(PostingStatus.Posted, Assert.Single(await PostAsync(Charge("c2", 100, 3))).Status);
    }

    private async Task<int> IdAsync(Npgsql.NpgsqlConnection connection, AccountRef account) => await connection.ExecuteScalarAsync<int>(
        """
        SELECT id FROM ledger.accounts WHERE name = @Name AND currency = @currency AND bucket = @bucket
        """,
        new { account.Name, currency = account.Currency.Code, bucket = _merchant.Bucket });

    [Fact]
    public async Task PostAsync_RolledBack_LeavesNothingAndTheKeyIsFree()
    {
        var posting = new LedgerPosting(database.App);
        await using (var connection = await database.App.OpenConnectionAsync())
        {
            await using var transaction = await connection.BeginTransactionAsync();
            await posting.PostAsync(connection, transaction, [Charge("c1", 100, 3)], Now, CancellationToken.None);
            await transaction.RollbackAsync();
        }

        Assert.Equal((0, 0), await BalanceAsync(Pending));
        Assert.Equal(PostingStatus.Posted, Assert.Single(await PostAsync(Charge("c1", 100, 3))).Status);
    }

    [Fact]
    public async Task PostAsync_NotAJournal_Throws()
    {
        var charge = Charge("c1", 100, 3);

        foreach (var wrong in new[]
        {
            charge with { Transfers = [] },
            charge with { ExternalKey = " " },
            charge with { Transfers = [charge.Transfers[0] with { Amount = Money.Zero(Currency.Eur) }] },
            charge with { Transfers = [charge.Transfers[0] with { Credit = Clearing }] },
            charge with { Transfers = [charge.Transfers[0] with { Credit = ChartOfAccounts.PlatformFees(Currency.Usd) }] },
            charge with { Transfers = [charge.Transfers[0] with { Credit = new AccountRef("platform/typo", Currency.Eur) }] },
        })
        {
            await Assert.ThrowsAsync<ArgumentException>(() => PostAsync(wrong));
        }
    }

    private string Key(string name) => $"{name}/{_merchant}";

    private Journal Charge(string key, long amount, long fee) => new(
        _merchant,
        Key(key),
        "charge_captured",
        Now,
        fee == 0 ? [Move(Clearing, Pending, amount)] : [Move(Clearing, Pending, amount), Move(Pending, Fees, fee)]);

    private Journal Release(string key, long amount) => new(_merchant, Key(key), "funds_available", Now, [Move(Pending, Available, amount)]);

    private static Transfer Move(AccountRef debit, AccountRef credit, long amount) => new(debit, credit, new Money(amount, debit.Currency), "test");

    private async Task<IReadOnlyList<PostingResult>> PostAsync(params Journal[] journals)
    {
        var posting = new LedgerPosting(database.App);
        await using var connection = await database.App.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        var results = await posting.PostAsync(connection, transaction, journals, Now, CancellationToken.None);
        await transaction.CommitAsync();
        return results;
    }

    private async Task<(long Balance, long Version)> BalanceAsync(AccountRef account)
    {
        await using var connection = await database.App.OpenConnectionAsync();
        return await connection.QuerySingleOrDefaultAsync<(long, long)>(
            "SELECT balance, version FROM ledger.balances b JOIN ledger.accounts a ON a.id = b.account_id WHERE a.name = @Name AND a.currency = @Currency AND a.bucket = @bucket",
            new { account.Name, account.Currency, bucket = _merchant.Bucket });
    }
}
