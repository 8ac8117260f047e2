using System.Globalization;
using System.Text.Json.Nodes;

namespace Payments.Functions.Tests;

/// <summary>Payouts from the charge to the bank's word, as a merchant and an operator see them.</summary>
public sealed class PayoutTests(RunningApp app)
{
    [Fact]
    public async Task Run_ReleasedFunds_ArePaidListedAndConfirmed()
    {
        var merchant = await PaidMerchantAsync("DE89370400440532013000");
        await merchant.ChargeAsync(10_000);
        await merchant.ChargeAsync(5_000);

        var payout = await RunUntilPaidOutAsync(merchant);
        Assert.Equal(15_000 - 320 - 175, payout.Number("amount"));
        Assert.True(payout.Json["automatic"]!.GetValue<bool>());

        var lines = await merchant.GetAsync($"/v1/payouts/{payout.Text("id")}/balance_transactions");
        Assert.Equal(["charge", "charge", "payout"], Data(lines).Select(l => l["type"]!.GetValue<string>()).Order());
        Assert.Equal(0, Data(lines).Sum(l => l["net"]!.GetValue<long>()));

        var paid = await EventuallyAsync(merchant, payout.Text("id"), "paid");
        Assert.NotNull(paid.Json["provider_reference"]);
        Assert.Equal((0, 0, 0, 0), await merchant.BalanceAsync());
    }

    [Fact]
    public async Task Run_BankClosesTheAccount_GivesTheMoneyBackAndSaysWhy()
    {
        // The sandbox bank fails payouts to accounts that end in 0001.
        var merchant = await PaidMerchantAsync("DE41370400440000000001");
        await merchant.ChargeAsync(10_000);
        var payout = await RunUntilPaidOutAsync(merchant);

        var failed = await EventuallyAsync(merchant, payout.Text("id"), "failed");
        Assert.Equal("account_closed", failed.Text("failure_code"));
        Assert.Equal((0, 9_680, 0, 0), await merchant.BalanceAsync());
        var preview = await merchant.GetAsync("/v1/payouts/preview?currency=EUR");
        Assert.Equal(("bank_account_errored", 9_680L), (preview.Text("reason"), preview.Number("available")));
    }

    [Fact]
    public async Task Run_HeldMerchant_WaitsAndThePreviewSaysWhy()
    {
        var merchant = await PaidMerchantAsync("DE89370400440532013000");
        await merchant.ChargeAsync(10_000);
        var held = await PlatformAsync(merchant, HttpMethod.Post, "/v1/payout_settings/EUR/hold", new { reason = "A look is needed." });
        Assert.Equal(200, held.Status);

        await RunAsync();
        Assert.Empty(Data(await merchant.GetAsync("/v1/payouts")));
        var preview = await merchant.GetAsync("/v1/payouts/preview?currency=EUR");
        Assert.Equal(("held", "A look is needed."), (preview.Text("reason"), preview.Text("hold_reason")));

        Assert.Equal(200, (await PlatformAsync(merchant, HttpMethod.Post, "/v1/payout_settings/EUR/release", new { })).Status);
        Assert.Equal(9_680, (await RunUntilPaidOutAsync(merchant)).Number("amount"));
    }

    [Fact]
    public async Task Charge_CurrencyWithItsOwnDelay_StaysPending()
    {
        var merchant = await PaidMerchantAsync("DE89370400440532013000");
        Assert.Equal(200, (await PlatformAsync(merchant, HttpMethod.Put, "/v1/payout_settings/EUR", new { delay_days = 5 })).Status);
        await merchant.ChargeAsync(10_000);

        await RunAsync();
        var preview = await merchant.GetAsync("/v1/payouts/preview?currency=EUR");
        Assert.Equal(("nothing_available", 0L, 9_680L), (preview.Text("reason"), preview.Number("available"), preview.Number("pending")));
    }

