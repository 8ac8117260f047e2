using System.Text.Json.Nodes;

namespace Payments.Functions.Tests;

/// <summary>
/// Routing and credentials over the API. The app has three providers of the sandbox's kind: <c>sandbox</c>, <c>sandbox_backup</c> at the same acquirer, and
/// <c>sandbox_down</c>, which nobody can reach.
/// </summary>
public sealed class ProviderTests(RunningApp app)
{
    [Theory]
    [InlineData("tok_decline_do_not_honor", "do_not_honor")]
    [InlineData("tok_decline_issuer_not_available", "issuer_unavailable")]
    [InlineData("tok_decline_processing_error", "processing_error")]
    public async Task CreateCharge_FirstProviderDeclinesRetryably_SecondCaptures(string token, string code)
    {
        var merchant = await MerchantAsync(("sandbox", 1), ("sandbox_backup", 0));
        var key = RunningApp.NewKey();

        var charge = await ChargeAsync(merchant, key, ("sandbox", token), ("sandbox_backup", "tok_visa"));
        var again = await ChargeAsync(merchant, key, ("sandbox", token), ("sandbox_backup", "tok_visa"));

        Assert.Equal((201, "captured", "sandbox_backup"), (charge.Status, charge.Text("status"), charge.Text("provider")));
        Assert.Equal(charge.Body, again.Body);
        Assert.Equal([("sandbox", "declined", code), ("sandbox_backup", "succeeded", null)], await AttemptsAsync(merchant, charge));

        // The money is booked once, against the provider that has it.
        Assert.Equal(1050 - charge.Number("fee"), (await merchant.BalanceAsync()).Pending);
        Assert.Null(charge.Json["decline"]);
    }

    [Fact]
    public async Task CreateCharge_FirstProviderCannotBeReached_SecondCaptures()
    {
        var merchant = await MerchantAsync(("sandbox_down", 1), ("sandbox", 0));

        var charge = await merchant.ChargeAsync();

        Assert.Equal((201, "captured", "sandbox"), (charge.Status, charge.Text("status"), charge.Text("provider")));
        Assert.Equal([("sandbox_down", "failed", "provider_unavailable"), ("sandbox", "succeeded", null)], await AttemptsAsync(merchant, charge));
    }

    [Fact]
    public async Task CreateCharge_NoProviderCanBeReached_IsDeclinedAsNotSent()
    {
        var merchant = await MerchantAsync(("sandbox_down", 1));

        var charge = await merchant.ChargeAsync();

        Assert.Equal((201, "declined"), (charge.Status, charge.Text("status")));
        Assert.Equal("provider_unavailable", charge.Json["decline"]!["code"]!.GetValue<string>());
        Assert.Equal([("sandbox_down", "failed", "provider_unavailable")], await AttemptsAsync(merchant, charge));
    }

    [Fact]
    public async Task CreateCharge_OutcomeUnknown_IsNeverTriedElsewhere()
    {
        var merchant = await MerchantAsync(("sandbox", 1), ("sandbox_backup", 0));

        var charge = await ChargeAsync(merchant, RunningApp.NewKey(), ("sandbox", "tok_drop_after_charging"), ("sandbox_backup", "tok_visa"));

        Assert.Equal((202, "processing"), (charge.Status, charge.Text("status")));
        var settled = await RunningApp.EventuallyAsync(
            () => merchant.GetAsync($"/v1/charges/{charge.Text("id")}"), answer => answer.Text("status") == "captured", "the charge is found to be captured");
        Assert.Equal("sandbox", settled.Text("provider"));
        Assert.Equal([("sandbox", "succeeded", null)], await AttemptsAsync(merchant, charge));
    }

    [Theory]
    [InlineData("tok_decline_stolen_card", "stolen_card")]
    [InlineData("tok_decline_insufficient_funds", "insufficient_funds")]
    public async Task CreateCharge_DeclineThatIsTheSameEverywhere_IsNotTriedElsewhere(string token, string code)
    {
        var merchant = await MerchantAsync(("sandbox", 1), ("sandbox_backup", 0));

        var charge = await ChargeAsync(merchant, RunningApp.NewKey(), ("sandbox", token), ("sandbox_backup", "tok_visa"));

        Assert.Equal((201, "declined"), (charge.Status, charge.Text("status")));
        Assert.Equal([("sandbox", "declined", code)], await AttemptsAsync(merchant, charge));
    }

