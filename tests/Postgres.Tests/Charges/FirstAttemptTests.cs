using Dapper;
using Payments.Domain;
using Payments.Domain.Charges;
using Payments.Domain.Idempotency;
using Payments.Domain.Providers;

namespace Payments.Postgres.Tests.Charges;

/// <summary>A charge's first attempt has no row of its own until something is learned of it. Nobody who asks can tell.</summary>
public sealed class FirstAttemptTests(TestDatabase database) : IClassFixture<TestDatabase>, IAsyncDisposable
{
    private const string Shown =
        """
        SELECT id, charge_id, refund_id, operation, status, provider, amount, provider_reference, decline_code, idempotency_key, checks, next_check_at, created_at, finished_at, released_amount, is_expiry, overdue_at
        FROM payments.all_attempts WHERE merchant_id = @merchant
        """;

    private readonly ChargeWorld _world = new(database);

    [Fact]
    public async Task FirstOf_AnyCharge_IsWhatTheDatabaseSaysBothWays()
    {
        await using var connection = await database.App.OpenConnectionAsync();
        for (var i = 0; i < 100; i++)
        {
            var charge = PrefixedId.New<ChargeId>(ChargeWorld.Start);
            var attempt = AttemptId.FirstOf(charge);

            Assert.NotEqual(charge.Value, attempt.Value);
            Assert.Equal((attempt.Value, charge.Value), await connection.QuerySingleAsync<(Guid, Guid)>(
                "SELECT payments.first_attempt(@charge), payments.first_attempt(@attempt)", new { charge = charge.Value, attempt = attempt.Value }));
        }
    }

    [Fact]
    public async Task WhileTheProviderIsAsked_TheAttemptIsShownAsItWillBeWithItsRow()
    {
        var merchant = await _world.MerchantAsync();
        IReadOnlyList<Attempt> ofCharge = [], unsettled = [];
        OperatorAttemptResource? one = null;
        object? before = null, after = null;
        AttemptReference reference = default;
        _world.Provider.OnSend = sent =>
        {
            reference = sent.Reference;
            Task.Run(async () =>
            {
                await using var connection = await database.Owner.OpenConnectionAsync();
                Assert.Equal(0, await connection.ExecuteScalarAsync<int>("SELECT count(*) FROM payments.attempts WHERE merchant_id = @merchant", new { merchant = merchant.Value }));
                var charge = Assert.Single(await _world.Get<ChargeReads>().ListAsync(merchant, new ChargeFilter(), 10, null, default));
                ofCharge = await _world.Get<ChargeAttempts>().ListAsync(merchant, charge.Id, default);
                unsettled = [.. (await _world.Get<AttemptReads>().ListAsync(AttemptFilter.Unsettled, null, null, 1_000, default)).Where(a => a.Merchant == merchant)];
                one = await _world.Get<AttemptReads>().GetAsync(reference, default);
                Assert.Null(await _world.Get<AttemptReads>().GetAsync(reference with { Attempt = new(charge.Id.Value) }, default));
                before = await connection.QuerySingleAsync(Shown, new { merchant = merchant.Value });
                Assert.NotEqual(0, await connection.ExecuteScalarAsync<int>("SELECT payments.record_first_attempts('infinity', 1000)"));
                Assert.Equal(0, await connection.ExecuteScalarAsync<int>("SELECT payments.record_first_attempts('infinity', 1000)"));
                after = await connection.QuerySingleAsync(Shown, new { merchant = merchant.Value });
            }).GetAwaiter().GetResult();
            return Answer(PaymentResult.Succeeded, sent.Reference);
        };

        await ChargeAsync(merchant);

        var attempt = Assert.Single(ofCharge);
        Assert.Equal((reference, AttemptStatus.Started, PaymentOperation.Charge, ChargeWorld.Start + ChargeRules.FirstCheck), (attempt.Reference, attempt.Status, attempt.Operation, attempt.NextCheckAt));
        Assert.Equal(attempt, Assert.Single(unsettled));
        Assert.Equal(OperatorAttemptResource.Of(attempt).Reference, one!.Reference);
        Assert.Equal(Assert.IsType<IDictionary<string, object>>(before, exactMatch: false), Assert.IsType<IDictionary<string, object>>(after, exactMatch: false));
        await AssertCapturedOnceAsync(merchant);
    }

