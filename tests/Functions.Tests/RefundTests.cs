namespace Payments.Functions.Tests;

/// <summary>Refunds as a merchant's server sees them.</summary>
public sealed class RefundTests(RunningApp app)
{
    [Fact]
    public async Task Refund_PartThenRest_LeavesTheBalanceAndTheProcessor()
    {
        var merchant = await app.CreateMerchantAsync(payoutDelayDays: 5);
        var charge = await merchant.ChargeAsync(10_000);

        var part = await merchant.PostAsync("/v1/refunds", new { charge = charge.Text("id"), amount = 4_000, reason = "requested_by_customer", metadata = new { ticket = "T-1" } });
        Assert.Equal((201, "succeeded", 4_000, "T-1"), (part.Status, part.Text("status"), part.Number("amount"), part.Json["metadata"]!["ticket"]!.GetValue<string>()));
        var rest = await merchant.RefundAsync(charge.Text("id"));

        Assert.Equal((201, "succeeded", 6_000), (rest.Status, rest.Text("status"), rest.Number("amount")));
        var end = await merchant.GetAsync($"/v1/charges/{charge.Text("id")}");
        Assert.Equal(("captured", 10_000, 0), (end.Text("status"), end.Number("amount_refunded"), end.Number("amount_refundable")));
        Assert.Equal((9_680, -10_000, 0, 0), await merchant.BalanceAsync());
        Assert.Equal(10_000, (await app.PaymentAsync(charge))!["refunded_amount"]!.GetValue<long>());
        Assert.Equal(["refund.created", "refund.succeeded"], await merchant.EventsAsync(part.Text("id")));
        Assert.Equal(part.Body, (await merchant.GetAsync($"/v1/refunds/{part.Text("id")}")).Body);
    }

    [Fact]
    public async Task Refund_MadeAtTheProcessor_IsBookedAndSaysSo()
    {
        var merchant = await app.CreateMerchantAsync(payoutDelayDays: 5);
        var charge = await merchant.ChargeAsync(10_000);

        await app.AcquirerAsync(HttpMethod.Post, $"/v1/payments/{charge.Text("provider_reference")}/refunds", new { reference = "dashboard-" + RunningApp.NewKey(), amount = 4_000 });

        var after = await RunningApp.EventuallyAsync(
            () => merchant.GetAsync($"/v1/charges/{charge.Text("id")}"), read => read.Number("amount_refunded") == 4_000, "the refund made at the processor is booked");
        Assert.Equal(6_000, after.Number("amount_refundable"));
        var refund = Assert.Single((await merchant.GetAsync($"/v1/refunds?charge={charge.Text("id")}")).Json["data"]!.AsArray())!;
        Assert.True(refund["made_elsewhere"]!.GetValue<bool>());
        Assert.Equal(["refund.created", "refund.succeeded"], await merchant.EventsAsync(refund["id"]!.GetValue<string>()));
        Assert.Equal((9_680, -4_000, 0, 0), await merchant.BalanceAsync());
        Assert.Equal((422, "amount_too_large"), await RefundAsync(6_001));
        Assert.Contains((await merchant.GetAsync($"/v1/charges/{charge.Text("id")}/attempts")).Json["data"]!.AsArray(), a => a!["made_elsewhere"]?.GetValue<bool>() is true);

        async Task<(int, string?)> RefundAsync(long amount)
        {
            var answer = await merchant.RefundAsync(charge.Text("id"), amount);
            return (answer.Status, answer.Code);
        }
    }