    [Fact]
    public async Task Routing_Rules_DecideByWhatIsKnownOfTheCharge()
    {
        var merchant = await app.CreateMerchantAsync(payoutDelayDays: 5);
        object[] rules =
        [
            new { name = "amex abroad", card_brands = new[] { "amex" }, card_countries = new[] { "US" }, providers = new[] { new { provider = "sandbox_down" } } },
            new { currencies = new[] { "EUR" }, amount_min = 100_000, providers = new[] { new { provider = "sandbox_backup" } } },
        ];
        Assert.Equal(200, (await PutRoutingAsync(merchant, new { rules })).Status);

        async Task<string> ProviderAsync(long amount, object? card) => (await merchant.PostAsync(
            "/v1/charges", card is null ? new { amount, currency = "EUR", payment_method = "tok_visa" } : new { amount, currency = "EUR", payment_method = "tok_visa", card })).Text("provider");
        Assert.Equal("sandbox", await ProviderAsync(99_999, null));
        Assert.Equal("sandbox_backup", await ProviderAsync(100_000, null));
        Assert.Equal("sandbox_down", await ProviderAsync(100_000, new { brand = "amex", country = "US" }));
        Assert.Equal("sandbox_backup", await ProviderAsync(100_000, new { brand = "amex", country = "DE" }));

        var read = await app.GetAsync($"/v1/merchants/{merchant.Id}/routing", app.PlatformKey);
        Assert.Equal(("sandbox", 2), (read.Text("default_provider"), read.Json["rules"]!.AsArray().Count));
        Assert.Equal(200, (await PutRoutingAsync(merchant, new { rules = Array.Empty<object>() })).Status);
        Assert.Equal("sandbox", await ProviderAsync(100_000, null));
    }

    [Theory]
    [InlineData("""{}""", "rules")]
    [InlineData("""{"rules":[null]}""", "rules[0]")]
    [InlineData("""{"rules":[{"providers":[]}]}""", "rules[0].providers")]
    [InlineData("""{"rules":[{"providers":[{"provider":"nobody"}]}]}""", "rules[0].providers[0].provider")]
    [InlineData("""{"rules":[{"providers":[{"provider":"sandbox"},{"provider":"sandbox"}]}]}""", "rules[0].providers")]
    [InlineData("""{"rules":[{"providers":[{"provider":"sandbox","weight":-1}]}]}""", "rules[0].providers[0].weight")]
    [InlineData("""{"rules":[{"amount_min":5,"providers":[{"provider":"sandbox"}]}]}""", "rules[0].amount_min")]
    [InlineData("""{"rules":[{"currencies":["EUR"],"amount_min":5,"amount_max":4,"providers":[{"provider":"sandbox"}]}]}""", "rules[0].amount_max")]
    [InlineData("""{"rules":[{"currencies":["XXL"],"providers":[{"provider":"sandbox"}]}]}""", "rules[0].currencies")]
    [InlineData("""{"rules":[{"card_countries":["Germany"],"providers":[{"provider":"sandbox"}]}]}""", "rules[0].card_countries")]
    [InlineData("""{"rules":[{"max_attempts":9,"providers":[{"provider":"sandbox"}]}]}""", "rules[0].max_attempts")]
    public async Task SetRouting_RuleThatCannotBe_IsRefusedByItsParameter(string body, string param)
    {
        var merchant = await app.CreateMerchantAsync();

        var answer = await PutRoutingAsync(merchant, body);

        Assert.Equal((400, "parameter_invalid", param), (answer.Status, answer.Code, answer.Param));
    }

    [Theory]
    [InlineData("""{"amount":1050,"currency":"EUR"}""", "payment_method")]
    [InlineData("""{"amount":1050,"currency":"EUR","payment_methods":{"sandbox":"4242424242424242"}}""", "payment_methods.sandbox")]
    [InlineData("""{"amount":1050,"currency":"EUR","payment_methods":{"sandbox_backup":"tok_visa"}}""", "payment_methods")]
    [InlineData("""{"amount":1050,"currency":"EUR","payment_method":"tok_visa","card":{"country":"Germany"}}""", "card.country")]
    public async Task CreateCharge_PaymentMethodsThatCannotBe_AreRefused(string body, string param)
    {
        var merchant = await app.CreateMerchantAsync();

        var answer = await merchant.PostAsync("/v1/charges", body);

        Assert.Equal((400, param), (answer.Status, answer.Param));
    }

