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
    public async Task Preview_BeforeABankAccountExists_ShowsTheBalance()
    {
        var merchant = await app.CreateMerchantAsync(mode: "live");
        await merchant.ChargeAsync(10_000);
        var preview = await merchant.GetAsync("/v1/payouts/preview?currency=EUR");
        Assert.Equal(("no_bank_account", 9_680L, 0L, 9_680L),
            (preview.Text("reason"), preview.Number("available"), preview.Number("amount"), preview.Number("carried_over")));
        Assert.Equal((400, "date"), await merchant.GetAsync("/v1/payouts/preview?currency=EUR&date=tomorrow") is var refused
            ? (refused.Status, refused.Param) : default);
    }

    [Fact]
    public async Task PreviewRun_Merchants_AreInTheSumsAndInTheList()
    {
        var merchant = await PaidMerchantAsync("DE89370400440532013000");
        Assert.Equal(200, (await PlatformAsync(merchant, HttpMethod.Put, "/v1/payout_settings/EUR", new { delay_days = 60 })).Status);
        await merchant.ChargeAsync(10_000);
        var run = await app.GetAsync("/v1/payout_runs/preview?currency=EUR", app.PlatformKey);
        Assert.Equal((200, "payout_run_preview"), (run.Status, run.Text("object")));
        Assert.Equal(run.Number("considered") - run.Number("payouts"),
            run.Json["unpaid"]!.AsArray().Sum(u => u!["merchants"]!.GetValue<long>()));

        // Ids are in the order of time: a list that begins behind the merchant that came just before shows this one first.
        JsonNode? own = null;
        for (var after = ""; own is null;)
        {
            var page = await app.GetAsync($"/v1/payout_previews?currency=EUR&limit=100{after}", app.PlatformKey);
            Assert.Equal(200, page.Status);
            own = Data(page).SingleOrDefault(p => p["merchant"]!.GetValue<string>() == merchant.Id);
            after = $"&starting_after={Data(page)[^1]["merchant"]!.GetValue<string>()}";
        }

        Assert.Equal(("nothing_available", run.Text("date")), (own["reason"]!.GetValue<string>(), own["date"]!.GetValue<string>()));
        Assert.Equal(Data(await merchant.GetAsync("/v1/balance_transactions"))[0]["available_on"]!.GetValue<string>(),
            (await merchant.GetAsync("/v1/payouts/preview?currency=EUR")).Text("next_available_on"));
        foreach (var path in (string[])["/v1/payout_runs/preview?currency=EUR", "/v1/payout_previews?currency=EUR"])
        {
            Assert.Equal(403, (await merchant.GetAsync(path)).Status);
            Assert.Equal((400, "currency"), await app.GetAsync(path.Split('?')[0], app.PlatformKey) is var refused
                ? (refused.Status, refused.Param) : default);
        }
    }

    [Theory]
    [InlineData("DE83370400440000000021", "close_match", "Test Händler Ltd", "payee_held")]
    [InlineData("DE56370400440000000022", "no_match", null, "payee_blocked")]
    [InlineData("DE29370400440000000023", "not_possible", null, null)]
    public async Task SetBankAccount_BankKnowsTheHolder_IsToldAndDecides(string iban, string result, string? name, string? reason)
    {
        var merchant = await PaidMerchantAsync(iban);
        await merchant.ChargeAsync(10_000);
        var check = Data(await merchant.GetAsync("/v1/payout_settings"))[0]["bank_account"]!["payee_check"]!;
        Assert.Equal((result, name), (check["result"]!.GetValue<string>(), check["suggested_name"]?.GetValue<string>()));
        Assert.Equal(reason, (await merchant.GetAsync("/v1/payouts/preview?currency=EUR")).Json["reason"]?.GetValue<string>());
        if (reason == "payee_held")
        {
            Assert.Equal(409, (await merchant.PostAsync("/v1/payouts", new { currency = "EUR" })).Status);
            Assert.Equal(200, (await PlatformAsync(merchant, HttpMethod.Post, "/v1/payout_settings/EUR/bank_account/verify",
                new { })).Status);
            Assert.Null((await merchant.GetAsync("/v1/payouts/preview?currency=EUR")).Json["reason"]);
            var again = await merchant.PostAsync("/v1/payout_settings/EUR/bank_account/check", new { });
            Assert.Equal((200, false), (again.Status, again.Json["bank_account"]!["payee_check"]!["accepted"]!.GetValue<bool>()));
        }
    }

    [Fact]
    public async Task SetBankAccount_Address_IsShownAndHasATown()
    {
        var merchant = await app.CreateMerchantAsync(mode: "live");
        var address = new { street_name = "Rue du Rhône", building_number = "1", post_code = "1204", town_name = "Genève", country = "CH" };
        var body = new { type = "iban", holder_name = "Test Händler", iban = "CH9300762011623852957", address };
        var set = await PlatformAsync(merchant, HttpMethod.Put, "/v1/payout_settings/EUR/bank_account", body);
        Assert.Equal((200, "Genève"), (set.Status, set.Json["bank_account"]!["address"]!["town_name"]!.GetValue<string>()));
        var lines = new
        {
            type = "iban",
            holder_name = "A",
            iban = "CH9300762011623852957",
            address = new { country = "CH", line1 = "Rue du Rhône 1, 1204 Genève" }
        };
        Assert.Equal((400, "address.town_name"), await PlatformAsync(merchant, HttpMethod.Put, "/v1/payout_settings/EUR/bank_account",
            lines) is var refused ? (refused.Status, refused.Param) : default);
    }

    /// <summary>The sandbox bank takes the payout and its answer is lost (0008), or does not reach the account instantly (0024).</summary>
    [Fact]
    public async Task CreatePayout_Instant_IsPaidOnceOrRefused()
    {
        var merchant = await PaidMerchantAsync("DE46370400440000000008");
        await merchant.ChargeAsync(10_000);
        var instant = await merchant.PostAsync("/v1/payouts", new { amount = 1_000, currency = "EUR", method = "instant" });
        Assert.Equal((201, "instant"), (instant.Status, instant.Text("method")));
        await EventuallyAsync(merchant, instant.Text("id"), "paid");

        var unreachable = await PaidMerchantAsync("DE02370400440000000024");
        await unreachable.ChargeAsync(10_000);
        Assert.Equal((400, "method"), await unreachable.PostAsync("/v1/payouts",
            new { currency = "EUR", method = "instant" }) is var refused ? (refused.Status, refused.Param) : default);
        Assert.Equal(201, (await unreachable.PostAsync("/v1/payouts", new { currency = "EUR" })).Status);
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

    /// <summary>USD goes to the bank by file here: what was written is what can be read, and the bank's returns come back through the API.</summary>
    [Fact]
    public async Task Run_ByFile_WritesTheFileOnceAndTakesTheBanksReturns()
    {
        var merchant = await app.CreateMerchantAsync(mode: "live");
        var number = Random.Shared.Next(10_000_000, 99_999_999).ToString(CultureInfo.InvariantCulture);
        var account = new { type = "us", holder_name = "Test Traders", routing_number = "021000021", account_number = number, verified = true };
        Assert.Equal(200, (await PlatformAsync(merchant, HttpMethod.Put, "/v1/payout_settings/USD/bank_account", account)).Status);
        await merchant.ChargeAsync(10_000, "USD");
        Assert.Equal((400, "parameter_invalid", "method"),
            await merchant.PostAsync("/v1/payouts", new { currency = "CHF", method = "instant" }) is var instant
            ? (instant.Status, instant.Code, instant.Param) : default);

        var run = await RunAsync("USD");
        var payout = await merchant.GetAsync($"/v1/payouts/{Assert.Single(Data(await merchant.GetAsync("/v1/payouts")))["id"]!.GetValue<string>()}");
        Assert.Equal("in_transit", payout.Text("status"));
        Assert.Equal("payout_run.started", Assert.Single(Data(await app.GetAsync($"/v1/audit_log?object_id={run.Text("id")}", app.PlatformKey)))["action"]!.GetValue<string>());
        var files = Data(await app.GetAsync($"/v1/payout_runs/{run.Text("id")}/files", app.PlatformKey));
        var file = Assert.Single(files);
        Assert.Equal(("nacha", true), (file["format"]!.GetValue<string>(), file["uploaded"]!.GetValue<bool>()));
        var address = $"/v1/payout_runs/{run.Text("id")}/files/{file["number"]!.GetValue<int>()}";
        var content = await app.GetAsync(address, app.PlatformKey);
        Assert.Equal(200, content.Status);
        var entry = Assert.Single(content.Body.Split('\n'), line => line.StartsWith('6') && line.Contains($"021000021{number,-17}{payout.Number("amount"):0000000000}", StringComparison.Ordinal));
        Assert.Equal(content.Body, (await app.GetAsync(address, app.PlatformKey)).Body);
        Assert.Equal(403, (await merchant.GetAsync(address)).Status);
        Assert.Equal(404, (await app.GetAsync($"/v1/payout_runs/{run.Text("id")}/files/99", app.PlatformKey)).Status);

        // The bank returns it: closed account. The same file again says nothing new.
        var returns = string.Join('\n',
            "101 091000019 0210000212611231015A094101" + "PAYMENT FUNCTIONS".PadRight(23) + "RETURNING BANK".PadRight(23) + new string(' ', 8),
            "5220" + "PAYMENT FUNCTION".PadRight(36) + "1123456789" + "CCD" + "PAYOUT".PadRight(10) + "261120" + "261123" + "   " + "1" + "02100002" + "0000001",
            $"621{entry[3..12]}{entry[12..29]}{payout.Number("amount"):0000000000}{entry[39..54]}{entry[54..76]}  1021000020000001",
            $"799R02{entry[79..94]}      02100002{"ACCOUNT CLOSED",-44}021000020000001",
            $"8220{2:000000}0002100002{0:000000000000}{payout.Number("amount"):000000000000}1123456789{"",25}02100002{1:0000000}",
            $"9{1:000000}{1:000000}{2:00000000}0002100002{0:000000000000}{payout.Number("amount"):000000000000}{"",39}",
            string.Join('\n', Enumerable.Repeat(new string('9', 94), 4)));
        var first = await app.PostAsync("/v1/bank_reports?name=returns", app.PlatformKey, returns);
        Assert.Equal((200, 1L, 0L, false), (first.Status, first.Number("applied"), first.Number("unmatched"), first.Json["repeated"]!.GetValue<bool>()));
        Assert.True((await app.PostAsync("/v1/bank_reports?name=again", app.PlatformKey, returns)).Json["repeated"]!.GetValue<bool>());
        var returned = await merchant.GetAsync($"/v1/payouts/{payout.Text("id")}");
        Assert.Equal(("returned", "R02"), (returned.Text("status"), returned.Text("failure_code")));
        Assert.Equal("bank_account_errored", (await merchant.GetAsync("/v1/payouts/preview?currency=USD")).Text("reason"));
        Assert.Equal(payout.Number("amount"), (await merchant.BalanceAsync("USD")).Available);
    }

    [Fact]
    public async Task CancelPayout_WaitingForAFile_GivesTheMoneyBackAndIsAudited()
    {
        var merchant = await app.CreateMerchantAsync(mode: "live");
        var account = new { type = "us", holder_name = "Test Traders", routing_number = "021000021", account_number = "87654321", verified = true };
        Assert.Equal(200, (await PlatformAsync(merchant, HttpMethod.Put, "/v1/payout_settings/USD/bank_account", account)).Status);
        var changed = await PlatformAsync(
            merchant, HttpMethod.Put, "/v1/payout_settings/USD",
            new { schedule = new { interval = "monthly", month_day = 31 }, minimum = 100, maximum = 5_000, reserve = new { basis_points = 1_000, days = 30 } });
        Assert.Equal((200, 5_000L, 31L), (changed.Status, changed.Number("maximum"), changed.Json["schedule"]!["month_day"]!.GetValue<long>()));
        Assert.Null((await PlatformAsync(merchant, HttpMethod.Put, "/v1/payout_settings/USD", new { maximum = 0 })).Json["maximum"]);
        Assert.Single(Data(await merchant.GetAsync("/v1/payout_settings")));
        await merchant.ChargeAsync(10_000, "USD");
        await RunAsync("USD");

        var payout = await merchant.PostAsync("/v1/payouts", new { amount = 1_000, currency = "USD" });
        Assert.Equal((201, "pending", false), (payout.Status, payout.Text("status"), payout.Json["automatic"]!.GetValue<bool>()));
        var canceled = await merchant.PostAsync($"/v1/payouts/{payout.Text("id")}/cancel", new { });
        Assert.Equal((200, "canceled"), (canceled.Status, canceled.Text("status")));
        Assert.Equal(409, (await merchant.PostAsync($"/v1/payouts/{payout.Text("id")}/cancel", new { })).Status);
        Assert.Single(Data(await merchant.GetAsync("/v1/payouts?status=canceled")));

        var csv = (await merchant.GetAsync($"/v1/payouts/{payout.Text("id")}/balance_transactions.csv")).Body.Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("id,type,source,currency,amount,fee,net,available_on,created_at", csv[0]);
        Assert.Equal(0, csv[1..].Sum(line => long.Parse(line.Split(',')[6], CultureInfo.InvariantCulture)));

        var audit = Data(await app.GetAsync($"/v1/audit_log?merchant={merchant.Id}", app.PlatformKey)).Where(e => e["object_type"]!.GetValue<string>().StartsWith("payout", StringComparison.Ordinal)).ToList();
        Assert.Equal(
            ["payout.canceled", "payout.created", "payout_settings.settings_changed", "payout_settings.settings_changed", "payout_settings.bank_account_set"],
            audit.Select(e => e["action"]!.GetValue<string>()));
        Assert.StartsWith("platform/", audit[^1]["actor"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.StartsWith("key_", audit[0]["actor"]!.GetValue<string>(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task StartRun_DateToCome_IsRefused()
    {
        var refused = await app.PostAsync("/v1/payout_runs", app.PlatformKey, new { currency = "EUR", date = "2199-01-01" });
        Assert.Equal((400, "parameter_invalid", "date"), (refused.Status, refused.Code, refused.Param));
    }

    [Theory]
    [InlineData("iban", "DE88370400440532013000", "iban")]
    [InlineData("us", null, "type")]
    public async Task SetBankAccount_BadDetails_NamesTheParameter(string type, string? iban, string param)
    {
        var merchant = await app.CreateMerchantAsync(mode: "live");
        var refused = await app.SendAsync(HttpMethod.Put, "/v1/payout_settings/EUR/bank_account", merchant.Key, new { type, holder_name = "A", iban });
        Assert.Equal((400, "parameter_invalid", param), (refused.Status, refused.Code, refused.Param));
    }

    [Fact]
    public async Task Settings_OfTheMerchantsOwnKey_CannotVerifyHoldOrRun()
    {
        var merchant = await app.CreateMerchantAsync(mode: "live");
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

    /// <summary>A word of the bank that nothing can be done with: a person finds it, and says what was done about it, once.</summary>
    [Fact]
    public async Task UnmatchedBankItem_IsListedAndAcknowledged()
    {
        var unknown = $"PO{RunningApp.NewKey()}{RunningApp.NewKey()}"[..34];
        var report = $"""
            <Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt><GrpHdr><MsgId>{unknown[..20]}</MsgId></GrpHdr>
            <OrgnlPmtInfAndSts><OrgnlPmtInfId>x</OrgnlPmtInfId><TxInfAndSts><OrgnlEndToEndId>{unknown}</OrgnlEndToEndId><TxSts>RJCT</TxSts></TxInfAndSts></OrgnlPmtInfAndSts>
            </CstmrPmtStsRpt></Document>
            """;
        var taken = await app.PostAsync("/v1/bank_reports?name=unknown", app.PlatformKey, report);
        Assert.Equal((200, 0L, 1L), (taken.Status, taken.Number("applied"), taken.Number("unmatched")));

        var item = Assert.Single(Data(await app.GetAsync("/v1/unmatched_bank_items?reason=unknown_payout&limit=100", app.PlatformKey)), IsOfTheReport);
        var id = item["id"]!.GetValue<string>();
        Assert.Equal(("unknown", "failed"), (item["file"]!.GetValue<string>(), item["said"]!.GetValue<string>()));
        Assert.Equal(id, (await app.GetAsync($"/v1/unmatched_bank_items/{id}", app.PlatformKey)).Text("id"));

        var merchant = await app.CreateMerchantAsync(mode: "live");
        Assert.Equal(403, (await merchant.GetAsync("/v1/unmatched_bank_items")).Status);
        Assert.Equal(400, (await app.PostAsync($"/v1/unmatched_bank_items/{id}/acknowledge", app.PlatformKey, new { reason = "short" })).Status);
        var reason = new { reason = "A payout of the test environment." };
        var acknowledged = await app.PostAsync($"/v1/unmatched_bank_items/{id}/acknowledge", app.PlatformKey, reason);
        Assert.Equal((200, reason.reason), (acknowledged.Status, acknowledged.Text("acknowledged_reason")));
        Assert.Equal(409, (await app.PostAsync($"/v1/unmatched_bank_items/{id}/acknowledge", app.PlatformKey, reason)).Status);
        Assert.DoesNotContain(Data(await app.GetAsync("/v1/unmatched_bank_items?reason=unknown_payout&limit=100", app.PlatformKey)), IsOfTheReport);

        bool IsOfTheReport(JsonNode each) => each["reference"]!.GetValue<string>().Contains(unknown, StringComparison.Ordinal);
    }

    private async Task<TestMerchant> PaidMerchantAsync(string iban)
    {
        var merchant = await app.CreateMerchantAsync(mode: "live");
        var account = await PlatformAsync(merchant, HttpMethod.Put, "/v1/payout_settings/EUR/bank_account", new { type = "iban", holder_name = "Test Händler", iban, verified = true });
        Assert.Equal(200, account.Status);
        return merchant;
    }

    private Task<Answer> PlatformAsync(TestMerchant merchant, HttpMethod method, string path, object body) =>
        app.SendAsync(method, path, app.PlatformKey, body, null, ("On-Behalf-Of", merchant.Id));

    // There is one run for each date: each test takes a date of a time that was never run.
    private async Task<Answer> RunAsync(string currency = "EUR")
    {
        var date = new DateOnly(1900, 1, 1).AddDays(Random.Shared.Next(30_000));
        var run = await app.PostAsync("/v1/payout_runs", app.PlatformKey, new { currency, date = date.ToString("O", CultureInfo.InvariantCulture) });
        Assert.Equal((200, "submitted"), (run.Status, run.Text("status")));
        return run;
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