    [Fact]
    public async Task Refund_SameKey_AnswersTheSameBytesAndRefundsOnce()
    {
        var merchant = await app.CreateMerchantAsync();
        var charge = await merchant.ChargeAsync(10_000);
        var key = RunningApp.NewKey();

        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => merchant.RefundAsync(charge.Text("id"), 100, key)));
        var other = await merchant.RefundAsync(charge.Text("id"), 200, key);

        Assert.All(answers, answer => Assert.True(answer.Status is 201 or 409, answer.Body));
        Assert.All(answers.Where(a => a.Status == 409), answer => Assert.True(answer.Code == "request_in_progress" && answer.Headers.ContainsKey("Retry-After"), answer.Body));
        Assert.Single(answers.Where(a => a.Status == 201).Select(a => a.Body).Distinct());
        Assert.Equal((422, "idempotency_key_reused"), (other.Status, other.Code));
        Assert.Equal(100, (await app.PaymentAsync(charge))!["refunded_amount"]!.GetValue<long>());
    }

    [Fact]
    public async Task Refund_HundredAtOnce_NeverMoreThanWasCaptured()
    {
        var merchant = await app.CreateMerchantAsync(payoutDelayDays: 5);
        var charge = await merchant.ChargeAsync(10_000);

        var answers = await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => merchant.RefundAsync(charge.Text("id"), 300)));

        Assert.Equal(33, answers.Count(a => a.Status == 201 && a.Text("status") == "succeeded"));
        Assert.Equal(67, answers.Count(a => a is { Status: 422, Code: "amount_too_large" }));
        var end = await merchant.GetAsync($"/v1/charges/{charge.Text("id")}");
        Assert.Equal((9_900, 100), (end.Number("amount_refunded"), end.Number("amount_refundable")));
        Assert.Equal(9_900, (await app.PaymentAsync(charge))!["refunded_amount"]!.GetValue<long>());
        Assert.Equal(-9_900, (await merchant.BalanceAsync()).Available);
    }

    [Theory]
    [InlineData("tok_refund_drop_after")]
    [InlineData("tok_refund_fail_after")]
    [InlineData("tok_refund_webhook_first")]
    public async Task Refund_AnswerLost_IsProcessingUntilItIsKnown(string token)
    {
        var merchant = await app.CreateMerchantAsync(payoutDelayDays: 5);
        var charge = await merchant.ChargeAsync(10_000, token: token);
        var key = RunningApp.NewKey();

        var refund = await merchant.RefundAsync(charge.Text("id"), 4_000, key);

        // The processor's webhook may be faster than the answer that never comes.
        Assert.True(refund is { Status: 202 } && refund.Text("status") == "processing" || refund is { Status: 201 } && refund.Text("status") == "succeeded", refund.Body);
        await RunningApp.EventuallyAsync(() => merchant.GetAsync($"/v1/refunds/{refund.Text("id")}"), seen => seen.Text("status") == "succeeded", "the refund is known");
        Assert.Equal(-4_000, (await merchant.BalanceAsync()).Available);
        Assert.Equal(refund.Body, (await merchant.RefundAsync(charge.Text("id"), 4_000, key)).Body);
        Assert.Equal(4_000, (await app.PaymentAsync(charge))!["refunded_amount"]!.GetValue<long>());
    }

    [Fact]
    public async Task Refund_RefusedAtOnce_FailsAndCanBeTriedAgain()
    {
        var merchant = await app.CreateMerchantAsync(payoutDelayDays: 5);
        var charge = await merchant.ChargeAsync(10_000, token: "tok_refund_fails");

        var refund = await merchant.RefundAsync(charge.Text("id"), 4_000);

        Assert.Equal((201, "failed", "do_not_honor"), (refund.Status, refund.Text("status"), refund.Json["failure"]!["code"]!.GetValue<string>()));
        Assert.Equal(10_000, (await merchant.GetAsync($"/v1/charges/{charge.Text("id")}")).Number("amount_refundable"));
        Assert.Equal((9_680, 0, 0, 0), await merchant.BalanceAsync());
    }

    [Theory]
    [InlineData("tok_refund_pending", "succeeded", -4_000)]
    [InlineData("tok_refund_pending_fails", "failed", 0)]
    public async Task Refund_Asynchronous_EndsAsTheProcessorTells(string token, string status, long available)
    {
        var merchant = await app.CreateMerchantAsync(payoutDelayDays: 5);
        var charge = await merchant.ChargeAsync(10_000, token: token);

        var refund = await merchant.RefundAsync(charge.Text("id"), 4_000);

        Assert.Equal((201, "pending"), (refund.Status, refund.Text("status")));
        await RunningApp.EventuallyAsync(() => merchant.GetAsync($"/v1/refunds/{refund.Text("id")}"), seen => seen.Text("status") == status, $"the refund is {status}");
        Assert.Equal(available, (await merchant.BalanceAsync()).Available);
        Assert.Equal(10_000 + available, (await merchant.GetAsync($"/v1/charges/{charge.Text("id")}")).Number("amount_refundable"));
    }

    [Fact]
    public async Task Refund_FailedAfterItSucceeded_ComesBackToTheBalanceOnce()
    {
        var merchant = await app.CreateMerchantAsync(payoutDelayDays: 5);
        var charge = await merchant.ChargeAsync(10_000);
        var refund = await merchant.RefundAsync(charge.Text("id"), 4_000);
        Assert.Equal(-4_000, (await merchant.BalanceAsync()).Available);

        await app.AcquirerAsync(HttpMethod.Post, $"/control/refunds/{refund.Text("provider_reference")}/fail");

        var failed = await RunningApp.EventuallyAsync(() => merchant.GetAsync($"/v1/refunds/{refund.Text("id")}"), seen => seen.Text("status") == "failed", "the refund has failed");
        Assert.NotNull(failed.Json["failure"]);
        Assert.Equal((9_680, 0, 0, 0), await merchant.BalanceAsync());
        Assert.Equal(10_000, (await merchant.GetAsync($"/v1/charges/{charge.Text("id")}")).Number("amount_refundable"));
        Assert.Equal(["refund.created", "refund.succeeded", "refund.failed"], await merchant.EventsAsync(refund.Text("id")));
        Assert.Equal("succeeded", (await merchant.RefundAsync(charge.Text("id"))).Text("status"));
    }

    [Fact]
    public async Task Refund_OfAPartialCapture_TakesOnlyWhatIsCaptured()
    {
        var merchant = await app.CreateMerchantAsync(payoutDelayDays: 5);
        var charge = await merchant.AuthorizeAsync();
        var before = await merchant.RefundAsync(charge.Text("id"));
        await merchant.CaptureAsync(charge.Text("id"), 4_000);

        var tooMuch = await merchant.RefundAsync(charge.Text("id"), 4_001);
        var all = await merchant.RefundAsync(charge.Text("id"));

        Assert.Equal((409, "state_conflict"), (before.Status, before.Code));
        Assert.Equal((422, "amount_too_large"), (tooMuch.Status, tooMuch.Code));
        Assert.Equal((201, 4_000), (all.Status, all.Number("amount")));
    }

    [Theory]
    [InlineData("""{"amount":100}""", 400, "parameter_invalid", "charge")]
    [InlineData("""{"charge":"ch_1","amount":100}""", 400, "parameter_invalid", "charge")]
    [InlineData("""{"charge":"CHARGE","amount":0}""", 422, "amount_too_small", "amount")]
    [InlineData("""{"charge":"CHARGE","amount":-1}""", 422, "amount_too_small", "amount")]
    [InlineData("""{"charge":"CHARGE","amount":1.5}""", 400, "body_malformed", "amount")]
    [InlineData("""{"charge":"CHARGE","reason":"why not"}""", 400, "parameter_invalid", "reason")]
    [InlineData("""{"charge":"CHARGE","amount":10001}""", 422, "amount_too_large", "amount")]
    [InlineData("""{"charge":"ch_00000000000000000000000000000000"}""", 404, "not_found", null)]
    public async Task Refund_InvalidRequest_NamesWhatIsWrongAndKeepsTheKeyFree(string body, int status, string code, string? param)
    {
        var merchant = await app.CreateMerchantAsync();
        var charge = await merchant.ChargeAsync(10_000);
        var key = RunningApp.NewKey();

        var refused = await app.SendAsync(HttpMethod.Post, "/v1/refunds", merchant.Key, body.Replace("CHARGE", charge.Text("id"), StringComparison.Ordinal), key);
        var mended = await merchant.RefundAsync(charge.Text("id"), 1, key);

        Assert.Equal((status, code, param), (refused.Status, refused.Code, refused.Param));
        Assert.Equal(201, mended.Status);
    }

    [Fact]
    public async Task ListRefunds_OfOneCharge_ShowsItsRefundsOnlyNewestFirst()
    {
        var merchant = await app.CreateMerchantAsync();
        var (one, two) = (await merchant.ChargeAsync(10_000), await merchant.ChargeAsync(10_000));
        var made = new List<string>();
        for (var i = 1; i <= 3; i++)
            made.Add((await merchant.RefundAsync(one.Text("id"), i)).Text("id"));
        await merchant.RefundAsync(two.Text("id"), 1);

        var first = await merchant.GetAsync($"/v1/refunds?charge={one.Text("id")}&limit=2");
        var second = await merchant.GetAsync($"/v1/refunds?charge={one.Text("id")}&limit=2&starting_after={made[1]}");

        Assert.Equal([made[2], made[1]], first.Json["data"]!.AsArray().Select(r => r!["id"]!.GetValue<string>()));
        Assert.True(first.Json["has_more"]!.GetValue<bool>());
        Assert.Equal([made[0]], second.Json["data"]!.AsArray().Select(r => r!["id"]!.GetValue<string>()));
        Assert.Equal(4, (await merchant.GetAsync("/v1/refunds?status=succeeded")).Json["data"]!.AsArray().Count);
    }

    [Theory]
    [InlineData("charge=x", "charge")]
    [InlineData("status=x", "status")]
    public async Task ListRefunds_InvalidQuery_NamesTheParameter(string query, string param)
    {
        var merchant = await app.CreateMerchantAsync();

        var answer = await merchant.GetAsync($"/v1/refunds?{query}");

        Assert.Equal((400, "parameter_invalid", param), (answer.Status, answer.Code, answer.Param));
    }

    [Fact]
    public async Task GetRefund_OfAnotherMerchant_DoesNotExist()
    {
        var (one, two) = (await app.CreateMerchantAsync(), await app.CreateMerchantAsync());
        var charge = await one.ChargeAsync();
        var refund = await one.RefundAsync(charge.Text("id"));

        Assert.Equal(404, (await two.GetAsync($"/v1/refunds/{refund.Text("id")}")).Status);
        Assert.Equal(404, (await two.RefundAsync(charge.Text("id"))).Status);
    }
}
