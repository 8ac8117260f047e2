namespace Payments.Functions.Tests;

/// <summary>Charges as a merchant's server sees them.</summary>
public sealed class ChargeTests(RunningApp app)
{
    [Fact]
    public async Task CreateCharge_ApprovedCard_IsCapturedWithItsFeeInTheBalance()
    {
        // Funds of this merchant stay pending for days, so that nothing releases them under the test.
        var merchant = await app.CreateMerchantAsync(payoutDelayDays: 5);

        var charge = await merchant.ChargeAsync(10_000);

        Assert.Equal(201, charge.Status);
        Assert.Equal("captured", charge.Text("status"));
        Assert.Equal(10_000, charge.Number("amount_captured"));
        Assert.Equal(320, charge.Number("fee"));
        Assert.Equal((9_680, 0, 0, 0), await merchant.BalanceAsync());
    }

    [Theory]
    [InlineData("JPY", 5_000, 175)]
    [InlineData("KWD", 10_000, 390)]
    [InlineData("USD", 1, 1)]
    public async Task CreateCharge_AnyExponent_CountsMinorUnits(string currency, long amount, long fee)
    {
        var merchant = await app.CreateMerchantAsync(payoutDelayDays: 5);

        var charge = await merchant.ChargeAsync(amount, currency);

        Assert.Equal(201, charge.Status);
        Assert.Equal(fee, charge.Number("fee"));
        Assert.Equal(amount - fee, (await merchant.BalanceAsync(currency)).Pending);
    }

    [Theory]
    [InlineData("tok_decline_insufficient_funds", "insufficient_funds", true)]
    [InlineData("tok_decline_stolen_card", "stolen_card", false)]
    [InlineData("tok_decline_expired_card", "expired_card", false)]
    public async Task CreateCharge_DeclinedCard_SaysWhyAndMovesNothing(string token, string code, bool retryable)
    {
        var merchant = await app.CreateMerchantAsync();

        var charge = await merchant.ChargeAsync(token: token);

        Assert.Equal(201, charge.Status);
        Assert.Equal("declined", charge.Text("status"));
        Assert.Equal(code, charge.Json["decline"]!["code"]!.GetValue<string>());
        Assert.Equal(retryable, charge.Json["decline"]!["is_retryable"]!.GetValue<bool>());
        Assert.Equal(default, await merchant.BalanceAsync());
    }

    [Fact]
    public async Task CreateCharge_SameKeyAndBody_AnswersTheSameBytes()
    {
        var merchant = await app.CreateMerchantAsync();
        var key = RunningApp.NewKey();

        var first = await merchant.ChargeAsync(idempotencyKey: key);
        var second = await merchant.ChargeAsync(idempotencyKey: key);

        Assert.Equal((201, 201), (first.Status, second.Status));
        Assert.Equal(first.Body, second.Body);
        Assert.False(first.Headers.ContainsKey("Idempotent-Replayed"));
        Assert.Equal("true", second.Headers["Idempotent-Replayed"]);
    }

    [Fact]
    public async Task CreateCharge_SameKeyOtherBody_IsRefused()
    {
        var merchant = await app.CreateMerchantAsync();
        var key = RunningApp.NewKey();
        await merchant.ChargeAsync(1000, idempotencyKey: key);

        var other = await merchant.ChargeAsync(2000, idempotencyKey: key);

        Assert.Equal((422, "idempotency_key_reused"), (other.Status, other.Code));
    }

    [Fact]
    public async Task CreateCharge_SameKeySameMembersInAnotherOrder_IsAnotherRequestAndChargesNothing()
    {
        var merchant = await app.CreateMerchantAsync();
        var key = RunningApp.NewKey();
        const string Body = """{"amount":1000,"currency":"EUR","payment_method":"tok_visa"}""";
        var first = await app.SendAsync(HttpMethod.Post, "/v1/charges", merchant.Key, Body, key);

        var reordered = await app.SendAsync(HttpMethod.Post, "/v1/charges", merchant.Key, """{"currency":"EUR","amount":1000,"payment_method":"tok_visa"}""", key);
        var repeated = await app.SendAsync(HttpMethod.Post, "/v1/charges", merchant.Key, Body, key);

        Assert.Equal((201, 422, "idempotency_key_reused"), (first.Status, reordered.Status, reordered.Code));
        Assert.Equal((201, first.Body), (repeated.Status, repeated.Body));
        Assert.Single((await merchant.GetAsync("/v1/charges")).Json["data"]!.AsArray());
    }