    [Fact]
    public async Task CreatePayout_SameKey_PaysOnceAndNeverMoreThanThereIs()
    {
        var merchant = await PaidMerchantAsync("DE89370400440532013000");
        await PlatformAsync(merchant, HttpMethod.Put, "/v1/payout_settings/EUR", new { schedule = new { interval = "manual" } });
        await merchant.ChargeAsync(10_000);
        await RunAsync();
        var key = RunningApp.NewKey();
        var first = await merchant.PostAsync("/v1/payouts", new { amount = 1_000, currency = "EUR" }, key);
        var again = await merchant.PostAsync("/v1/payouts", new { amount = 1_000, currency = "EUR" }, key);
        Assert.Equal((201, first.Body, "true"), (again.Status, again.Body, again.Headers["Idempotent-Replayed"]));
        Assert.Equal((422, "amount_too_large"), await merchant.PostAsync("/v1/payouts", new { amount = 8_681, currency = "EUR" }) is var tooMuch ? (tooMuch.Status, tooMuch.Code) : default);
        Assert.Equal(8_680, (await merchant.BalanceAsync()).Available);
    }

    [Theory]
    [InlineData("iban", "DE88370400440532013000", "iban")]
    [InlineData("us", null, "type")]
    public async Task SetBankAccount_BadDetails_NamesTheParameter(string type, string? iban, string param)
    {
        var merchant = await app.CreateMerchantAsync();
        var refused = await app.SendAsync(HttpMethod.Put, "/v1/payout_settings/EUR/bank_account", merchant.Key, new { type, holder_name = "A", iban });
        Assert.Equal((400, "parameter_invalid", param), (refused.Status, refused.Code, refused.Param));
    }

    [Fact]
    public async Task Settings_OfTheMerchantsOwnKey_CannotVerifyHoldOrRun()
    {
        var merchant = await app.CreateMerchantAsync();
        var verified = await app.SendAsync(
            HttpMethod.Put, "/v1/payout_settings/EUR/bank_account", merchant.Key, new { type = "iban", holder_name = "A", iban = "DE89370400440532013000", verified = true });
        Assert.Equal((403, "forbidden"), (verified.Status, verified.Code));
        Assert.Equal(403, (await merchant.PostAsync("/v1/payout_settings/EUR/hold", new { reason = "x" })).Status);
        Assert.Equal(403, (await merchant.PostAsync("/v1/payout_runs", new { currency = "EUR" })).Status);
        Assert.Equal(403, (await merchant.PostAsync("/v1/bank_reports", new { })).Status);
    }

    [Fact]
    public async Task ReceiveBankReport_NoReport_IsRefused()
    {
        var refused = await app.PostAsync("/v1/bank_reports", app.PlatformKey, new { hello = "world" });
        Assert.Equal((400, "body_malformed"), (refused.Status, refused.Code));
    }

    private async Task<TestMerchant> PaidMerchantAsync(string iban)
    {
        var merchant = await app.CreateMerchantAsync();
        var account = await PlatformAsync(merchant, HttpMethod.Put, "/v1/payout_settings/EUR/bank_account", new { type = "iban", holder_name = "Test Händler", iban, verified = true });
        Assert.Equal(200, account.Status);
        return merchant;
    }

    private Task<Answer> PlatformAsync(TestMerchant merchant, HttpMethod method, string path, object body) =>
        app.SendAsync(method, path, app.PlatformKey, body, null, ("On-Behalf-Of", merchant.Id));

    // There is one run for each date: each test takes a date of a time that was never run.
    private async Task RunAsync()
    {
        var date = new DateOnly(1900, 1, 1).AddDays(Random.Shared.Next(30_000));
        var run = await app.PostAsync("/v1/payout_runs", app.PlatformKey, new { currency = "EUR", date = date.ToString("O", CultureInfo.InvariantCulture) });
        Assert.Equal((200, "submitted"), (run.Status, run.Text("status")));
    }

    private async Task<Answer> RunUntilPaidOutAsync(TestMerchant merchant)
    {
        await RunAsync();
        var payouts = Data(await merchant.GetAsync("/v1/payouts"));
        return await merchant.GetAsync($"/v1/payouts/{Assert.Single(payouts)["id"]!.GetValue<string>()}");
    }

    private static Task<Answer> EventuallyAsync(TestMerchant merchant, string payout, string status) => RunningApp.EventuallyAsync(
        () => merchant.GetAsync($"/v1/payouts/{payout}"), answer => answer.Text("status") == status, $"the payout is {status}");

    private static IReadOnlyList<JsonNode> Data(Answer answer) => [.. answer.Json["data"]!.AsArray().Select(node => node!)];
}
