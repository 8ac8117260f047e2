using System.Text;
using Dapper;
using Payments.Domain;
using Payments.Domain.Charges;
using Payments.Domain.Idempotency;
using Payments.Domain.Merchants;
using Payments.Domain.Providers;

namespace Payments.Postgres.Tests.Charges;

/// <summary>The process that wrote an intent records its outcome without reading the rows again: it must be as if it had read them, whoever was faster.</summary>
public sealed class WrittenIntentTests(TestDatabase database) : IClassFixture<TestDatabase>, IAsyncDisposable
{
    private readonly ChargeWorld _one = new(database);
    private readonly ChargeWorld _other = new(database);

    [Theory]
    [InlineData(PaymentResult.Succeeded, PaymentResult.Succeeded, "captured", 0)]
    [InlineData(PaymentResult.Succeeded, PaymentResult.Unknown, "captured", 0)]
    [InlineData(PaymentResult.Unknown, PaymentResult.Succeeded, "captured", 0)]
    [InlineData(PaymentResult.Pending, PaymentResult.Succeeded, "captured", 0)]
    [InlineData(PaymentResult.Declined, PaymentResult.Declined, "declined", 0)]
    [InlineData(PaymentResult.Declined, PaymentResult.Succeeded, "declined", 1)]
    [InlineData(PaymentResult.Succeeded, PaymentResult.Declined, "captured", 1)]
    public async Task Charge_AWebhookWasFasterThanTheAnswer_CountsWhatWasToldFirstAndMovesTheMoneyOnce(PaymentResult webhook, PaymentResult answer, string status, int contradictions)
    {
        var merchant = await _one.MerchantAsync();
        var request = ChargeWorld.Request(merchant);
        _one.Provider.OnSend = sent =>
        {
            Assert.True(_other.Get<AttemptOutcomes>().RecordAsync(sent.Reference, Answer(webhook, sent.Reference), default).GetAwaiter().GetResult().Changed);
            return Answer(answer, sent.Reference);
        };

        var told = await ChargeAsync(request);

        var kept = await _one.Get<IdempotencyStore>().FindAsync(merchant, request.Key.Value, default);
        Assert.Equal((kept!.Status, Text(kept)), (told.Status, Text(told)));
        await using var connection = await database.Owner.OpenConnectionAsync();
        Assert.Equal(status, await connection.ExecuteScalarAsync<string>("SELECT status FROM payments.charges WHERE merchant_id = @merchant", new { merchant = merchant.Value }));
        Assert.Equal(contradictions, await connection.ExecuteScalarAsync<int>("SELECT count(*) FROM payments.attempt_contradictions WHERE merchant_id = @merchant", new { merchant = merchant.Value }));
        await AssertMovedAsync(merchant, captured: status == "captured" ? 1 : 0);
    }

    [Fact]
    public async Task Charge_ManyAtOnceAndWebhooksFasterForSome_EachIsCapturedOnce()
    {
        const int Count = 60;
        var merchants = new List<MerchantId>();
        for (var i = 0; i < 4; i++)
            merchants.Add(await _one.MerchantAsync());
        var number = 0;
        _one.Provider.OnSend = sent =>
        {
            if (Interlocked.Increment(ref number) % 5 == 0)
                _other.Get<AttemptOutcomes>().RecordAsync(sent.Reference, Answer(PaymentResult.Succeeded, sent.Reference), default).GetAwaiter().GetResult();
            return Answer(PaymentResult.Succeeded, sent.Reference);
        };

        var requests = Enumerable.Range(0, Count).Select(i => ChargeWorld.Request(merchants[i % merchants.Count])).ToList();
        var told = await Task.WhenAll(requests.Select(request => Task.Run(() => ChargeAsync(request))));

        for (var i = 0; i < Count; i++)
        {
            var kept = await _one.Get<IdempotencyStore>().FindAsync(requests[i].Merchant, requests[i].Key.Value, default);
            Assert.Equal((201, Text(kept!)), (told[i].Status, Text(told[i])));
        }

        foreach (var merchant in merchants)
            await AssertMovedAsync(merchant, Count / merchants.Count);
    }

