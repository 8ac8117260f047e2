using Dapper;
using Npgsql;
using Payments.Domain;
using Payments.Domain.Charges;
using Payments.Domain.Database;
using Payments.Domain.Providers;

namespace Payments.Postgres.Tests.Charges;

/// <summary>The limits that operations take are the same in the rules and in the database, and hold between instances.</summary>
public sealed class OperationLimitsTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    public static TheoryData<ChargeStatus, PaymentOperation> Matrix()
    {
        var matrix = new TheoryData<ChargeStatus, PaymentOperation>();
        foreach (var status in Enum.GetValues<ChargeStatus>())
        {
            foreach (var operation in (PaymentOperation[])[PaymentOperation.Capture, PaymentOperation.Cancel, PaymentOperation.Refund])
                matrix.Add(status, operation);
        }

        return matrix;
    }

    [Theory]
    [MemberData(nameof(Matrix))]
    public async Task Begin_EveryState_TakesInTheDatabaseWhatTheRulesSay(ChargeStatus status, PaymentOperation operation)
    {
        await using var world = new ChargeWorld(database);
        var merchant = await world.MerchantAsync();
        foreach (var amount in (long?[])[null, 1, 2_000, 3_999, 4_000, 4_001, 5_999, 6_000, 6_001, 10_000, 10_001])
        {
            var charge = await InsertAsync(merchant, status);
            var intent = Intent(charge, operation, amount, world.Time.GetUtcNow());
            var expected = OperationRules.Begin(charge, intent);

            // The batch fails when the rules took what the database does not give.
            var start = await world.Get<GroupCommit<OperationIntent, OperationStart>>().SubmitAsync(intent, default);
            var after = await world.ReadAsync(merchant, charge.Id);

            Assert.Equal(expected.Match(_ => true, _ => false), start.State is not null);
            Assert.Equal(
                expected.Match(state => (state.Charge.Capturing, state.Charge.Canceling, state.Charge.Refunding), _ => (charge.Capturing, charge.Canceling, charge.Refunding)),
                (after.Capturing, after.Canceling, after.Refunding));
            Assert.Equal(start.State is null ? 0 : 1, await AttemptsAsync(charge));
            Assert.Equal(start.State is null ? 0 : 1, await KeysAsync(intent));
        }
    }

    [Fact]
    public async Task Refunds_OfTwoInstancesAtOnce_NeverAddUpToMoreThanWasCaptured()
    {
        await using var one = new ChargeWorld(database);
        await using var two = new ChargeWorld(database);
        var merchant = await one.MerchantAsync();
        var charge = await one.ChargeAsync(merchant);

        var answers = await Task.WhenAll(Enumerable.Range(0, 100).Select(i => (i % 2 == 0 ? one : two).RefundAsync(charge, 300)));

        Assert.Equal(33, answers.Count(a => a.TryGet(out _, out _)));
        var after = await one.ReadAsync(merchant, charge.Id);
        Assert.Equal((9_900, 0), (after.Refunded.MinorUnits, after.Refunding.MinorUnits));
        Assert.Equal(33, one.Provider.Sent.Concat(two.Provider.Sent).Count(r => r.Operation is PaymentOperation.Refund));
        Assert.Equal(-9_900, await one.AvailableAsync(merchant));
    }

    [Theory]
    [InlineData("JPY", 49, RefusalCode.AmountTooSmall)]
    [InlineData("JPY", 50, null)]
    [InlineData("KWD", 5_000_000, null)]
    [InlineData("KWD", 5_000_001, RefusalCode.AmountTooLarge)]
    [InlineData("EUR", 1, null)]
    public async Task Charge_BeyondTheLimitsOfItsCurrency_IsRefused(string currency, long amount, RefusalCode? code)
    {
        await using var world = new ChargeWorld(database);

        var result = await world.Get<CreateCharge>().HandleAsync(
            ChargeWorld.Request(await world.MerchantAsync()), new CreateChargeRequest(amount, currency, "tok_visa", null, null, null, null, null, null), default);

        Assert.Equal(code, result.Match(_ => (RefusalCode?)null, refusal => refusal.Code));
    }

    [Fact]
    public async Task Limits_TakenPastTheRules_AreRefusedByTheTable()
    {
        await using var world = new ChargeWorld(database);
        var charge = await world.ChargeAsync(await world.MerchantAsync());

        await using var connection = await database.App.OpenConnectionAsync();
        var error = await Assert.ThrowsAsync<PostgresException>(() => connection.ExecuteAsync(
            "UPDATE payments.charges SET refunding_amount = 10001 WHERE merchant_id = @merchant AND id = @id", new { merchant = charge.Merchant.Value, id = charge.Id.Value }));

        Assert.Equal(PostgresErrorCodes.CheckViolation, error.SqlState);
    }

    private async Task<Charge> InsertAsync(MerchantId merchant, ChargeStatus status)
    {
        var id = PrefixedId.New<ChargeId>(ChargeWorld.Start);
        var held = status is ChargeStatus.Authorized or ChargeStatus.PartiallyCaptured or ChargeStatus.Captured;
        await using var connection = await database.App.OpenConnectionAsync();
        await connection.ExecuteAsync(
            """
            INSERT INTO payments.charges (bucket, merchant_id, id, status, currency, amount, capture_method, authorized_amount,
                captured_amount, payment_token, provider, provider_reference, metadata, created_at, updated_at)
            VALUES (payments.bucket_of(@merchant), @merchant, @id, @status, 'EUR', 10000, 'manual', @authorized, @captured, 'tok_visa',
                'sandbox', 'pay_1', '{}', @now, @now)
            """,
            new
            {
                merchant = merchant.Value,
                id = id.Value,
                status = DbText.Of(status),
                authorized = held ? 10_000L : 0,
                captured = status is ChargeStatus.Captured ? 10_000L : status is ChargeStatus.PartiallyCaptured ? 4_000L : 0,
                now = ChargeWorld.Start,
            });
        return await new ChargeReads(database.App).GetAsync(merchant, id, default) ?? throw new InvalidOperationException();
    }

    private static OperationIntent Intent(Charge charge, PaymentOperation operation, long? amount, DateTimeOffset now) => new(
        charge.Merchant, charge.Id, operation, operation is PaymentOperation.Cancel ? null : amount, PrefixedId.New<AttemptId>(now), ChargeWorld.Request(charge.Merchant), now)
    {
        Refund = operation is PaymentOperation.Refund ? PrefixedId.New<RefundId>(now) : null,
    };

    private async Task<long> AttemptsAsync(Charge charge)
    {
        await using var command = database.App.CreateCommand("SELECT count(*) FROM payments.attempts WHERE merchant_id = $1 AND charge_id = $2");
        command.Parameters.Add(new() { Value = charge.Merchant.Value });
        command.Parameters.Add(new() { Value = charge.Id.Value });
        return (long)(await command.ExecuteScalarAsync())!;
    }

    private async Task<long> KeysAsync(OperationIntent intent)
    {
        await using var connection = await database.App.OpenConnectionAsync();
        return await connection.ExecuteScalarAsync<long>(
            "SELECT count(*) FROM payments.idempotency_keys WHERE merchant_id = @merchant AND key = @key", new { merchant = intent.Merchant.Value, key = intent.Request!.Key.Value });
    }
}
