using System.Globalization;

namespace Payments.Functions.Tests;

/// <summary>What is in a merchant's lists, by every filter.</summary>
public sealed class ListTests(RunningApp app)
{
    [Fact]
    public async Task ListCharges_EachFilter_ShowsWhatMatches()
    {
        var merchant = await app.CreateMerchantAsync(payoutDelayDays: 5);
        var small = await CreateAsync(merchant, 1_000, "alice");
        var large = await CreateAsync(merchant, 5_000, "bob");
        var declined = await CreateAsync(merchant, 2_000, "alice", "tok_decline_insufficient_funds");
        var yen = await CreateAsync(merchant, 3_000, "carol", currency: "JPY");
        string At(string id) => Uri.EscapeDataString(id);

        async Task ShowsAsync(string query, params Answer[] charges)
        {
            var page = await merchant.GetAsync($"/v1/charges?{query}");
            Assert.Equal(200, page.Status);
            Assert.Equal(charges.Select(charge => charge.Text("id")), page.Json["data"]!.AsArray().Select(charge => charge!["id"]!.GetValue<string>()));
        }

        await ShowsAsync("", yen, declined, large, small);
        await ShowsAsync("status=declined", declined);
        await ShowsAsync("status=captured", yen, large, small);
        await ShowsAsync("status=expired");
        await ShowsAsync("customer=alice", declined, small);
        await ShowsAsync("customer=alice&status=captured", small);
        await ShowsAsync("customer=nobody");
        await ShowsAsync("currency=JPY", yen);
        await ShowsAsync("amount=2000", declined);
        await ShowsAsync("amount[gte]=2000&amount[lt]=5000", yen, declined);
        await ShowsAsync("amount[gt]=2000", yen, large);
        await ShowsAsync("amount[lte]=1000", small);
        await ShowsAsync("amount[gt]=4000&amount[lt]=4001");
        await ShowsAsync($"created[gte]={At(large.Text("created_at"))}", yen, declined, large);
        await ShowsAsync($"created[gt]={At(large.Text("created_at"))}", yen, declined);
        await ShowsAsync($"created[lte]={At(large.Text("created_at"))}", large, small);
        await ShowsAsync($"created[lt]={At(large.Text("created_at"))}&status=captured", small);
        await ShowsAsync($"created[gte]={At(large.Text("created_at"))}&created[lte]={At(declined.Text("created_at"))}", declined, large);
        await ShowsAsync($"status=captured&limit=2&starting_after={yen.Text("id")}", large, small);
    }

    [Theory]
    [InlineData("charges", "created[gte]=yesterday", "created[gte]")]
    [InlineData("charges", "created=2026-03-01", "created")]
    [InlineData("charges", "created[lt]=0001-01-01T00:00:00Z", "created[lt]")]
    [InlineData("charges", "amount=ten", "amount")]
    [InlineData("charges", "amount[gt]=-1", "amount[gt]")]
    [InlineData("charges", "customer=", "customer")]
    [InlineData("charges", "currency=EURO", "currency")]
    [InlineData("events", "created[gt]=x", "created[gt]")]
    [InlineData("balance_transactions", "type=gift", "type")]
    [InlineData("balance_transactions", "payout=ch_1", "payout")]
    [InlineData("balance_transactions", "source=", "source")]
    [InlineData("balance_transactions", "limit=0", "limit")]
    [InlineData("balance_transactions", "starting_after=ch_1", "starting_after")]
    public async Task List_InvalidQuery_NamesTheParameter(string list, string query, string param)
    {
        var merchant = await app.CreateMerchantAsync();

        var answer = await merchant.GetAsync($"/v1/{list}?{query}");

        Assert.Equal((400, "parameter_invalid", param), (answer.Status, answer.Code, answer.Param));
    }