    [Theory]
    [InlineData(PaymentResult.Succeeded, true)]
    [InlineData(PaymentResult.Authorized, false)]
    [InlineData(PaymentResult.Declined, true)]
    [InlineData(PaymentResult.RequiresAction, true)]
    public async Task Charge_Answered_IsShownAsItIsReadLater(PaymentResult result, bool capture)
    {
        var merchant = await _one.MerchantAsync();
        _one.Time.Advance(TimeSpan.FromTicks(1_234_567));
        _one.Provider.OnSend = sent => Answer(result, sent.Reference) with { RedirectUrl = result is PaymentResult.RequiresAction ? "https://bank.test/3ds" : null };
        var input = new CreateChargeRequest(
            10_000, "EUR", "tok_visa", capture ? null : "manual", "cus_ö", "A \"quoted\" \u2028 thing", "SHOP*1 BERLIN", null,
            new Dictionary<string, string?> { ["order_number"] = "é😀\u0007", ["z"] = "1", ["ä"] = "2", ["Z"] = "<&>", ["order_id"] = "\\" });

        var response = await ChargeAsync(ChargeWorld.Request(merchant), input);

        var charge = Assert.Single(await _one.Get<ChargeReads>().ListAsync(merchant, new ChargeFilter(), 10, null, default));
        Assert.Equal(Encoding.UTF8.GetString(ChargeResource.Json(charge)), Text(response));
    }

    [Fact]
    public async Task Clean_AnyKeys_AreInTheOrderInWhichTheDatabaseGivesThemBack()
    {
        var random = new Random(7);
        await using var connection = await database.Owner.OpenConnectionAsync();
        for (var round = 0; round < 200; round++)
        {
            string[] alphabet = ["a", "b", "Z", "_", "é", "ß", "語", "😀", "9", " "];
            var metadata = Enumerable.Range(0, random.Next(1, 12)).Select(_ => string.Concat(Enumerable.Range(0, random.Next(1, 5)).Select(_ => alphabet[random.Next(alphabet.Length)])))
                .Distinct(StringComparer.Ordinal).ToDictionary(key => key, key => (string?)"1", StringComparer.Ordinal);

            var stored = await connection.QueryAsync<string>("SELECT jsonb_object_keys(@json::jsonb)", new { json = System.Text.Json.JsonSerializer.Serialize(metadata) });

            Assert.Equal(stored, MetadataRules.Clean(metadata).Keys);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _one.DisposeAsync();
        await _other.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    private Task<StoredResponse> ChargeAsync(IdempotentRequest request) => ChargeAsync(request, new CreateChargeRequest(10_000, "EUR", "tok_visa", null, null, null, null, null, null));

    private async Task<StoredResponse> ChargeAsync(IdempotentRequest request, CreateChargeRequest input) =>
        (await _one.Get<CreateCharge>().HandleAsync(request, input, default)).Match(response => response, refusal => throw new InvalidOperationException(refusal.Detail));

    private static PaymentAnswer Answer(PaymentResult result, AttemptReference reference) =>
        result is PaymentResult.Unknown ? PaymentAnswer.Unknown("Nobody answered.") : new PaymentAnswer(result, $"pay_{reference.Attempt.Value:N}");

    private static string Text(StoredResponse response) => Encoding.UTF8.GetString(response.Body);

    /// <summary>Each capture stands once in the ledger, the balance and the events, and each object's events are numbered without a gap.</summary>
    private async Task AssertMovedAsync(MerchantId merchant, int captured)
    {
        await using var connection = await database.Owner.OpenConnectionAsync();
        var counts = await connection.QuerySingleAsync<(int, int, int, int, int)>(
            """
            SELECT (SELECT count(*) FROM ledger.journals WHERE merchant_id = @merchant), (SELECT count(*) FROM payments.balance_transactions WHERE merchant_id = @merchant),
                (SELECT count(*) FROM payments.events WHERE merchant_id = @merchant AND type = 'charge.captured'),
                (SELECT COALESCE(sum(captures), 0)::int FROM payments.monthly_volumes WHERE merchant_id = @merchant),
                (SELECT count(*) FROM (SELECT max(sequence) - count(*) AS gap FROM payments.events WHERE merchant_id = @merchant GROUP BY object_id) e WHERE gap <> 0)
            """, new { merchant = merchant.Value });
        Assert.Equal((captured, captured, captured, captured, 0), counts);
    }
}
