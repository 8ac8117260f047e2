using System.Globalization;
using System.Text.Json.Nodes;

namespace Payments.Functions.Tests;

/// <summary>Fee plans, what charges cost under them, and quotes, as merchants and the platform see them.</summary>
public sealed class FeeTests(RunningApp app)
{
    [Fact]
    public async Task Charge_UnderThePlan_ShowsHowItsFeeCameAbout()
    {
        var merchant = await app.CreateMerchantAsync(payoutDelayDays: 5);

        var charge = await merchant.ChargeAsync(1_050);

        Assert.Equal((60, 0), (charge.Number("fee"), charge.Number("fee_returned")));
        var detail = Assert.Single(charge.Json["fee_details"]!.AsArray())!;
        Assert.Equal((1_050, 60, 1), (detail["amount"]!.GetValue<long>(), detail["fee"]!.GetValue<long>(), detail["plan_version"]!.GetValue<int>()));
        Assert.Equal([("percentage", 30L), ("fixed", 30L)], Parts(detail));
        Assert.Equal(charge.Body, (await merchant.GetAsync($"/v1/charges/{charge.Text("id")}")).Body);
    }

    [Fact]
    public async Task Charge_Declined_CostsNothingAndShowsNoDetails()
    {
        var merchant = await app.CreateMerchantAsync();

        var charge = await merchant.ChargeAsync(token: "tok_decline_insufficient_funds");

        Assert.Equal(0, charge.Number("fee"));
        Assert.Null(charge.Json["fee_details"]);
    }

    [Fact]
    public async Task Charges_OfATieredPlan_AreQuotedAndPricedAlikeAsTheMonthGoesOn()
    {
        var plan = JsonNode.Parse("""{"rules":[{"currency":"EUR","basis_points":300,"fixed":10,"tiers":[{"from":15000,"basis_points":100,"fixed":5}]}]}""")!;
        var merchant = await app.CreateMerchantAsync(payoutDelayDays: 5, feePlan: plan);
        foreach (var (fee, before) in new[] { (310L, 0L), (210L, 10_000L), (105L, 20_000L) })
        {
            var quote = await merchant.GetAsync("/v1/fees/quote?amount=10000&currency=EUR");
            var charge = await merchant.ChargeAsync(10_000);

            var detail = charge.Json["fee_details"]![0]!;
            Assert.Equal((fee, before), (quote.Number("fee"), quote.Number("volume_before")));
            Assert.Equal((fee, before), (charge.Number("fee"), detail["volume_before"]!.GetValue<long>()));
            Assert.Equal(quote.Json["parts"]!.ToJsonString(), detail["parts"]!.ToJsonString());
            Assert.Equal(10_000 - fee, quote.Number("net"));
        }
    }

    [Fact]
    public async Task Charge_WithAFeeAboveItsAmount_EndsAtTheAmountUnlessThePlanSaysOtherwise()
    {
        var rules = JsonNode.Parse("""[{"basis_points":0,"fixed":30}]""")!;
        var limited = await app.CreateMerchantAsync(payoutDelayDays: 5, feePlan: new { rules });
        var unlimited = await app.CreateMerchantAsync(payoutDelayDays: 5, feePlan: new { rules, may_exceed_amount = true });

        Assert.Equal(20, (await limited.ChargeAsync(20)).Number("fee"));
        Assert.Equal(30, (await unlimited.ChargeAsync(20)).Number("fee"));
        Assert.Equal(0, (await limited.BalanceAsync()).Pending);
        Assert.Equal(-10, (await unlimited.BalanceAsync()).Pending);
    }

    [Fact]
    public async Task Captures_OfOneCharge_ArePricedOneByOne()
    {
        var merchant = await app.CreateMerchantAsync(payoutDelayDays: 5);
        var charge = await merchant.PostAsync("/v1/charges", new { amount = 10_000, currency = "EUR", payment_method = "tok_visa", capture_method = "manual" });
        Assert.Equal((0, null), (charge.Number("fee"), charge.Json["fee_details"]));

        await merchant.PostAsync($"/v1/charges/{charge.Text("id")}/capture", new { amount = 4_000 });
        var captured = await merchant.PostAsync($"/v1/charges/{charge.Text("id")}/capture", new { amount = 6_000 });

        Assert.Equal(116 + 30 + 174 + 30, captured.Number("fee"));
        Assert.Equal([(4_000L, 146L), (6_000L, 204L)], captured.Json["fee_details"]!.AsArray().Select(d => (d!["amount"]!.GetValue<long>(), d["fee"]!.GetValue<long>())));
        Assert.Equal(10_000 - 350, (await merchant.BalanceAsync()).Pending);
    }

