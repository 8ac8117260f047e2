using Dapper;
using FsCheck;
using FsCheck.Fluent;
using Payments.Domain;
using Payments.Domain.Ledger;
using static Payments.Postgres.Tests.Ledger.LedgerFixture;

namespace Payments.Postgres.Tests.Ledger;

/// <summary>The ledger beside a few lines of C# that say what it should do: random journals, repeats, overdrafts, several posters.</summary>
public sealed class LedgerModelTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    private const int Accounts = 5;

    private sealed record ModelMove(int Debit, int Credit, int Amount, bool PastLimit);

    private sealed record Asked(int Key, string Kind, ModelMove[] Moves)
    {
        public override string ToString() => $"{Key} {Kind} [{string.Join(", ", Moves.Select(move => $"{move.Debit}>{move.Credit} {move.Amount}{(move.PastLimit ? "!" : "")}"))}]";
    }

    private static readonly Gen<ModelMove> Moves =
        from debit in Gen.Choose(0, Accounts - 1)
        from step in Gen.Choose(1, Accounts - 1)
        from amount in Gen.Choose(1, 100)
        from pastLimit in Gen.Frequency((7, Gen.Constant(false)), (1, Gen.Constant(true)))
        select new ModelMove(debit, (debit + step) % Accounts, amount, pastLimit);

    private static readonly Gen<Asked> Journals =
        from key in Gen.Choose(0, 40)
        from kind in Gen.Frequency((9, Gen.Constant("test")), (1, Gen.Constant("other")))
        from count in Gen.Choose(1, 3)
        from moves in Moves.ArrayOf(count)
        select new Asked(key, kind, moves);

    private static readonly Gen<Asked[][]> Runs =
        from count in Gen.Choose(1, 8)
        from run in Gen.Choose(1, 8).SelectMany(size => Journals.ArrayOf(size)).ArrayOf(count)
        select run;

    [Fact]
    public void PostAsync_AnyBatches_AnswerAndBalancesAreTheModels() =>
        Check.One(
            Config.QuickThrowOnFailure.WithMaxTest(60),
            Prop.ForAll(Runs.ToArbitrary(), run => FollowsTheModelAsync(run).GetAwaiter().GetResult()));

    [Fact]
    public async Task PostAsync_HundredSpendsAtOnce_TheBalanceNeverFallsBelowItsLimit()
    {
        var merchant = TestMerchants.Next();
        var available = ChartOfAccounts.MerchantAvailable(merchant, Currency.Eur);
        var transit = ChartOfAccounts.MerchantInTransit(merchant, Currency.Eur);
        await database.App.PostAsync(Now, new Journal(merchant, $"fund/{merchant}", "test", Now, [Move(ChartOfAccounts.BankSettlement(Currency.Eur), available, 1_000)]));

        // Half through two writers that share transactions, half on connections of their own.
        await using var one = new LedgerWriter(database.App, new LedgerPosting(database.App), TimeProvider.System);
        await using var two = new LedgerWriter(database.App, new LedgerPosting(database.App), TimeProvider.System);
        var results = await Task.WhenAll(Enumerable.Range(0, 100).Select(i => Task.Run(async () =>
        {
            var spend = new Journal(merchant, $"spend/{merchant}/{i}", "test", Now, [Move(available, transit, 30)]);
            return (i % 4) switch
            {
                0 => await one.PostAsync(spend, CancellationToken.None),
                1 => await two.PostAsync(spend, CancellationToken.None),
                _ => (await database.App.PostAsync(Now, spend))[0],
            };
        })));

        Assert.Equal(33, results.Count(result => result.Status is PostingStatus.Posted));
        Assert.Equal(67, results.Count(result => result.Status is PostingStatus.InsufficientFunds));
        Assert.Equal(new Money(10, Currency.Eur), await new LedgerReads(database.App).BalanceAsync(available, CancellationToken.None));
        Assert.Empty((await database.Owner.VerifyAsync()).Findings);
    }

    [Fact]
    public async Task PostAsync_ManyPostersOfTheSameKeys_EachIsPostedOnceAndAllAgree()
    {
        var merchant = TestMerchants.Next();
        var writers = Enumerable.Range(0, 3).Select(_ => new LedgerWriter(database.App, new LedgerPosting(database.App), TimeProvider.System)).ToArray();
        try
        {
            var results = await Task.WhenAll(Enumerable.Range(0, 600).Select(i => Task.Run(async () =>
            {
                var key = i % 150;
                var journal = new Journal(merchant, $"key/{merchant}/{key}", "test", Now,
                    [Move(ChartOfAccounts.ProcessorClearing($"p{key % 7}", Currency.Eur), ChartOfAccounts.MerchantPending(merchant, Currency.Eur), key + 1)]);
                return (key, Result: await writers[i % writers.Length].PostAsync(journal, CancellationToken.None));
            })));

            foreach (var sameKey in results.GroupBy(result => result.key))
            {
                Assert.Single(sameKey, result => result.Result.Status is PostingStatus.Posted);
                Assert.All(sameKey, result => Assert.True(result.Result.IsInLedger));
                Assert.Single(sameKey.Select(result => result.Result.JournalId).Distinct());
            }
        }
        finally
        {
            foreach (var writer in writers)
                await writer.DisposeAsync();
        }

        var pending = await new LedgerReads(database.App).BalanceAsync(ChartOfAccounts.MerchantPending(merchant, Currency.Eur), CancellationToken.None);
        Assert.Equal(150 * 151 / 2, pending.MinorUnits);
        Assert.Empty((await database.Owner.VerifyAsync()).Findings);
    }

    private async Task FollowsTheModelAsync(Asked[][] run)
    {
        var merchant = TestMerchants.Next();
        var accounts = new[]
        {
            ChartOfAccounts.MerchantPending(merchant, Currency.Eur),
            ChartOfAccounts.MerchantAvailable(merchant, Currency.Eur),
            ChartOfAccounts.MerchantReserve(merchant, Currency.Eur),
            ChartOfAccounts.ProcessorClearing($"a_{merchant.Value:N}", Currency.Eur),
            ChartOfAccounts.ProcessorClearing($"b_{merchant.Value:N}", Currency.Eur),
        };
        var model = new Model();
        foreach (var batch in run)
        {
            var results = await database.App.PostAsync(Now, [.. batch.Select(asked => new Journal(
                merchant,
                $"{merchant}/{asked.Key}",
                asked.Kind,
                Now,
                [.. asked.Moves.Select(move => Move(accounts[move.Debit], accounts[move.Credit], move.Amount) with { PastLimit = move.PastLimit })]))]);
            Assert.Equal(batch.Select(model.Post), results.Select(result => result.Status));

            await using var connection = await database.App.OpenConnectionAsync();
            var stands = (await connection.QueryAsync<(string Name, long Balance, long Version)>(
                "SELECT a.name, b.balance, b.version FROM ledger.accounts a JOIN ledger.balances b ON b.account_id = a.id WHERE a.name = ANY (@names)",
                new { names = accounts.Select(account => account.Name).ToArray() })).ToDictionary(row => row.Name);
            for (var i = 0; i < Accounts; i++)
            {
                var (balance, version) = stands.TryGetValue(accounts[i].Name, out var row) ? (row.Balance, row.Version) : (0, 0);
                Assert.Equal((model.Balances[i], model.Versions[i]), (balance, version));
            }
        }

        Assert.Empty((await database.Owner.VerifyAsync()).Findings);
    }

    /// <summary>Accounts 0 to 2 hold what is owed and stop at zero, 3 and 4 hold what is due and have no limit.</summary>
    private sealed class Model
    {
        private readonly Dictionary<int, Asked> _posted = [];

        public long[] Balances { get; private set; } = new long[Accounts];

        public long[] Versions { get; private set; } = new long[Accounts];

        public PostingStatus Post(Asked asked)
        {
            if (_posted.TryGetValue(asked.Key, out var before))
            {
                // Whether a limit may be passed is how to post, not what.
                var same = before.Kind == asked.Kind
                    && before.Moves.Select(move => (move.Debit, move.Credit, move.Amount)).SequenceEqual(asked.Moves.Select(move => (move.Debit, move.Credit, move.Amount)));
                return same ? PostingStatus.Exists : PostingStatus.ExistsWithDifferentContent;
            }

            var (balances, versions) = ((long[])Balances.Clone(), (long[])Versions.Clone());
            foreach (var move in asked.Moves)
            {
                balances[move.Debit] += move.Debit < 3 ? -move.Amount : move.Amount;
                balances[move.Credit] += move.Credit < 3 ? move.Amount : -move.Amount;
                versions[move.Debit]++;
                versions[move.Credit]++;
                if (!move.PastLimit && move.Debit < 3 && balances[move.Debit] < 0)
                    return PostingStatus.InsufficientFunds;
            }

            (Balances, Versions) = (balances, versions);
            _posted.Add(asked.Key, asked);
            return PostingStatus.Posted;
        }
    }
}