    [Theory]
    [InlineData(PaymentResult.Unknown, PaymentResult.Succeeded)]
    [InlineData(PaymentResult.Succeeded, PaymentResult.Succeeded)]
    [InlineData(PaymentResult.Succeeded, PaymentResult.Unknown)]
    public async Task TheResolverComesWhileTheProviderIsAsked_ChargesOnceAndTellsOneAnswer(PaymentResult found, PaymentResult answered)
    {
        var merchant = await _world.MerchantAsync();
        var request = ChargeWorld.Request(merchant);
        _world.Provider.OnFind = sent => Answer(found, sent.Reference);
        _world.Provider.OnSend = sent =>
        {
            _world.Time.Advance(ChargeRules.FirstCheck);
            Assert.True(Task.Run(() => _world.Get<ResolveAttempts>().RunAsync(1_000, default)).GetAwaiter().GetResult() > 0);
            return Answer(answered, sent.Reference);
        };

        var told = await ChargeAsync(merchant, request);

        var kept = await _world.Get<IdempotencyStore>().FindAsync(merchant, request.Key.Value, default);
        Assert.Equal(kept!.Status, told.Status);
        Assert.Equal(kept.Body, told.Body);
        await AssertCapturedOnceAsync(merchant);
    }

    [Fact]
    public async Task TheProcessEndsAndNobodyLooksForAnHour_PeopleAreToldAndTheChargesEventsAreItsOwn()
    {
        var merchant = await _world.MerchantAsync();
        AttemptReference reference = default;
        _world.Provider.OnSend = sent =>
        {
            reference = sent.Reference;
            throw new IOException("It ends here.");
        };
        await Assert.ThrowsAsync<InvalidOperationException>(() => ChargeAsync(merchant));
        _world.Time.Advance(OverdueAttempts.UnknownLimit + TimeSpan.FromSeconds(1));

        await _world.Get<OverdueAttempts>().RunAsync(1_000, default);
        await _world.Get<OverdueAttempts>().RunAsync(1_000, default);
        await _world.Get<AttemptOutcomes>().RecordAsync(reference, Answer(PaymentResult.Succeeded, reference), default);

        var charge = Assert.Single(await _world.Get<ChargeReads>().ListAsync(merchant, new ChargeFilter(), 10, null, default));
        Assert.Equal(["attempt.overdue"], await _world.EventsAsync(merchant, reference.Attempt.Value));
        Assert.Equal(["charge.captured"], await _world.EventsAsync(merchant, charge.Id.Value));
        await using var connection = await database.Owner.OpenConnectionAsync();
        Assert.Equal([1, 1], await connection.QueryAsync<int>("SELECT sequence FROM payments.events WHERE merchant_id = @merchant", new { merchant = merchant.Value }));
        await AssertCapturedOnceAsync(merchant);
    }

    [Fact]
    public async Task AWebhookForSomethingElse_NamesNoAttempt()
    {
        var charge = await _world.ChargeAsync(await _world.MerchantAsync());
        AttemptReference[] strangers = [new(charge.Merchant, new AttemptId(charge.Id.Value)), new(charge.Merchant, PrefixedId.New<AttemptId>(ChargeWorld.Start))];

        foreach (var stranger in strangers)
            Assert.False((await _world.Get<AttemptOutcomes>().RecordAsync(stranger, Answer(PaymentResult.Succeeded, stranger), default)).Found);

        await AssertCapturedOnceAsync(charge.Merchant);
    }

    [Fact]
    public async Task Record_TheSameIntentsAgain_AsAfterALostConnection_AreTheSameAndOthersUnderTheirKeysAreNot()
    {
        var merchant = await _world.MerchantAsync();
        var (first, second, other) = (Intent(merchant, "key-1"), Intent(merchant, "key-2"), Intent(merchant, "key-1"));
        await using var connection = await database.App.OpenConnectionAsync();

        Assert.Equal([true], (await ChargeIntent.RecordAsync(connection, [first])).Select(r => r.IsNew));
        Assert.Equal([true, false, true], (await ChargeIntent.RecordAsync(connection, [first, other, second])).Select(r => r.IsNew));
        Assert.Equal([true, true], (await ChargeIntent.RecordAsync(connection, [second, first])).Select(r => r.IsNew));

        Assert.Equal(2, await connection.ExecuteScalarAsync<int>("SELECT count(*) FROM payments.all_attempts WHERE merchant_id = @merchant", new { merchant = merchant.Value }));
    }

