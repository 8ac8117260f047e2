using Dapper;
using Payments.Domain;
using Payments.Domain.Charges;
using Payments.Domain.Idempotency;
using Payments.Domain.Ledger;
using Payments.Domain.Providers;
using Payments.Domain.Refunds;

namespace Payments.Postgres.Tests.Charges;

/// <summary>The provider has answered, and the database is not there to write it down. Whatever is told then must be told again under the same key.</summary>
public sealed class UnrecordedOutcomeTests(TestDatabase database) : IClassFixture<TestDatabase>, IAsyncDisposable
{
    private readonly ChargeWorld _world = new(database);

    [Fact]
    public async Task Charge_OutcomeCannotBeRecorded_TellsNothingUntilItIs()
    {
        var request = ChargeWorld.Request(await _world.MerchantAsync());
        var answer = await WithoutRecordsAsync(() => ChargeAsync(request));
        AssertInProgress(answer);
        AssertInProgress(await ChargeAsync(request));

        await ResolveAsync();

        var (first, second) = (Ok(await ChargeAsync(request)), Ok(await ChargeAsync(request)));
        Assert.Equal((201, true), (first.Status, first.Replayed));
        Assert.Equal(first.Body, second.Body);
        Assert.Single(_world.Provider.Sent, sent => sent.Reference.Merchant == request.Merchant);
    }

    [Fact]
    public async Task Refund_OutcomeCannotBeRecorded_TellsNothingUntilItIs()
    {
        var charge = await _world.ChargeAsync(await _world.MerchantAsync());
        var request = ChargeWorld.Request(charge.Merchant);
        var input = new CreateRefundRequest(charge.Id.ToString(), 400, null, null);
        AssertInProgress(await WithoutRecordsAsync(() => _world.Get<ChargeOperations>().RefundAsync(request, input, default)));

        await ResolveAsync();

        Assert.Equal(201, Ok(await _world.Get<ChargeOperations>().RefundAsync(request, input, default)).Status);
        Assert.Equal(400, (await _world.ReadAsync(charge.Merchant, charge.Id)).Refunded.MinorUnits);
    }

    [Fact]
    public async Task Charge_LedgerRefusesTheOutcome_NothingOfItStaysUntilItDoesNot()
    {
        var merchant = await _world.MerchantAsync();
        await _world.ChargeAsync(merchant);
        var request = ChargeWorld.Request(merchant);
        var pending = ChartOfAccounts.MerchantPending(merchant, Currency.Eur).Name;
        SetClosed(pending, true);

        await Assert.ThrowsAsync<InvalidOperationException>(() => ChargeAsync(request));

        await using (var connection = await database.Owner.OpenConnectionAsync())
        {
            Assert.Equal(["captured", "pending"], await connection.QueryAsync<string>("SELECT status FROM payments.charges WHERE merchant_id = @Value ORDER BY status", merchant));
            Assert.Equal(1, await connection.ExecuteScalarAsync<int>("SELECT count(*) FROM payments.all_attempts WHERE merchant_id = @Value AND status = 'started'", merchant));
            Assert.Equal(1, await connection.ExecuteScalarAsync<int>("SELECT count(*) FROM payments.balance_transactions WHERE merchant_id = @Value", merchant));
            Assert.Equal(1, await connection.ExecuteScalarAsync<int>("SELECT count(*) FROM payments.events WHERE merchant_id = @Value", merchant));
        }

        SetClosed(pending, false);
        await ResolveAsync();
        Assert.Equal(201, Ok(await ChargeAsync(request)).Status);
    }

    public async ValueTask DisposeAsync()
    {
        await _world.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    private Task<Result<StoredResponse>> ChargeAsync(IdempotentRequest request) =>
        _world.Get<CreateCharge>().HandleAsync(request, new CreateChargeRequest(1_000, "EUR", "tok_visa", null, null, null, null, null, null), default);

    /// <summary>From the provider's answer on the app may not write down outcomes.</summary>
    private async Task<Result<StoredResponse>> WithoutRecordsAsync(Func<Task<Result<StoredResponse>>> operation)
    {
        var approve = _world.Provider.OnSend;
        _world.Provider.OnSend = request =>
        {
            Execute("REVOKE INSERT, UPDATE ON payments.attempts FROM payments_app");
            return approve(request);
        };
        try
        {
            return await operation();
        }
        finally
        {
            _world.Provider.OnSend = approve;
            Execute("GRANT INSERT, UPDATE ON payments.attempts TO payments_app");
        }
    }

    private void SetClosed(string account, bool closed)
    {
        using var connection = database.Owner.OpenConnection();
        Assert.Equal(1, connection.Execute(
            "UPDATE ledger.balances b SET closed = @closed FROM ledger.accounts a WHERE a.id = b.account_id AND a.name = @account AND a.currency = 'EUR'", new { account, closed }));
    }

    private void Execute(string sql)
    {
        using var connection = database.Owner.OpenConnection();
        connection.Execute(sql);
    }

    private async Task ResolveAsync()
    {
        _world.Provider.OnFind = request => new PaymentAnswer(PaymentResult.Succeeded, $"pay_{request.Reference.Attempt.Value:N}");
        _world.Time.Advance(TimeSpan.FromMinutes(2));
        await _world.Get<ResolveAttempts>().RunAsync(100, default);
    }

    private static StoredResponse Ok(Result<StoredResponse> result) => result.Match(response => response, refusal => throw new InvalidOperationException(refusal.Detail));

    private static void AssertInProgress(Result<StoredResponse> result)
    {
        Assert.False(result.TryGet(out _, out var refusal));
        Assert.Equal(RefusalCode.RequestInProgress, refusal.Code);
        Assert.NotNull(refusal.RetryAfter);
    }
}