    [Fact]
    public async Task Credentials_OfAMerchant_AreUsedAndNeverShown()
    {
        var merchant = await app.CreateMerchantAsync(payoutDelayDays: 5);
        var path = $"/v1/merchants/{merchant.Id}/providers/sandbox";
        Assert.Equal("platform", (await app.GetAsync(path, app.PlatformKey)).Text("source"));

        var set = await PutAsync(path, new { credentials = new { api_key = "ak_of_another_acquirer_9876" } });

        Assert.Equal((200, "merchant", "...9876"), (set.Status, set.Text("source"), set.Json["credentials"]!["api_key"]!.GetValue<string>()));
        var read = await app.GetAsync(path, app.PlatformKey);
        Assert.Equal("...9876", read.Json["credentials"]!["api_key"]!.GetValue<string>());
        Assert.DoesNotContain("ak_of_another", set.Body + read.Body, StringComparison.Ordinal);

        // The acquirer does not know that key: it refuses before it carries anything out.
        var refused = await RunningApp.EventuallyAsync(() => merchant.ChargeAsync(), charge => charge.Text("status") == "declined", "the merchant's own key is used");
        Assert.Equal("provider_unavailable", refused.Json["decline"]!["code"]!.GetValue<string>());

        Assert.Equal(200, (await app.SendAsync(HttpMethod.Delete, path, app.PlatformKey)).Status);
        Assert.Equal(404, (await app.SendAsync(HttpMethod.Delete, path, app.PlatformKey)).Status);
        await RunningApp.EventuallyAsync(() => merchant.ChargeAsync(), charge => charge.Text("status") == "captured", "the platform's key is used again");
    }

    [Fact]
    public async Task Credentials_WrongRequests_AreRefused()
    {
        var merchant = await app.CreateMerchantAsync();
        var path = $"/v1/merchants/{merchant.Id}/providers/sandbox";

        Assert.Equal((400, "credentials"), Refusal(await PutAsync(path, new { })));
        Assert.Equal((400, "credentials.api_key"), Refusal(await PutAsync(path, new { credentials = new { } })));
        Assert.Equal((400, "credentials.api_key"), Refusal(await PutAsync(path, new { credentials = new { api_key = "two words" } })));
        Assert.Equal((400, "credentials.password"), Refusal(await PutAsync(path, new { credentials = new { api_key = "ak", password = "x" } })));
        Assert.Equal(404, (await PutAsync($"/v1/merchants/{merchant.Id}/providers/nobody", new { credentials = new { api_key = "ak" } })).Status);
        Assert.Equal(404, (await PutAsync($"/v1/merchants/mer_{new string('0', 32)}/providers/sandbox", new { credentials = new { api_key = "ak" } })).Status);
        Assert.Equal(403, (await app.GetAsync(path, merchant.Key)).Status);
        Assert.Equal(403, (await app.GetAsync($"/v1/merchants/{merchant.Id}/routing", merchant.Key)).Status);
    }

    [Fact]
    public async Task ListAttempts_OfAnotherMerchantsCharge_IsNotFound()
    {
        var merchant = await app.CreateMerchantAsync();
        var other = await app.CreateMerchantAsync();
        var charge = await merchant.ChargeAsync();

        Assert.Equal(404, (await other.GetAsync($"/v1/charges/{charge.Text("id")}/attempts")).Status);
    }

    private static (int, string?) Refusal(Answer answer) => (answer.Status, answer.Param);

    private static Task<Answer> ChargeAsync(TestMerchant merchant, string key, params (string Provider, string Token)[] methods) => merchant.PostAsync(
        "/v1/charges", new { amount = 1050, currency = "EUR", payment_methods = methods.ToDictionary(method => method.Provider, method => method.Token) }, key);

    private static async Task<(string, string, string?)[]> AttemptsAsync(TestMerchant merchant, Answer charge)
    {
        var list = await merchant.GetAsync($"/v1/charges/{charge.Text("id")}/attempts");
        Assert.Equal(200, list.Status);
        return [.. list.Json["data"]!.AsArray().Select(a => (Text(a!, "provider")!, Text(a!, "status")!, a!["decline"]?["code"]?.GetValue<string>()))];

        static string? Text(JsonNode node, string name) => node[name]?.GetValue<string>();
    }

    private async Task<TestMerchant> MerchantAsync(params (string Provider, int Weight)[] targets)
    {
        // Funds stay pending for days, so that nothing releases them under the test.
        var merchant = await app.CreateMerchantAsync(payoutDelayDays: 5);
        var set = await PutRoutingAsync(merchant, new { rules = new[] { new { providers = targets.Select(target => new { provider = target.Provider, weight = target.Weight }).ToArray() } } });
        Assert.Equal(200, set.Status);
        return merchant;
    }

    private Task<Answer> PutRoutingAsync(TestMerchant merchant, object body) => PutAsync($"/v1/merchants/{merchant.Id}/routing", body);

    private Task<Answer> PutAsync(string path, object body) => app.SendAsync(HttpMethod.Put, path, app.PlatformKey, body);
}
