using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Payments.Kit;

namespace Payments.Functions.Tests;

/// <summary>Nothing of a merchant's test account can be seen or moved with a live key, nor the other way round: every operation of the
/// contract is tried.</summary>
public sealed partial class ModeTests(RunningApp app)
{
    private enum Expect
    {
        /// <summary>The other account's object is not there.</summary>
        NotFound,

        /// <summary>The answer is about the key's own account: nothing of the other stands in it.</summary>
        Own,

        /// <summary>No merchant's key may call it.</summary>
        Platform,

        /// <summary>It is called without a merchant's key.</summary>
        Outside,
    }

    private sealed record Try(Expect Expect, string? Of = null, object? Body = null, string Query = "");

    // What stands in {id} is of the other account. Bodies name the other account's objects where they name any.
    private static readonly Dictionary<string, Try> Operations = new(StringComparer.Ordinal)
    {
        ["POST /v1/merchants"] = new(Expect.Platform, Body: new { }),
        ["GET /v1/merchants"] = new(Expect.Platform),
        ["GET /v1/merchants/{id}"] = new(Expect.NotFound, "account"),
        ["POST /v1/merchants/{id}/api_keys"] = new(Expect.Platform, "account", new { }),
        ["GET /v1/merchants/{id}/api_keys"] = new(Expect.Platform, "account"),
        ["DELETE /v1/merchants/{id}/api_keys/{key}"] = new(Expect.Platform, "account"),
        ["GET /v1/merchants/{id}/fee_plan"] = new(Expect.NotFound, "account"),
        ["PUT /v1/merchants/{id}/fee_plan"] = new(Expect.Platform, "account", new { }),
        ["GET /v1/fees/quote"] = new(Expect.Own, Query: "?amount=1000&currency=EUR"),
        ["PUT /v1/merchants/{id}/providers/{provider}"] = new(Expect.Platform, "account", new { }),
        ["GET /v1/merchants/{id}/providers/{provider}"] = new(Expect.Platform, "account"),
        ["DELETE /v1/merchants/{id}/providers/{provider}"] = new(Expect.Platform, "account"),
        ["PUT /v1/merchants/{id}/routing"] = new(Expect.Platform, "account", new { }),
        ["GET /v1/merchants/{id}/routing"] = new(Expect.Platform, "account"),
        ["POST /v1/charges"] = new(Expect.Own, Body: new { amount = 500, currency = "EUR", payment_method = "tok_visa" }),
        ["GET /v1/charges"] = new(Expect.Own, Query: "?limit=100"),
        ["GET /v1/charges/{id}"] = new(Expect.NotFound, "charge"),
        ["GET /v1/charges/{id}/attempts"] = new(Expect.NotFound, "charge"),
        ["POST /v1/charges/{id}/capture"] = new(Expect.NotFound, "held", new { }),
        ["POST /v1/charges/{id}/cancel"] = new(Expect.NotFound, "held", new { }),
        ["POST /v1/charges/{id}/complete"] = new(Expect.NotFound, "held", new { }),
        ["POST /v1/refunds"] = new(Expect.NotFound, Body: "refund"),
        ["GET /v1/refunds"] = new(Expect.Own, Query: "?limit=100"),
        ["GET /v1/refunds/{id}"] = new(Expect.NotFound, "refund"),
        ["GET /v1/balance"] = new(Expect.Own),
        ["GET /v1/disputes"] = new(Expect.Own, Query: "?limit=100"),
        ["POST /v1/disputes/import"] = new(Expect.Platform, Body: new { }),
        ["GET /v1/disputes/{id}"] = new(Expect.NotFound, "dispute"),
        ["GET /v1/disputes/{id}/updates"] = new(Expect.NotFound, "dispute"),
        ["GET /v1/disputes/{id}/evidence"] = new(Expect.NotFound, "dispute"),
        ["PUT /v1/disputes/{id}/evidence"] = new(Expect.NotFound, "dispute", new { text = "Not mine." }),
        ["PUT /v1/disputes/{id}/evidence/files"] = new(Expect.NotFound, "dispute", "%PDF-1.7 a receipt",
            "?purpose=receipt&name=receipt.pdf"),
        ["DELETE /v1/disputes/{id}/evidence/files/{hash}"] = new(Expect.NotFound, "dispute"),
        ["GET /v1/disputes/{id}/evidence/suggestion"] = new(Expect.NotFound, "dispute"),
        ["POST /v1/disputes/{id}/submit"] = new(Expect.NotFound, "dispute", new { }),
        ["POST /v1/disputes/{id}/accept"] = new(Expect.NotFound, "dispute", new { }),
        ["GET /v1/dispute_settings"] = new(Expect.Own),
        ["PUT /v1/dispute_settings/{currency}"] = new(Expect.Own, Body: new { refund_early_warnings_up_to = 77 }),
        ["GET /v1/unmatched_dispute_updates"] = new(Expect.Platform),
        ["GET /v1/dispute_files"] = new(Expect.Platform),
        ["GET /v1/dispute_files/{partner}/{hash}"] = new(Expect.Platform),
        ["GET /v1/dispute_files/{partner}/{hash}/rejects"] = new(Expect.Platform),
        ["GET /v1/balance_transactions"] = new(Expect.Own, Query: "?limit=100"),
        ["GET /v1/balance_transactions/{id}"] = new(Expect.NotFound, "transaction"),
        ["POST /v1/payouts"] = new(Expect.Own, Body: new { currency = "EUR" }),
        ["GET /v1/payouts"] = new(Expect.Own, Query: "?limit=100"),
        ["GET /v1/payouts/preview"] = new(Expect.Own, Query: "?currency=EUR"),
        ["GET /v1/payouts/{id}"] = new(Expect.NotFound, "payout"),
        ["POST /v1/payouts/{id}/cancel"] = new(Expect.NotFound, "payout", new { }),
        ["GET /v1/payouts/{id}/balance_transactions"] = new(Expect.NotFound, "payout"),
        ["GET /v1/payouts/{id}/balance_transactions.csv"] = new(Expect.NotFound, "payout"),
        ["GET /v1/payout_settings"] = new(Expect.Own),
        ["PUT /v1/payout_settings/{currency}"] = new(Expect.Own, Body: new { schedule = new { interval = "manual" } }),
        ["PUT /v1/payout_settings/{currency}/bank_account"] = new(
            Expect.Own, Body: new { type = "iban", holder_name = "The other account", iban = "DE41370400440000000001" }),
        ["POST /v1/payout_settings/{currency}/bank_account/check"] = new(Expect.Own, Body: new { }),
        ["POST /v1/payout_settings/{currency}/bank_account/verify"] = new(Expect.Platform, Body: new { }),
        ["POST /v1/payout_settings/{currency}/hold"] = new(Expect.Platform, Body: new { reason = "A look." }),
        ["POST /v1/payout_settings/{currency}/release"] = new(Expect.Platform, Body: new { }),
        ["POST /v1/payout_runs"] = new(Expect.Platform, Body: new { currency = "EUR" }),
        ["GET /v1/payout_runs"] = new(Expect.Platform),
        ["GET /v1/payout_runs/preview"] = new(Expect.Platform, Query: "?currency=EUR"),
        ["GET /v1/payout_previews"] = new(Expect.Platform, Query: "?currency=EUR"),
        ["GET /v1/payout_runs/{id}/files"] = new(Expect.Platform, "payout"),
        ["GET /v1/payout_runs/{id}/files/{number}"] = new(Expect.Platform, "payout"),
        ["POST /v1/bank_reports"] = new(Expect.Platform, Body: new { }),
        ["GET /v1/unmatched_bank_items"] = new(Expect.Platform),
        ["GET /v1/unmatched_bank_items/{id}"] = new(Expect.Platform, "payout"),
        ["POST /v1/unmatched_bank_items/{id}/acknowledge"] = new(Expect.Platform, "payout", new { }),
        ["GET /v1/events"] = new(Expect.Own, Query: "?limit=100"),
        ["GET /v1/events/{id}"] = new(Expect.NotFound, "event"),
        ["POST /v1/webhook_endpoints"] = new(Expect.Own, Body: new
        {
            url = "https://shop.example.com/hooks",
            event_types = new[] { "payout.failed" }
        }),
        ["GET /v1/webhook_endpoints"] = new(Expect.Own, Query: "?limit=100"),
        ["GET /v1/webhook_endpoints/{id}"] = new(Expect.NotFound, "endpoint"),
        ["PATCH /v1/webhook_endpoints/{id}"] = new(Expect.NotFound, "endpoint", new { status = "disabled" }),
        ["DELETE /v1/webhook_endpoints/{id}"] = new(Expect.NotFound, "endpoint"),
        ["POST /v1/webhook_endpoints/{id}/rotate_secret"] = new(Expect.NotFound, "endpoint", new { }),
        ["POST /v1/webhook_endpoints/{id}/test"] = new(Expect.NotFound, "endpoint", new { }),
        ["GET /v1/webhook_endpoints/{id}/deliveries"] = new(Expect.Own, "endpoint"),
        ["POST /v1/webhook_endpoints/{id}/resend"] = new(Expect.NotFound, "endpoint",
            new { from = "2026-01-01T00:00:00Z", to = "2036-01-01T00:00:00Z", include_delivered = true }),
        ["GET /v1/webhook_deliveries/{id}/attempts"] = new(Expect.Own, "delivery"),
        ["POST /v1/webhook_deliveries/{id}/resend"] = new(Expect.NotFound, "delivery", new { }),
        ["GET /v1/attempts"] = new(Expect.Platform),
        ["GET /v1/attempts/{reference}"] = new(Expect.Platform),
        ["POST /v1/attempts/{reference}/settle"] = new(Expect.Platform, Body: new { }),
        ["POST /v1/attempts/{reference}/acknowledge"] = new(Expect.Platform, Body: new { }),
        ["GET /v1/provider_events"] = new(Expect.Platform),
        ["GET /v1/provider_events/{id}"] = new(Expect.Platform, "charge"),
        ["POST /v1/provider_events/{id}/replay"] = new(Expect.Platform, "charge", new { }),
        ["POST /v1/provider_event_replays"] = new(Expect.Platform, Body: new { }),
        ["GET /v1/dead_letters"] = new(Expect.Platform),
        ["DELETE /v1/dead_letters/{id}"] = new(Expect.Platform, "charge"),
        ["POST /v1/dead_letters/{id}/replay"] = new(Expect.Platform, "charge", new { }),
        ["POST /v1/dead_letter_replays"] = new(Expect.Platform, Body: new { }),
        ["POST /v1/redactions"] = new(Expect.NotFound, Body: "redaction"),
        ["GET /v1/audit_log"] = new(Expect.Own, Query: "?limit=100"),
        ["GET /v1/ledger/accounts"] = new(Expect.Platform),
        ["GET /v1/ledger/statement"] = new(Expect.Platform),
        ["GET /v1/ledger/seals"] = new(Expect.Platform),
        ["GET /v1/ledger/trial_balance"] = new(Expect.Platform),
        ["GET /v1/ledger/journals/{key}"] = new(Expect.Platform),
        ["POST /webhooks/{provider}"] = new(Expect.Outside),
        ["GET /health/live"] = new(Expect.Outside),
        ["GET /health/ready"] = new(Expect.Outside),
    };