    [Fact]
    public async Task CreateCharge_FiftyTimesAtOnceUnderOneKey_ChargesOnce()
    {
        var merchant = await app.CreateMerchantAsync(payoutDelayDays: 5);
        var key = RunningApp.NewKey();

        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => merchant.ChargeAsync(10_000, idempotencyKey: key)));

        Assert.All(answers, answer => Assert.True(answer.Status is 201 or 409, answer.Body));
        Assert.All(answers.Where(a => a.Status == 409), answer => Assert.True(answer.Headers.ContainsKey("Retry-After")));
        Assert.Single(answers.Where(a => a.Status == 201).Select(a => a.Body).Distinct());
        Assert.Equal(9_680, (await merchant.BalanceAsync()).Pending);
        Assert.Single((await merchant.GetAsync("/v1/charges")).Json["data"]!.AsArray());
    }

    [Fact]
    public async Task CreateCharge_KeyOfAnotherMerchant_IsAnotherKey()
    {
        var (one, two) = (await app.CreateMerchantAsync(), await app.CreateMerchantAsync());
        var key = RunningApp.NewKey();

        var first = await one.ChargeAsync(idempotencyKey: key);
        var second = await two.ChargeAsync(idempotencyKey: key);

        Assert.NotEqual(first.Text("id"), second.Text("id"));
    }

    [Fact]
    public async Task CreateCharge_WithoutKey_IsRefused()
    {
        var merchant = await app.CreateMerchantAsync();

        var answer = await app.SendAsync(HttpMethod.Post, "/v1/charges", merchant.Key, new { amount = 1, currency = "EUR", payment_method = "tok_visa" });

        Assert.Equal((400, "idempotency_key_missing"), (answer.Status, answer.Code));
    }

    [Theory]
    [InlineData("""{"currency":"EUR","payment_method":"tok_visa"}""", 400, "parameter_invalid", "amount")]
    [InlineData("""{"amount":0,"currency":"EUR","payment_method":"tok_visa"}""", 422, "amount_too_small", "amount")]
    [InlineData("""{"amount":-5,"currency":"EUR","payment_method":"tok_visa"}""", 422, "amount_too_small", "amount")]
    [InlineData("""{"amount":1000000000000,"currency":"EUR","payment_method":"tok_visa"}""", 422, "amount_too_large", "amount")]
    [InlineData("""{"amount":99999999999999999999,"currency":"EUR","payment_method":"tok_visa"}""", 400, "body_malformed", "amount")]
    [InlineData("""{"amount":10.5,"currency":"EUR","payment_method":"tok_visa"}""", 400, "body_malformed", "amount")]
    [InlineData("""{"amount":1,"currency":"EURO","payment_method":"tok_visa"}""", 400, "parameter_invalid", "currency")]
    [InlineData("""{"amount":1,"currency":"XXX","payment_method":"tok_visa"}""", 400, "parameter_invalid", "currency")]
    [InlineData("""{"amount":1,"currency":"EUR"}""", 400, "parameter_invalid", "payment_method")]
    [InlineData("""{"amount":1,"currency":"EUR","payment_method":"4242424242424242"}""", 400, "parameter_invalid", "payment_method")]
    [InlineData("""{"amount":1,"currency":"EUR","payment_method":"tok_visa","capture_method":"later"}""", 400, "parameter_invalid", "capture_method")]
    [InlineData("""{"amount":1,"currency":"EUR","payment_method":"tok_visa","statement_descriptor":"<1"}""", 400, "parameter_invalid", "statement_descriptor")]
    [InlineData("""{"amount":1,"currency":"EUR","payment_method":"tok_visa","metadata":{"k":1}}""", 400, "body_malformed", "metadata.k")]
    [InlineData("""{"amount":1,"currency":"EUR","payment_method":"tok_visa","amount":2}""", 400, "body_malformed", "amount")]
    [InlineData("""{"amount":1,"currency":"EUR","payment_method":"tok_visa","\u0061mount":2}""", 400, "body_malformed", "amount")]
    [InlineData("""{"amount":1,"currency":"EUR","payment_method":"tok_visa","metadata":{"k":"1","k":"2"}}""", 400, "body_malformed", "metadata.k")]
    [InlineData("""[]""", 400, "body_malformed", null)]
    [InlineData("""{"amount":""", 400, "body_malformed", null)]
    [InlineData("null", 400, "body_malformed", null)]
    public async Task CreateCharge_InvalidRequest_NamesWhatIsWrongAndKeepsTheKeyFree(string body, int status, string code, string? param)
    {
        var merchant = await app.CreateMerchantAsync();
        var key = RunningApp.NewKey();

        var refused = await app.SendAsync(HttpMethod.Post, "/v1/charges", merchant.Key, body, key);
        var mended = await merchant.ChargeAsync(idempotencyKey: key);

        Assert.Equal((status, code), (refused.Status, refused.Code));
        if (param is not null)
            Assert.Equal(param, refused.Param);
        Assert.Equal(201, mended.Status);
    }

    [Theory]
    [InlineData("tok_drop_after_charging")]
    [InlineData("tok_fail_after_charging")]
    [InlineData("tok_malformed")]
    public async Task CreateCharge_AnswerLostAfterCharging_IsProcessingUntilTheProcessorIsAsked(string token)
    {
        var merchant = await app.CreateMerchantAsync(payoutDelayDays: 5);
        var key = RunningApp.NewKey();

        var charge = await merchant.ChargeAsync(10_000, token: token, idempotencyKey: key);

        // The processor's webhook may be faster than the answer that never comes; then the end is known at once.
        Assert.True(charge is { Status: 202 } && charge.Text("status") == "processing" || charge is { Status: 201 } && charge.Text("status") == "captured", charge.Body);
        var end = await RunningApp.EventuallyAsync(
            () => merchant.GetAsync($"/v1/charges/{charge.Text("id")}"), seen => seen.Text("status") == "captured", "the charge is captured");
        Assert.Equal(10_000, end.Number("amount_captured"));
        Assert.Equal(9_680, (await merchant.BalanceAsync()).Pending);
        Assert.Equal(charge.Body, (await merchant.ChargeAsync(10_000, token: token, idempotencyKey: key)).Body);
    }

    [Fact]
    public async Task CreateCharge_WebhookBeforeTheResponse_CapturesOnce()
    {
        var merchant = await app.CreateMerchantAsync(payoutDelayDays: 5);

        var charge = await merchant.ChargeAsync(10_000, token: "tok_webhook_first");

        Assert.Equal("captured", charge.Text("status"));
        Assert.Equal(9_680, (await merchant.BalanceAsync()).Pending);
    }

    [Fact]
    public async Task GetCharge_OfAnotherMerchant_DoesNotExist()
    {
        var (one, two) = (await app.CreateMerchantAsync(), await app.CreateMerchantAsync());
        var charge = await one.ChargeAsync();

        var answer = await two.GetAsync($"/v1/charges/{charge.Text("id")}");

        Assert.Equal((404, "not_found"), (answer.Status, answer.Code));
    }

    [Fact]
    public async Task ListCharges_PageByPage_ShowsEachOnceNewestFirst()
    {
        var merchant = await app.CreateMerchantAsync();
        var made = new List<string>();
        for (var i = 0; i < 5; i++)
            made.Add((await merchant.ChargeAsync(1000 + i)).Text("id"));

        var seen = new List<string>();
        var query = "/v1/charges?limit=2";
        while (true)
        {
            var page = await merchant.GetAsync(query);
            seen.AddRange(page.Json["data"]!.AsArray().Select(c => c!["id"]!.GetValue<string>()));
            if (!page.Json["has_more"]!.GetValue<bool>())
                break;
            query = $"/v1/charges?limit=2&starting_after={seen[^1]}";
        }

        made.Reverse();
        Assert.Equal(made, seen);
    }

    [Theory]
    [InlineData("limit=0", "limit")]
    [InlineData("limit=101", "limit")]
    [InlineData("limit=x", "limit")]
    [InlineData("starting_after=ch_1", "starting_after")]
    [InlineData("status=done", "status")]
    public async Task ListCharges_InvalidQuery_NamesTheParameter(string query, string param)
    {
        var merchant = await app.CreateMerchantAsync();

        var answer = await merchant.GetAsync($"/v1/charges?{query}");

        Assert.Equal((400, "parameter_invalid", param), (answer.Status, answer.Code, answer.Param));
    }
}