    [Fact]
    public async Task Record_AnAttemptThatIsNotItsChargesFirst_IsRefused()
    {
        var intent = Intent(await _world.MerchantAsync(), "key-1");
        await using var connection = await database.App.OpenConnectionAsync();

        await Assert.ThrowsAsync<ArgumentException>(() => ChargeIntent.RecordAsync(connection, [intent with { Attempt = intent.Attempt with { Id = PrefixedId.New<AttemptId>(ChargeWorld.Start) } }]));
    }

    private static ChargeIntent Intent(MerchantId merchant, string key)
    {
        var (id, amount, zero) = (PrefixedId.New<ChargeId>(ChargeWorld.Start), new Money(10_000, Currency.Eur), Money.Zero(Currency.Eur));
        return new ChargeIntent(
            new IdempotentRequest(merchant, new IdempotencyKey(key), new byte[32]),
            new Charge(
                merchant, id, ChargeStatus.Pending, amount, CaptureMethod.Automatic, zero, zero, zero, zero, zero, zero, zero, "tok_visa", "sandbox", null, null, null, null, null, null, null, "{}",
                ChargeWorld.Start, ChargeWorld.Start, null),
            new Attempt(
                merchant, AttemptId.FirstOf(id), id, null, PaymentOperation.Charge, AttemptStatus.Started, "sandbox", amount, null, null, key, 0, ChargeWorld.Start + ChargeRules.FirstCheck,
                ChargeWorld.Start, null));
    }

    public async ValueTask DisposeAsync()
    {
        await _world.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    private Task<StoredResponse> ChargeAsync(MerchantId merchant) => ChargeAsync(merchant, ChargeWorld.Request(merchant));

    private async Task<StoredResponse> ChargeAsync(MerchantId merchant, IdempotentRequest request)
    {
        try
        {
            var result = await _world.Get<CreateCharge>().HandleAsync(request, new CreateChargeRequest(10_000, "EUR", "tok_visa", null, null, null, null, null, null), default);
            return result.Match(response => response, refusal => throw new InvalidOperationException(refusal.Detail));
        }
        finally
        {
            Assert.Single(_world.Provider.Sent, sent => sent.Reference.Merchant == merchant);
        }
    }

    private static PaymentAnswer Answer(PaymentResult result, AttemptReference reference) =>
        result is PaymentResult.Unknown ? PaymentAnswer.Unknown("Nobody answered.") : new PaymentAnswer(result, $"pay_{reference.Attempt.Value:N}");

    /// <summary>One attempt with one row, which says what the charge says, and the money once.</summary>
    private async Task AssertCapturedOnceAsync(MerchantId merchant)
    {
        await using var connection = await database.Owner.OpenConnectionAsync();
        var counts = await connection.QuerySingleAsync<(int, int, int, int, int)>(
            """
            SELECT (SELECT count(*) FROM payments.all_attempts WHERE merchant_id = @merchant),
                (SELECT count(*) FROM payments.attempts a JOIN payments.charges c ON c.merchant_id = a.merchant_id AND c.id = a.charge_id
                    WHERE a.merchant_id = @merchant AND a.id = payments.first_attempt(c.id) AND a.status = 'succeeded' AND a.next_check_at IS NULL AND a.finished_at IS NOT NULL AND a.idempotency_key IS NOT NULL
                        AND a.provider_reference = c.provider_reference AND a.amount = c.amount AND c.status = 'captured' AND c.first_check_at IS NULL AND c.idempotency_key IS NULL),
                (SELECT count(*) FROM ledger.journals WHERE merchant_id = @merchant), (SELECT count(*) FROM payments.balance_transactions WHERE merchant_id = @merchant),
                (SELECT count(*) FROM payments.events WHERE merchant_id = @merchant AND type = 'charge.captured')
            """, new { merchant = merchant.Value });
        Assert.Equal((1, 1, 1, 1, 1), counts);
    }
}