    [Theory]
    [InlineData("live", "test")]
    [InlineData("test", "live")]
    public async Task Operation_WithAKeyOfTheOtherMode_SeesAndMovesNothing(string of, string by)
    {
        var owner = await app.CreateMerchantAsync(mode: of);
        var ids = await FillAsync(owner);
        var key = await app.PostAsync($"/v1/merchants/{owner.LiveId}/api_keys", app.PlatformKey, new { mode = by });
        var other = owner with { Id = key.Text("merchant"), Key = key.Text("secret") };
        var before = await SnapshotAsync(owner, ids);

        foreach (var (operation, attempt) in Operations.Where(pair => pair.Value.Expect != Expect.Outside))
        {
            var answer = await SendAsync(other, operation, attempt, ids);

            Assert.True(attempt.Expect switch
            {
                Expect.NotFound => answer.Status == 404,
                Expect.Platform => answer.Status == 403,
                _ => answer.Status < 500,
            }, $"{operation}: {answer.Status} {answer.Body}");
            foreach (var (name, id) in ids.Where(pair => attempt.Expect == Expect.Own && pair.Key != attempt.Of))
                Assert.False(answer.Body.Contains(id, StringComparison.Ordinal),
                    $"{operation} shows the {name} {id} of the other account: {answer.Body}");
        }

        foreach (var query in (string[])[
            $"/v1/refunds?charge={ids["charge"]}", $"/v1/disputes?charge={ids["charge"]}", $"/v1/events?object={ids["charge"]}",
            $"/v1/balance_transactions?source={ids["charge"]}", $"/v1/audit_log?object={ids["endpoint"]}",
            $"/v1/audit_log?merchant={ids["account"]}"])
        {
            var answer = await other.GetAsync(query);
            Assert.True(
                answer.Status is 404 or 400 || answer.Json["data"]!.AsArray().All(item => !Names(item!, ids)), $"{query}: {answer.Body}");
        }

        Assert.Equal(before, await SnapshotAsync(owner, ids));

        static bool Names(JsonNode item, Dictionary<string, string> ids) =>
            ids.Values.Any(id => item.ToJsonString().Contains(id, StringComparison.Ordinal));
    }