    [Theory]
    [InlineData("kept", 0, 0)]
    [InlineData("returned", 128, 320)]
    public async Task Refunds_ReturnTheFeeAsThePlanSays(string policy, long first, long all)
    {
        var plan = new { rules = new[] { new { basis_points = 290, @fixed = 30 } }, fee_on_refund = policy };
        var merchant = await app.CreateMerchantAsync(payoutDelayDays: 5, feePlan: plan);
        var charge = await merchant.ChargeAsync(10_000);

        var one = await merchant.PostAsync("/v1/refunds", new { charge = charge.Text("id"), amount = 4_000 });
        var two = await merchant.PostAsync("/v1/refunds", new { charge = charge.Text("id") });

        Assert.Equal((first, all - first), (one.Number("fee_returned"), two.Number("fee_returned")));
        Assert.Equal(all, (await merchant.GetAsync($"/v1/charges/{charge.Text("id")}")).Number("fee_returned"));
        var lines = (await merchant.GetAsync("/v1/balance_transactions?type=refund")).Json["data"]!.AsArray();
        Assert.Equal([first - all, -first], lines.Select(line => line!["fee"]!.GetValue<long>()));
        Assert.Equal(-10_000 + all, (await merchant.BalanceAsync()).Available);
    }

    [Theory]
    [InlineData("amount=10000&currency=EUR", 400)]
    [InlineData("amount=10000&currency=EUR&method=card", 300)]
    [InlineData("amount=10000&currency=EUR&card_brand=visa", 300)]
    [InlineData("amount=10000&currency=EUR&card_brand=amex", 350)]
    [InlineData("amount=10000&currency=EUR&card_brand=amex&card_country=DE", 350)]
    [InlineData("amount=10000&currency=EUR&card_brand=visa&card_country=DE", 150)]
    [InlineData("amount=10000&currency=EUR&card_country=FR", 200)]
    [InlineData("amount=10000&currency=USD&card_country=FR", 500)]
    public async Task Quote_ByMethodAndCard_TakesTheNarrowestRule(string query, long fee)
    {
        var plan = JsonNode.Parse(
            """
            {"rules":[{"basis_points":500,"fixed":0},{"currency":"EUR","basis_points":400,"fixed":0},{"currency":"EUR","method":"card","basis_points":300,"fixed":0},
            {"currency":"EUR","card_region":"domestic","basis_points":150,"fixed":0},{"currency":"EUR","card_region":"eea","basis_points":200,"fixed":0},
            {"currency":"EUR","card_brand":"amex","basis_points":350,"fixed":0}]}
            """)!;
        var merchant = await app.CreateMerchantAsync(feePlan: plan);

        Assert.Equal(fee, (await merchant.GetAsync($"/v1/fees/quote?{query}")).Number("fee"));
    }

    [Theory]
    [InlineData("currency=EUR", "amount")]
    [InlineData("currency=EUR&amount=0", "amount")]
    [InlineData("currency=EUR&amount=1.5", "amount")]
    [InlineData("amount=100", "currency")]
    [InlineData("amount=100&currency=EURO", "currency")]
    [InlineData("amount=100&currency=EUR&card_country=de", "card_country")]
    [InlineData("amount=100&currency=EUR&method=ideal&card_brand=visa", "method")]
    [InlineData("amount=100&currency=EUR&volume_before=-1", "volume_before")]
    [InlineData("amount=100&currency=EUR&effective_at=soon", "effective_at")]
    public async Task Quote_InvalidQuery_NamesTheParameter(string query, string param)
    {
        var merchant = await app.CreateMerchantAsync();

        var answer = await merchant.GetAsync($"/v1/fees/quote?{query}");

        Assert.Equal((400, "parameter_invalid", param), (answer.Status, answer.Code, answer.Param));
    }

    [Fact]
    public async Task PutFeePlan_ForLater_IsScheduledInTheHistoryAndQuotedForThen()
    {
        var merchant = await app.CreateMerchantAsync();
        var from = DateTimeOffset.UnixEpoch.AddYears(100).ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);
        var body = new { plan = JsonNode.Parse("""{"rules":[{"basis_points":100,"fixed":0}],"fee_on_refund":"returned"}"""), effective_from = from };

