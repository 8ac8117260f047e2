using Dapper;
using Npgsql;
using Payments.Domain;
using Payments.Domain.Ledger;

namespace Payments.Postgres.Tests.Ledger;

/// <summary>What the ledger's tests do again and again.</summary>
internal static class LedgerFixture
{
    public static readonly DateTimeOffset Now = new(2026, 5, 4, 12, 0, 0, TimeSpan.Zero);

    public static Transfer Move(AccountRef debit, AccountRef credit, long amount) => new(debit, credit, new Money(amount, debit.Currency), "test");

    public static async Task<IReadOnlyList<PostingResult>> PostAsync(this NpgsqlDataSource app, DateTimeOffset now, params Journal[] journals)
    {
        var posting = new LedgerPosting(app);
        await using var connection = await app.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        var results = await posting.PostAsync(connection, transaction, journals, now, CancellationToken.None);
        await transaction.CommitAsync();
        return results;
    }

    public static async Task ExecuteAsync(this NpgsqlDataSource dataSource, string sql)
    {
        await using var connection = await dataSource.OpenConnectionAsync();
        await connection.ExecuteAsync(sql);
    }

    /// <summary>Seals everything that is posted. Other databases of the server may hold a transaction open for a while.</summary>
    public static async Task SealAllAsync(this NpgsqlDataSource app)
    {
        var sealing = new LedgerSealing(app);
        var started = TimeProvider.System.GetTimestamp();
        while (true)
        {
            await sealing.SealAsync(Now, CancellationToken.None);
            await using var connection = await app.OpenConnectionAsync();
            if (await connection.ExecuteScalarAsync<bool>("""
                SELECT coalesce((SELECT max(to_journal) FROM ledger.seals), 0) >= coalesce((SELECT max(journal_id) FROM ledger.transfers), 0)
                   AND coalesce((SELECT max(to_account) FROM ledger.seals), 0) >= coalesce((SELECT max(id) FROM ledger.accounts), 0)
                """))
                return;
            Assert.True(TimeProvider.System.GetElapsedTime(started) < TimeSpan.FromSeconds(60), "The ledger was not sealed within a minute.");
            await Task.Delay(20);
        }
    }

    public static Task<LedgerVerdict> VerifyAsync(this NpgsqlDataSource dataSource, Seal? expected = null) =>
        new LedgerVerification(dataSource).RunAsync(expected, CancellationToken.None);

    /// <summary>Journals 1, 2, ... in an empty ledger: each a charge of two lines.</summary>
    public static async Task PostChargesAsync(this NpgsqlDataSource app, int from, int to)
    {
        var merchant = TestMerchants.InBucket(5);
        for (var i = from; i <= to; i++)
            await app.PostAsync(Now.AddMinutes(i), Charge(merchant, i));
    }

    public static Journal Charge(MerchantId merchant, int number) => new(merchant, $"charge/{number}", "charge_captured", Now,
    [
        Move(ChartOfAccounts.ProcessorClearing("sandbox", Currency.Eur), ChartOfAccounts.MerchantPending(merchant, Currency.Eur), 100 * number),
        Move(ChartOfAccounts.MerchantPending(merchant, Currency.Eur), ChartOfAccounts.PlatformFees(Currency.Eur), 3),
    ]);
}