    [Fact]
    public void Operation_OfTheContract_IsTriedInTheOtherMode()
    {
        var path = "";
        var contract = new List<string>();
        foreach (var line in File.ReadLines(Path.Combine(Repository.Root, "docs", "openapi.yaml")))
        {
            if (PathLine().Match(line) is { Success: true } found)
                path = found.Groups[1].Value;
            else if (MethodLine().Match(line) is { Success: true } method)
                contract.Add($"{method.Groups[1].Value.ToUpperInvariant()} {path}");
        }

        Assert.Equal(contract.Order(StringComparer.Ordinal), Operations.Keys.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task CreateMerchant_MakesALiveAndATestAccount()
    {
        var live = await app.PostAsync("/v1/merchants", app.PlatformKey,
            new { name = "Two accounts", country = "DE", payout_delay_days = 3 });
        var test = await app.GetAsync($"/v1/merchants/{live.Text("test_account")}", app.PlatformKey);

        Assert.Equal(("live", "test"), (live.Text("mode"), test.Text("mode")));
        Assert.Equal(("Two accounts", "DE", 3L), (test.Text("name"), test.Text("country"), test.Number("payout_delay_days")));
        Assert.Null(test.Json["test_account"]);
        Assert.Contains(live.Text("id"), (await app.GetAsync("/v1/merchants?limit=100", app.PlatformKey)).Body, StringComparison.Ordinal);
        Assert.DoesNotContain(test.Text("id"), (await app.GetAsync("/v1/merchants?limit=100",
            app.PlatformKey)).Json["data"]!.AsArray().Select(item => item!["id"]!.GetValue<string>()));
        Assert.Contains(test.Text("id"), (await app.GetAsync("/v1/merchants?limit=100&mode=test", app.PlatformKey)).Body,
            StringComparison.Ordinal);
        Assert.Equal((400, "mode"), await app.GetAsync("/v1/merchants?mode=sandbox", app.PlatformKey) is var refused ? (refused.Status,
            refused.Param) : default);
    }

    [Fact]
    public async Task CreateApiKey_OfATestAccount_IsNeverLive()
    {
        var merchant = await app.CreateMerchantAsync();

        var refused = await app.PostAsync($"/v1/merchants/{merchant.Id}/api_keys", app.PlatformKey, new { mode = "live" });
        var live = await app.PostAsync($"/v1/merchants/{merchant.LiveId}/api_keys", app.PlatformKey, new { mode = "live" });

        Assert.Equal((400, "mode"), (refused.Status, refused.Param));
        Assert.Equal(merchant.LiveId, live.Text("merchant"));
    }

    /// <summary>USD goes to the bank by file here. A test payout never does, and a live run does not see it.</summary>
    [Fact]
    public async Task PayoutRun_OfTestAccounts_NeverWritesABankFile()
    {
        var merchant = await app.CreateMerchantAsync(mode: "test");
        var account = new
        {
            type = "us",
            holder_name = "Test Merchant",
            routing_number = "021000021",
            account_number = "123456780",
            verified = true
        };
        Assert.Equal(200, (await app.SendAsync(HttpMethod.Put, "/v1/payout_settings/USD/bank_account", app.PlatformKey, account, null,
            ("On-Behalf-Of", merchant.Id))).Status);
        Assert.Equal(201, (await merchant.ChargeAsync(10_000, "USD")).Status);
        var date = new DateOnly(1900, 1, 1).AddDays(Random.Shared.Next(30_000)).ToString("O", CultureInfo.InvariantCulture);

        var live = await app.PostAsync("/v1/payout_runs", app.PlatformKey, new { currency = "USD", date });
        var afterLive = (await merchant.GetAsync("/v1/payouts")).Json["data"]!.AsArray().Count;
        var test = await app.PostAsync("/v1/payout_runs", app.PlatformKey, new { currency = "USD", date, mode = "test" });
        Assert.Single((await merchant.GetAsync("/v1/payouts")).Json["data"]!.AsArray());

        Assert.Equal((200, "live", "file", 0), (live.Status, live.Text("mode"), live.Text("rail"), afterLive));
        Assert.Equal((200, "test", "sandbox"), (test.Status, test.Text("mode"), test.Text("rail")));
        Assert.Empty((await app.GetAsync($"/v1/payout_runs/{test.Text("id")}/files", app.PlatformKey)).Json["data"]!.AsArray());
        Assert.DoesNotContain(test.Text("id"), (await app.GetAsync("/v1/payout_runs", app.PlatformKey)).Body, StringComparison.Ordinal);
        Assert.Contains(test.Text("id"), (await app.GetAsync("/v1/payout_runs?mode=test", app.PlatformKey)).Body, StringComparison.Ordinal);
    }

    /// <summary>A bank's file names the id of a test payout: it stays as it is, and a person is told.</summary>
    [Fact]
    public async Task BankReport_NamingATestPayout_ChangesNothing()
    {
        var merchant = await app.CreateMerchantAsync();
        var ids = await FillAsync(merchant);
        var before = await merchant.GetAsync($"/v1/payouts/{ids["payout"]}");
        var reference = ids["payout"].Replace("po_", "PO", StringComparison.Ordinal);
        var report = $"""
            <Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt>
            <GrpHdr><MsgId>{reference[..20]}</MsgId></GrpHdr>
            <OrgnlPmtInfAndSts><OrgnlPmtInfId>x</OrgnlPmtInfId>
            <TxInfAndSts><OrgnlEndToEndId>{reference}</OrgnlEndToEndId><TxSts>RJCT</TxSts></TxInfAndSts></OrgnlPmtInfAndSts>
            </CstmrPmtStsRpt></Document>
            """;

        var taken = await app.PostAsync("/v1/bank_reports?name=wrong-mode", app.PlatformKey, report);

        Assert.Equal((200, 0L, 1L), (taken.Status, taken.Number("applied"), taken.Number("unmatched")));
        Assert.NotEqual("failed", (await merchant.GetAsync($"/v1/payouts/{ids["payout"]}")).Text("status"));
        Assert.Equal(before.Number("amount"), (await merchant.GetAsync($"/v1/payouts/{ids["payout"]}")).Number("amount"));
    }

    [Fact]
    public async Task PlatformAccount_OfAMode_HasOnlyItsMoney()
    {
        var merchant = await app.CreateMerchantAsync();
        await merchant.ChargeAsync(10_000, "SEK");

        // Other tests charge in SEK too, with other accounts.
        var test = await app.GetAsync("/v1/ledger/statement?account=platform/fees&currency=SEK&mode=test&limit=100", app.PlatformKey);
        var live = await app.GetAsync("/v1/ledger/statement?account=platform/fees&currency=SEK&limit=100", app.PlatformKey);
        var trial = await app.GetAsync("/v1/ledger/trial_balance?mode=test", app.PlatformKey);

        Assert.Contains(merchant.Id, test.Body, StringComparison.Ordinal);
        Assert.DoesNotContain(merchant.Id, live.Body, StringComparison.Ordinal);
        Assert.True(trial.Json["balanced"]!.GetValue<bool>());
    }

    /// <summary>One object of every kind in the account; answers their ids by name.</summary>
    private async Task<Dictionary<string, string>> FillAsync(TestMerchant merchant)
    {
        var behalf = ("On-Behalf-Of", merchant.Id);
        var endpoint = await app.SendAsync(
            HttpMethod.Post, "/v1/webhook_endpoints", app.PlatformKey,
                new { url = "http://127.0.0.1:9/hooks", event_types = new[] { "*" } }, RunningApp.NewKey(), behalf);
        var account = new { type = "iban", holder_name = "Test Händler", iban = "DE89370400440532013000", verified = true };
        Assert.Equal(200, (await app.SendAsync(HttpMethod.Put, "/v1/payout_settings/EUR/bank_account", app.PlatformKey, account, null,
            behalf)).Status);
        var charge = await merchant.ChargeAsync(10_000);
        var held = await merchant.AuthorizeAsync();
        var refund = await merchant.RefundAsync(charge.Text("id"), 1_000);
        var payout = await merchant.PostAsync("/v1/payouts", new { currency = "EUR", amount = 2_000 });
        Assert.Equal(201, payout.Status);
        var disputed = await merchant.ChargeAsync(5_000);
        await app.AcquirerAsync(HttpMethod.Post, "/control/disputes",
            new { payment_id = disputed.Text("provider_reference"), stage = "chargeback", reason_code = "10.4" });
        var dispute = await RunningApp.EventuallyAsync(
            () => merchant.GetAsync($"/v1/disputes?charge={disputed.Text("id")}"), list => list.Json["data"]!.AsArray().Count == 1,
                "the provider's dispute is here");
        var events = await merchant.GetAsync($"/v1/events?object={charge.Text("id")}");
        var transactions = await merchant.GetAsync("/v1/balance_transactions?limit=1");
        var deliveries = await RunningApp.EventuallyAsync(
            () => merchant.GetAsync($"/v1/webhook_endpoints/{endpoint.Text("id")}/deliveries"),
                list => list.Json["data"]!.AsArray().Count > 0, "an event is on its way");
        return new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["account"] = merchant.Id,
            ["charge"] = charge.Text("id"),
            ["held"] = held.Text("id"),
            ["refund"] = refund.Text("id"),
            ["payout"] = payout.Text("id"),
            ["dispute"] = First(dispute),
            ["event"] = First(events),
            ["transaction"] = First(transactions),
            ["endpoint"] = endpoint.Text("id"),
            ["delivery"] = First(deliveries),
        };

        static string First(Answer list) => list.Json["data"]![0]!["id"]!.GetValue<string>();
    }

    /// <summary>How the account stands, without what goes on by itself: payouts on their way, and deliveries.</summary>
    private static async Task<string> SnapshotAsync(TestMerchant merchant, Dictionary<string, string> ids)
    {
        var text = new List<string>();
        foreach (var path in (string[])[
            $"/v1/charges/{ids["charge"]}", $"/v1/charges/{ids["held"]}", $"/v1/refunds/{ids["refund"]}", $"/v1/disputes/{ids["dispute"]}",
            $"/v1/disputes/{ids["dispute"]}/evidence", "/v1/payout_settings", "/v1/dispute_settings", "/v1/webhook_endpoints",
                "/v1/charges?limit=100", "/v1/refunds?limit=100"])
        {
            var answer = await merchant.GetAsync(path);
            Assert.Equal(200, answer.Status);
            text.Add(answer.Body);
        }

        text.Add((await merchant.GetAsync("/v1/payouts")).Json["data"]!.AsArray().Count.ToString(CultureInfo.InvariantCulture));
        return string.Join('\n', text);
    }

    private Task<Answer> SendAsync(TestMerchant by, string operation, Try attempt, Dictionary<string, string> ids)
    {
        var (method, path) = operation.Split(' ') is [var verb, var route] ? (new HttpMethod(verb), route) : default;
        var other = attempt.Of is { } name ? ids[name] : "none";
        path = path
            .Replace("{id}", other, StringComparison.Ordinal)
            .Replace("{currency}", "EUR", StringComparison.Ordinal)
            .Replace("{provider}", "sandbox", StringComparison.Ordinal)
            .Replace("{hash}", new string('a', 64), StringComparison.Ordinal);
        path = Placeholder().Replace(path, "none");
        var body = attempt.Body switch
        {
            "refund" => new { charge = ids["charge"], amount = 100 },
            "redaction" => new { charge = ids["charge"] },
            var given => given,
        };
        return app.SendAsync(method, path + attempt.Query, by.Key, body,
            body is null || method != HttpMethod.Post ? null : RunningApp.NewKey());
    }

    [GeneratedRegex(@"^  (/\S+):")]
    private static partial Regex PathLine();

    [GeneratedRegex("^    (get|post|put|patch|delete):")]
    private static partial Regex MethodLine();

    [GeneratedRegex(@"\{\w+\}")]
    private static partial Regex Placeholder();
}
