using System.Text.Json.Nodes;

namespace Payments.Functions.Tests;

/// <summary>Amounts that are held first: captured, canceled, expired, and 3-D Secure.</summary>
public sealed class CaptureTests(RunningApp app)
{
    [Fact]
    public async Task Capture_PartsThenAll_AddUpAndEndTheCharge()
    {
        var merchant = await app.CreateMerchantAsync(payoutDelayDays: 5);
        var charge = await merchant.AuthorizeAsync();
        Assert.Equal((201, "authorized", 10_000), (charge.Status, charge.Text("status"), charge.Number("amount_capturable")));
        Assert.Equal(default, await merchant.BalanceAsync());

        var first = await merchant.CaptureAsync(charge.Text("id"), 4_000);
        Assert.Equal((200, "partially_captured", 4_000, 6_000), (first.Status, first.Text("status"), first.Number("amount_captured"), first.Number("amount_capturable")));
        Assert.Equal(("capture", "succeeded", 4_000), Operation(first));
        var second = await merchant.CaptureAsync(charge.Text("id"));

        Assert.Equal((200, "captured", 10_000, 0), (second.Status, second.Text("status"), second.Number("amount_captured"), second.Number("amount_capturable")));
        Assert.Equal(6_000, Operation(second).Amount);

        // Each capture has its fee: 4000 and 6000 at 2.9 % and 30.
        Assert.Equal(350, second.Number("fee"));
        Assert.Equal((9_650, 0, 0, 0), await merchant.BalanceAsync());
        Assert.Equal(10_000, (await app.PaymentAsync(charge))!["captured_amount"]!.GetValue<long>());
        Assert.Equal(["charge.authorized", "charge.captured", "charge.captured"], await merchant.EventsAsync(charge.Text("id")));
    }

    [Fact]
    public async Task Capture_Final_GivesTheRestBack()
    {
        var merchant = await app.CreateMerchantAsync(payoutDelayDays: 5);
        var charge = await merchant.AuthorizeAsync();

        var final = await merchant.CaptureAsync(charge.Text("id"), 4_000, isFinal: true);

        Assert.Equal((200, "captured", 4_000, 6_000), (final.Status, final.Text("status"), final.Number("amount_captured"), final.Number("amount_canceled")));
        var payment = await app.PaymentAsync(charge);
        Assert.Equal((4_000, 6_000), (payment!["captured_amount"]!.GetValue<long>(), payment["canceled_amount"]!.GetValue<long>()));
        var more = await merchant.CaptureAsync(charge.Text("id"), 1);
        Assert.Equal((409, "state_conflict"), (more.Status, more.Code));
    }

    [Theory]
    [InlineData("JPY", 3)]
    [InlineData("KWD", 3)]
    public async Task Capture_AnyExponent_CountsMinorUnits(string currency, long part)
    {
        var merchant = await app.CreateMerchantAsync(payoutDelayDays: 5);
        var charge = await merchant.AuthorizeAsync(1_000, currency);

        await merchant.CaptureAsync(charge.Text("id"), part);
        var rest = await merchant.CancelAsync(charge.Text("id"));

        Assert.Equal((200, "captured", part, 1_000 - part), (rest.Status, rest.Text("status"), rest.Number("amount_captured"), rest.Number("amount_canceled")));
    }

    [Fact]
    public async Task Capture_MoreThanIsLeft_IsRefusedAndTheKeyStaysFree()
    {
        var merchant = await app.CreateMerchantAsync();
        var charge = await merchant.AuthorizeAsync();
        var key = RunningApp.NewKey();

        var tooMuch = await merchant.CaptureAsync(charge.Text("id"), 10_001, idempotencyKey: key);
        var nothing = await merchant.CaptureAsync(charge.Text("id"), 0, idempotencyKey: key);
        var mended = await merchant.CaptureAsync(charge.Text("id"), 10_000, idempotencyKey: key);

        Assert.Equal((422, "amount_too_large", "amount"), (tooMuch.Status, tooMuch.Code, tooMuch.Param));
        Assert.Equal((422, "amount_too_small"), (nothing.Status, nothing.Code));
        Assert.Equal((200, "captured"), (mended.Status, mended.Text("status")));
    }