        var version = await PutAsync(merchant.Id, body);
        var again = await PutAsync(merchant.Id, body);
        var history = await app.GetAsync($"/v1/merchants/{merchant.Id}/fee_plan", app.PlatformKey);
        var own = await merchant.GetAsync($"/v1/merchants/{merchant.Id}/fee_plan");

        Assert.Equal((200, 2, "scheduled"), (version.Status, version.Number("version"), version.Text("status")));
        Assert.Equal(version.Body, again.Body);
        Assert.Equal(1, history.Number("in_force"));
        Assert.Equal(["scheduled 2", "in_force 1"], history.Json["versions"]!.AsArray().Select(v => $"{v!["status"]} {v["version"]}"));
        Assert.Equal(history.Body, own.Body);
        Assert.Equal(320, (await merchant.GetAsync("/v1/fees/quote?amount=10000&currency=EUR")).Number("fee"));
        var then = await merchant.GetAsync($"/v1/fees/quote?amount=10000&currency=EUR&effective_at={from}");
        Assert.Equal((100, 2), (then.Number("fee"), then.Number("plan_version")));
    }

    [Fact]
    public async Task PutFeePlan_WithoutATime_TakesEffectInAMinute()
    {
        var merchant = await app.CreateMerchantAsync();

        var version = await PutAsync(merchant.Id, new { plan = new { rules = Array.Empty<object>() } });

        Assert.Equal("scheduled", version.Text("status"));
        Assert.Equal(
            DateTimeOffset.Parse(version.Text("created_at"), CultureInfo.InvariantCulture).AddSeconds(60), DateTimeOffset.Parse(version.Text("effective_from"), CultureInfo.InvariantCulture));
    }

    [Theory]
    [InlineData("""{}""", 400, "parameter_invalid", "plan")]
    [InlineData("""{"plan":{}}""", 400, "parameter_invalid", "plan.rules")]
    [InlineData("""{"plan":{"rules":[]},"effective_from":"2020-01-01T00:00:00Z"}""", 400, "parameter_invalid", "effective_from")]
    [InlineData("""{"plan":{"rules":[{"basis_points":10001,"fixed":0}]}}""", 400, "parameter_invalid", "plan.rules[0].basis_points")]
    [InlineData("""{"plan":{"rules":[{"basis_points":1,"fixed":0,"tiers":[{"from":5,"basis_points":1,"fixed":0}]}]}}""", 400, "parameter_invalid", "plan.rules[0].tiers")]
    [InlineData("""{"plan":{"rules":[{"basis_points":1,"fixed":0,"card_region":"mars"}]}}""", 400, "body_malformed", "plan.rules[0].card_region")]
    [InlineData("""{"plan":{"rules":[{"currency":"EUR","basis_points":1,"fixed":0},{"currency":"EUR","basis_points":2,"fixed":0}]}}""", 400, "parameter_invalid", "plan.rules")]
    public async Task PutFeePlan_Invalid_NamesWhatIsWrong(string body, int status, string code, string param)
    {
        var merchant = await app.CreateMerchantAsync();

        var answer = await PutAsync(merchant.Id, body);

        Assert.Equal((status, code, param), (answer.Status, answer.Code, answer.Param));
    }

    [Fact]
    public async Task FeePlans_ForAMerchantsKey_AreReadOnlyAndItsOwn()
    {
        var (one, two) = (await app.CreateMerchantAsync(), await app.CreateMerchantAsync());

        var put = await app.SendAsync(HttpMethod.Put, $"/v1/merchants/{one.Id}/fee_plan", one.Key, new { plan = new { rules = Array.Empty<object>() } });
        var other = await two.GetAsync($"/v1/merchants/{one.Id}/fee_plan");

        Assert.Equal((403, 404), (put.Status, other.Status));
        Assert.Equal(404, (await PutAsync("mer_00000000000000000000000000000000", new { plan = new { rules = Array.Empty<object>() } })).Status);
    }

    private Task<Answer> PutAsync(string merchant, object body) => app.SendAsync(HttpMethod.Put, $"/v1/merchants/{merchant}/fee_plan", app.PlatformKey, body);

    private static IEnumerable<(string, long)> Parts(JsonNode detail) => detail["parts"]!.AsArray().Select(part => (part!["type"]!.GetValue<string>(), part["amount"]!.GetValue<long>()));
}