    [Fact]
    public async Task BalanceTransactions_OfCharges_AreTheBalanceLineByLine()
    {
        var merchant = await app.CreateMerchantAsync(payoutDelayDays: 5);
        var one = await merchant.ChargeAsync(10_000);
        var two = await merchant.ChargeAsync(20_000);
        await merchant.ChargeAsync(token: "tok_decline_insufficient_funds");

        var list = await merchant.GetAsync("/v1/balance_transactions");
        var ofOne = await merchant.GetAsync($"/v1/balance_transactions?source={one.Text("id")}");
        var charges = await merchant.GetAsync("/v1/balance_transactions?type=charge");
        var refunds = await merchant.GetAsync("/v1/balance_transactions?type=refund");
        var later = await merchant.GetAsync($"/v1/balance_transactions?created[gte]={Uri.EscapeDataString(two.Text("created_at"))}");

        var lines = list.Json["data"]!.AsArray();
        Assert.Equal([two.Text("id"), one.Text("id")], lines.Select(line => line!["source"]!.GetValue<string>()));
        Assert.Equal((await merchant.BalanceAsync()).Pending, lines.Sum(line => line!["net"]!.GetValue<long>()));
        Assert.All(lines, line => Assert.Equal("pending", line!["status"]!.GetValue<string>()));
        Assert.Equal(list.Body, charges.Body);
        Assert.Empty(refunds.Json["data"]!.AsArray());
        Assert.Single(later.Json["data"]!.AsArray());
        var line = Assert.Single(ofOne.Json["data"]!.AsArray())!;
        Assert.Equal((10_000, 320, 9_680), (line["amount"]!.GetValue<long>(), line["fee"]!.GetValue<long>(), line["net"]!.GetValue<long>()));
        var read = await merchant.GetAsync($"/v1/balance_transactions/{line["id"]!.GetValue<string>()}");
        Assert.Equal(line.ToJsonString(), read.Json.ToJsonString());
    }

    [Fact]
    public async Task BalanceTransactions_OfAnotherMerchant_DoNotExist()
    {
        var (one, two) = (await app.CreateMerchantAsync(), await app.CreateMerchantAsync());
        await one.ChargeAsync();
        var id = (await one.GetAsync("/v1/balance_transactions")).Json["data"]![0]!["id"]!.GetValue<string>();

        Assert.Equal(404, (await two.GetAsync($"/v1/balance_transactions/{id}")).Status);
        Assert.Equal(404, (await one.GetAsync("/v1/balance_transactions/txn_1")).Status);
        Assert.Empty((await two.GetAsync("/v1/balance_transactions")).Json["data"]!.AsArray());
    }

    [Fact]
    public async Task Events_ByTypeObjectAndTime_ShowWhatMatches()
    {
        var merchant = await app.CreateMerchantAsync(payoutDelayDays: 5);
        var captured = await merchant.ChargeAsync();
        var declined = await merchant.ChargeAsync(token: "tok_decline_insufficient_funds");

        async Task<List<string>> TypesAsync(string query) =>
            [.. (await merchant.GetAsync($"/v1/events?{query}")).Json["data"]!.AsArray().Select(e => e!["type"]!.GetValue<string>())];

        Assert.Equal(["charge.declined", "charge.captured"], await TypesAsync(""));
        Assert.Equal(["charge.declined"], await TypesAsync("type=charge.declined"));
        Assert.Equal(["charge.captured"], await TypesAsync($"object={captured.Text("id")}"));
        Assert.Equal(["charge.declined"], await TypesAsync($"created[gte]={Uri.EscapeDataString(declined.Text("created_at"))}"));
        Assert.Equal(["charge.captured"], await TypesAsync($"created[lt]={Uri.EscapeDataString(declined.Text("created_at"))}&type=charge.captured"));
        Assert.Empty(await TypesAsync($"created[lt]={DateTimeOffset.UnixEpoch.AddYears(40).ToString("O", CultureInfo.InvariantCulture).Replace("+", "%2B", StringComparison.Ordinal)}"));
    }

    private static async Task<Answer> CreateAsync(TestMerchant merchant, long amount, string customer, string token = "tok_visa", string currency = "EUR")
    {
        var charge = await merchant.PostAsync("/v1/charges", new { amount, currency, customer, payment_method = token });
        Assert.Equal(201, charge.Status);
        return charge;
    }
}