    [Fact]
    public async Task Capture_SameKey_AnswersTheSameBytesAndCapturesOnce()
    {
        var merchant = await app.CreateMerchantAsync();
        var charge = await merchant.AuthorizeAsync();
        var key = RunningApp.NewKey();

        var first = await merchant.CaptureAsync(charge.Text("id"), 1_000, idempotencyKey: key);
        var again = await merchant.CaptureAsync(charge.Text("id"), 1_000, idempotencyKey: key);
        var other = await merchant.CaptureAsync(charge.Text("id"), 2_000, idempotencyKey: key);

        Assert.Equal((first.Body, "true"), (again.Body, again.Headers["Idempotent-Replayed"]));
        Assert.Equal((422, "idempotency_key_reused"), (other.Status, other.Code));
        Assert.Equal(1_000, (await app.PaymentAsync(charge))!["captured_amount"]!.GetValue<long>());
    }

    [Fact]
    public async Task Capture_HundredAtOnce_NeverTakesMoreThanIsAuthorized()
    {
        var merchant = await app.CreateMerchantAsync(payoutDelayDays: 5);
        var charge = await merchant.AuthorizeAsync();

        var answers = await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => merchant.CaptureAsync(charge.Text("id"), 300)));

        // 33 fit; whoever comes too late is told so.
        Assert.Equal(33, answers.Count(a => a.Status == 200 && Operation(a).Status == "succeeded"));
        Assert.Equal(67, answers.Count(a => a is { Status: 422, Code: "amount_too_large" }));
        Assert.Equal((9_900, 100), (await CapturedAsync(merchant, charge)));
        Assert.Equal(9_900, (await app.PaymentAsync(charge))!["captured_amount"]!.GetValue<long>());
    }

    [Theory]
    [InlineData("tok_capture_drop_after")]
    [InlineData("tok_capture_fail_after")]
    [InlineData("tok_capture_webhook_first")]
    public async Task Capture_AnswerLost_IsProcessingUntilItIsKnown(string token)
    {
        var merchant = await app.CreateMerchantAsync(payoutDelayDays: 5);
        var charge = await merchant.AuthorizeAsync(token: token);
        var key = RunningApp.NewKey();

        var capture = await merchant.CaptureAsync(charge.Text("id"), 4_000, idempotencyKey: key);

        Assert.True(capture.Status is 202 && Operation(capture).Status == "processing" || capture.Status is 200, capture.Body);
        await RunningApp.EventuallyAsync(() => merchant.GetAsync($"/v1/charges/{charge.Text("id")}"), seen => seen.Number("amount_captured") == 4_000, "the capture is known");
        Assert.Equal(capture.Body, (await merchant.CaptureAsync(charge.Text("id"), 4_000, idempotencyKey: key)).Body);
        Assert.Single(Operations(await app.PaymentAsync(charge)));
    }

    [Fact]
    public async Task Capture_DeclinedByTheProcessor_SaysSoAndLeavesTheChargeAsItWas()
    {
        var merchant = await app.CreateMerchantAsync();
        var charge = await merchant.AuthorizeAsync(token: "tok_capture_refused");

        var capture = await merchant.CaptureAsync(charge.Text("id"), 4_000);

        Assert.Equal((200, "authorized", 0), (capture.Status, capture.Text("status"), capture.Number("amount_captured")));
        Assert.Equal(("capture", "declined", 4_000), Operation(capture));
        Assert.False(capture.Json["operation"]!["decline"]!["is_retryable"]!.GetValue<bool>());
        Assert.Equal(10_000, capture.Number("amount_capturable"));
        Assert.Equal(["charge.authorized", "charge.capture_failed"], await merchant.EventsAsync(charge.Text("id")));
    }

    [Theory]
    [InlineData("tok_visa")]
    [InlineData("tok_cancel_drop_after")]
    [InlineData("tok_cancel_webhook_first")]
    public async Task Cancel_Authorized_GivesAllBack(string token)
    {
        var merchant = await app.CreateMerchantAsync();
        var charge = await merchant.AuthorizeAsync(token: token);
        var key = RunningApp.NewKey();

        var cancel = await merchant.CancelAsync(charge.Text("id"), key);

        var end = await RunningApp.EventuallyAsync(() => merchant.GetAsync($"/v1/charges/{charge.Text("id")}"), seen => seen.Text("status") == "canceled", "the charge is canceled");
        Assert.Equal((10_000, 0), (end.Number("amount_canceled"), end.Number("amount_capturable")));
        Assert.Equal("canceled", (await app.PaymentAsync(charge))!["status"]!.GetValue<string>());
        Assert.Equal(cancel.Body, (await merchant.CancelAsync(charge.Text("id"), key)).Body);
        Assert.Equal(["charge.authorized", "charge.canceled"], await merchant.EventsAsync(charge.Text("id")));
    }

    [Theory]
    [InlineData("tok_visa", "captured")]
    [InlineData("tok_decline_lost_card", "declined")]
    public async Task Cancel_WhatHoldsNothing_IsAConflict(string token, string status)
    {
        var merchant = await app.CreateMerchantAsync();
        var charge = await merchant.ChargeAsync(token: token);
        Assert.Equal(status, charge.Text("status"));

        var cancel = await merchant.CancelAsync(charge.Text("id"));

        Assert.Equal((409, "state_conflict"), (cancel.Status, cancel.Code));
    }

    [Fact]
    public async Task Cancel_AndCaptureAtOnce_NeverTakeTheSameMoney()
    {
        var merchant = await app.CreateMerchantAsync(payoutDelayDays: 5);
        var charge = await merchant.AuthorizeAsync();

        var answers = await Task.WhenAll(merchant.CaptureAsync(charge.Text("id")), merchant.CancelAsync(charge.Text("id")));

        Assert.Single(answers, a => a.Status == 200);
        Assert.Single(answers, a => a.Status == 409);
        var (captured, canceled) = await CapturedAsync(merchant, charge, "amount_canceled");
        Assert.Equal(10_000, captured + canceled);
    }

    [Fact]
    public async Task Expire_ToldByTheProcessor_EndsTheCharge()
    {
        var merchant = await app.CreateMerchantAsync(payoutDelayDays: 5);
        var (whole, part) = (await merchant.AuthorizeAsync(), await merchant.AuthorizeAsync());
        await merchant.CaptureAsync(part.Text("id"), 4_000);

        await app.AcquirerAsync(HttpMethod.Post, $"/control/payments/{whole.Text("provider_reference")}/expire");
        await app.AcquirerAsync(HttpMethod.Post, $"/control/payments/{part.Text("provider_reference")}/expire");

        await RunningApp.EventuallyAsync(() => merchant.GetAsync($"/v1/charges/{whole.Text("id")}"), seen => seen.Text("status") == "expired", "the charge is expired");
        var end = await RunningApp.EventuallyAsync(() => merchant.GetAsync($"/v1/charges/{part.Text("id")}"), seen => seen.Text("status") == "captured", "the rest is expired");
        Assert.Equal((4_000, 6_000), (end.Number("amount_captured"), end.Number("amount_canceled")));
        Assert.Equal(["charge.authorized", "charge.captured", "charge.expired"], await merchant.EventsAsync(part.Text("id")));
    }

    [Theory]
    [InlineData("tok_3ds_required", "pass", "captured")]
    [InlineData("tok_3ds_required", "fail", "declined")]
    [InlineData("tok_3ds_failed", "pass", "declined")]
    public async Task Complete_AfterTheCustomerWasAsked_TellsTheEnd(string token, string outcome, string status)
    {
        var merchant = await app.CreateMerchantAsync(payoutDelayDays: 5);
        var charge = await merchant.PostAsync("/v1/charges", new { amount = 10_000, currency = "EUR", payment_method = token, return_url = "https://shop.example/back" });
        Assert.Equal((201, "requires_action"), (charge.Status, charge.Text("status")));
        Assert.Equal("redirect", charge.Json["next_action"]!["type"]!.GetValue<string>());
        Assert.NotEmpty(charge.Json["next_action"]!["redirect_url"]!.GetValue<string>());
        Assert.NotEmpty(charge.Text("expires_at"));
        Assert.Equal("requires_action", (await CompleteAsync(merchant, charge)).Text("status"));

        await app.AcquirerAsync(HttpMethod.Post, $"/v1/payments/{charge.Text("provider_reference")}/complete", new { outcome });
        var end = await CompleteAsync(merchant, charge);

        Assert.Equal((200, status), (end.Status, end.Text("status")));
        Assert.Null(end.Json["next_action"]);
        if (status == "declined")
            Assert.Equal("authentication_failed", end.Json["decline"]!["code"]!.GetValue<string>());
        Assert.Equal(status == "captured" ? 9_680 : 0, (await merchant.BalanceAsync()).Pending);
        Assert.Equal(["charge.requires_action", $"charge.{status}"], await merchant.EventsAsync(charge.Text("id")));
    }

    [Fact]
    public async Task Complete_ToldByWebhookAlone_EndsTheChargeToo()
    {
        var merchant = await app.CreateMerchantAsync(payoutDelayDays: 5);
        var charge = await merchant.AuthorizeAsync(token: "tok_3ds_required");

        await app.AcquirerAsync(HttpMethod.Post, $"/v1/payments/{charge.Text("provider_reference")}/complete", new { outcome = "pass" });

        await RunningApp.EventuallyAsync(() => merchant.GetAsync($"/v1/charges/{charge.Text("id")}"), seen => seen.Text("status") == "authorized", "the charge is authorized");
    }

    [Fact]
    public async Task Cancel_WhileTheCustomerIsAsked_GivesThePaymentUp()
    {
        var merchant = await app.CreateMerchantAsync();
        var charge = await merchant.ChargeAsync(token: "tok_3ds_required");

        var cancel = await merchant.CancelAsync(charge.Text("id"));

        Assert.Equal((200, "canceled"), (cancel.Status, cancel.Text("status")));
        Assert.Equal("canceled", (await app.PaymentAsync(charge))!["status"]!.GetValue<string>());
    }

    [Theory]
    [InlineData("capture")]
    [InlineData("cancel")]
    [InlineData("complete")]
    public async Task Operation_OfAnotherMerchantsCharge_DoesNotExist(string operation)
    {
        var (one, two) = (await app.CreateMerchantAsync(), await app.CreateMerchantAsync());
        var charge = await one.AuthorizeAsync();
        var key = RunningApp.NewKey();

        var answer = await two.PostAsync($"/v1/charges/{charge.Text("id")}/{operation}", new { }, key);
        var garbage = await two.PostAsync($"/v1/charges/ch_1/{operation}", new { });

        Assert.Equal((404, "not_found", 404), (answer.Status, answer.Code, garbage.Status));
    }

    private static Task<Answer> CompleteAsync(TestMerchant merchant, Answer charge) => merchant.PostAsync($"/v1/charges/{charge.Text("id")}/complete", new { });

    private static async Task<(long Captured, long Other)> CapturedAsync(TestMerchant merchant, Answer charge, string other = "amount_capturable")
    {
        var seen = await merchant.GetAsync($"/v1/charges/{charge.Text("id")}");
        return (seen.Number("amount_captured"), seen.Number(other));
    }

    private static (string Type, string Status, long Amount) Operation(Answer answer)
    {
        var operation = answer.Json["operation"]!;
        return (operation["type"]!.GetValue<string>(), operation["status"]!.GetValue<string>(), operation["amount"]!.GetValue<long>());
    }

    private static JsonArray Operations(JsonNode? payment) => payment!["operations"]!.AsArray();
}
