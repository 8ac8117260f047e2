namespace Payments.Acquirer.Tests;

public sealed class PaymentTests
{
    public static TheoryData<string> DeclineCodes => [.. Tokens.DeclineCodes];

    [Theory]
    [InlineData("tok_visa", "visa")]
    [InlineData("tok_mastercard", "mastercard")]
    [InlineData("tok_amex", "amex")]
    public async Task Pay_ApprovingTokenWithCapture_IsCaptured(string token, string brand)
    {
        await using var sandbox = await Sandbox.StartAsync();
        var reply = await sandbox.PayAsync("r1", token);
        Assert.Equal(200, reply.Status);
        Assert.Equal("captured", reply.Field("status"));
        Assert.Equal(1000, reply.Amount("captured_amount"));
        Assert.Equal(brand, reply.Json.GetProperty("card").GetProperty("brand").GetString());
    }

    [Theory]
    [MemberData(nameof(DeclineCodes))]
    public async Task Pay_DecliningToken_IsDeclinedWithItsCode(string code)
    {
        await using var sandbox = await Sandbox.StartAsync();
        var reply = await sandbox.PayAsync("r1", "tok_decline_" + code);
        Assert.Equal(("declined", code, 0L), (reply.Field("status"), reply.Field("decline_code"), reply.Amount("authorized_amount")));
    }

    [Theory]
    [InlineData("""{"amount":1,"currency":"EUR","token":"tok_visa"}""", "reference_required")]
    [InlineData("""{"reference":"r","currency":"EUR","token":"tok_visa"}""", "invalid_amount")]
    [InlineData("""{"reference":"r","amount":0,"currency":"EUR","token":"tok_visa"}""", "invalid_amount")]
    [InlineData("""{"reference":"r","amount":1,"currency":"eur","token":"tok_visa"}""", "invalid_currency")]
    [InlineData("""{"reference":"r","amount":1,"currency":"EUR","token":"tok_unknown"}""", "invalid_token")]
    [InlineData("""{"reference":"r","amount":1.5,"currency":"EUR","token":"tok_visa"}""", "invalid_json")]
    [InlineData("""{"reference":""", "invalid_json")]
    public async Task Pay_BadRequest_IsRefusedByNameAndLeavesNothing(string body, string code)
    {
        await using var sandbox = await Sandbox.StartAsync();
        var reply = await sandbox.PostAsync("/v1/payments", "k", body);
        Assert.Equal((400, code), (reply.Status, reply.Error));
        Assert.Empty(await sandbox.JournalAsync());
    }

    [Fact]
    public async Task Call_WithoutKey_IsUnauthorized()
    {
        await using var sandbox = await Sandbox.StartAsync();
        sandbox.Http.DefaultRequestHeaders.Authorization = new("Bearer", "other");
        Assert.Equal(401, (await sandbox.GetAsync("/control/journal")).Status);
        Assert.Equal(401, (await sandbox.PayAsync("r1")).Status);
        Assert.Equal(200, (await sandbox.GetAsync("/health")).Status);
    }

    [Fact]
    public async Task Capture_InParts_EndsCapturedAndRefusesMore()
    {
        await using var sandbox = await Sandbox.StartAsync();
        var id = (await sandbox.PayAsync("r1", capture: false)).Field("id");
        Assert.Equal("succeeded", (await sandbox.OperateAsync(id, "captures", "c1", 400)).Field("status"));
        Assert.Equal("capture_exceeds_authorization", (await sandbox.OperateAsync(id, "captures", "c2", 601)).Error);
        Assert.Equal("authorized", (await sandbox.GetAsync($"/v1/payments/{id}")).Field("status"));
        Assert.Equal(600, (await sandbox.OperateAsync(id, "captures", "c3")).Amount("amount"));
        var payment = await sandbox.GetAsync($"/v1/payments/{id}");
        Assert.Equal(("captured", 1000L, 2), (payment.Field("status"), payment.Amount("captured_amount"), payment.Json.GetProperty("operations").GetArrayLength()));
        Assert.Equal(422, (await sandbox.OperateAsync(id, "captures", "c4", 1)).Status);
    }

    [Fact]
    public async Task Capture_Final_ReleasesTheRest()
    {
        await using var sandbox = await Sandbox.StartAsync();
        var id = (await sandbox.PayAsync("r1", capture: false)).Field("id");
        await sandbox.PostAsync($"/v1/payments/{id}/captures", "c1", """{"reference":"c1","amount":300,"final":true}""");
        var payment = await sandbox.GetAsync($"/v1/payments/{id}");
        Assert.Equal(("captured", 300L, 700L), (payment.Field("status"), payment.Amount("captured_amount"), payment.Amount("canceled_amount")));
    }

    [Theory]
    [InlineData("tok_visa", false, null, "canceled")]
    [InlineData("tok_visa", false, 400L, "authorized")]
    [InlineData("tok_3ds_required", true, null, "canceled")]
    public async Task Cancel_Uncaptured_ReleasesIt(string token, bool capture, long? amount, string status)
    {
        await using var sandbox = await Sandbox.StartAsync();
        var id = (await sandbox.PayAsync("r1", token, capture: capture)).Field("id");
        Assert.Equal("succeeded", (await sandbox.OperateAsync(id, "cancels", "x1", amount)).Field("status"));
        Assert.Equal(status, (await sandbox.GetAsync($"/v1/payments/{id}")).Field("status"));
    }

    [Fact]
    public async Task Cancel_CapturedPayment_IsRefused()
    {
        await using var sandbox = await Sandbox.StartAsync();
        var id = (await sandbox.PayAsync("r1")).Field("id");
        Assert.Equal("payment_not_cancelable", (await sandbox.OperateAsync(id, "cancels", "x1")).Error);
    }

    [Theory]
    [InlineData("tok_3ds_required", "pass", "captured", null)]
    [InlineData("tok_3ds_required", "fail", "declined", "authentication_failed")]
    [InlineData("tok_3ds_failed", "pass", "declined", "authentication_failed")]
    public async Task Complete_AfterRequiresAction_FollowsCardholderAndToken(string token, string outcome, string status, string? code)
    {
        await using var sandbox = await Sandbox.StartAsync();
        var payment = await sandbox.PayAsync("r1", token);
        Assert.Equal("requires_action", payment.Field("status"));
        var done = await sandbox.PostAsync($"/v1/payments/{payment.Field("id")}/complete", null, $$"""{"outcome":"{{outcome}}"}""");
        Assert.Equal((status, code), (done.Field("status"), done.Json.TryGetProperty("decline_code", out var given) ? given.GetString() : null));
        Assert.Equal(409, (await sandbox.PostAsync($"/v1/payments/{payment.Field("id")}/complete", null, "{}")).Status);
    }

    [Fact]
    public async Task RedirectPage_CardholderAgrees_CompletesAndReturns()
    {
        await using var sandbox = await Sandbox.StartAsync();
        var payment = await sandbox.PostAsync(
            "/v1/payments", "k", """{"reference":"r1","amount":5,"currency":"EUR","token":"tok_3ds_required","return_url":"http://127.0.0.1/back"}""");
        using var browser = Sandbox.Client(payment.Field("redirect_url"));
        browser.DefaultRequestHeaders.Authorization = null;
        Assert.Contains("outcome=pass", await browser.GetStringAsync(""));
        using var answer = await browser.PostAsync("?outcome=pass", null);
        Assert.Equal((303, "http://127.0.0.1/back"), ((int)answer.StatusCode, answer.Headers.Location!.ToString()));
        Assert.Equal("captured", (await sandbox.GetAsync($"/v1/payments/{payment.Field("id")}")).Field("status"));
    }

    [Theory]
    [InlineData("tok_refund_pending", "succeeded", 400, 0)]
    [InlineData("tok_refund_pending_fails", "failed", 0, 0)]
    public async Task Refund_Pending_EndsAsItsTokenSays(string token, string status, long refunded, long pending)
    {
        await using var sandbox = await Sandbox.StartAsync();
        var id = (await sandbox.PayAsync("r1", token)).Field("id");
        Assert.Equal("pending", (await sandbox.OperateAsync(id, "refunds", "f1", 400)).Field("status"));
        await sandbox.EventuallyAsync("/v1/operations?reference=f1", reply => reply.Json.GetProperty("operation").GetProperty("status").GetString() == status);
        var payment = await sandbox.GetAsync($"/v1/payments/{id}");
        Assert.Equal((refunded, pending), (payment.Amount("refunded_amount"), payment.Amount("pending_refund_amount")));
    }

    [Fact]
    public async Task Refund_FailingToken_LeavesTheMoneyRefundable()
    {
        await using var sandbox = await Sandbox.StartAsync();
        var id = (await sandbox.PayAsync("r1", "tok_refund_fails")).Field("id");
        var refund = await sandbox.OperateAsync(id, "refunds", "f1");
        Assert.Equal(("failed", 0L), (refund.Field("status"), (await sandbox.GetAsync($"/v1/payments/{id}")).Amount("refunded_amount")));
    }

    [Fact]
    public async Task Refund_HundredAtOnce_NeverExceedsTheCapture()
    {
        await using var sandbox = await Sandbox.StartAsync();
        var id = (await sandbox.PayAsync("r1", amount: 1000)).Field("id");
        var replies = await Task.WhenAll(Enumerable.Range(0, 100).Select(i => sandbox.OperateAsync(id, "refunds", $"f{i}", 60)));
        Assert.Equal(16, replies.Count(reply => reply.Status == 200));
        Assert.All(replies.Where(reply => reply.Status != 200), reply => Assert.Equal("refund_exceeds_captured", reply.Error));
        Assert.Equal(960, (await sandbox.GetAsync($"/v1/payments/{id}")).Amount("refunded_amount"));
        Assert.Equal(16, (await sandbox.JournalAsync()).Count(entry => entry.GetProperty("type").GetString() == "refund"));
    }

    [Fact]
    public async Task Authorization_WhenItsTimeIsOver_Expires()
    {
        await using var sandbox = await Sandbox.StartAsync();
        var id = (await sandbox.PayAsync("r1", capture: false)).Field("id");
        var partly = (await sandbox.PayAsync("r2", capture: false)).Field("id");
        await sandbox.OperateAsync(partly, "captures", "c1", 100);
        await sandbox.PostAsync("/control/clock", null, """{"advance_seconds":604801}""");
        await sandbox.EventuallyAsync($"/v1/payments/{id}", reply => reply.Field("status") == "expired");
        var rest = await sandbox.EventuallyAsync($"/v1/payments/{partly}", reply => reply.Field("status") == "captured");
        Assert.Equal(900, rest.Amount("canceled_amount"));
        Assert.Equal("payment_not_capturable", (await sandbox.OperateAsync(id, "captures", "c2")).Error);
    }

    [Fact]
    public async Task Expire_ByControl_EndsTheAuthorization()
    {
        await using var sandbox = await Sandbox.StartAsync();
        var id = (await sandbox.PayAsync("r1", capture: false)).Field("id");
        Assert.Equal("expired", (await sandbox.PostAsync($"/control/payments/{id}/expire", null, "")).Field("status"));
        Assert.Equal(409, (await sandbox.PostAsync($"/control/payments/{id}/expire", null, "")).Status);
    }

    [Fact]
    public async Task Operations_ByReference_FindsEachKindAndNothingElse()
    {
        await using var sandbox = await Sandbox.StartAsync();
        var id = (await sandbox.PayAsync("r1", capture: false)).Field("id");
        await sandbox.OperateAsync(id, "captures", "c1", 10);
        await sandbox.OperateAsync(id, "refunds", "f1", 1);
        await sandbox.OperateAsync(id, "cancels", "x1", 1);
        await sandbox.PostAsync("/v1/payouts", "p1", """{"reference":"p1","amount":5,"currency":"EUR","bank_account":{"token":"ba_paid"}}""");
        foreach (var (reference, type) in (List<(string, string)>)[("r1", "payment"), ("c1", "capture"), ("f1", "refund"), ("x1", "cancel"), ("p1", "payout")])
            Assert.Equal(type, (await sandbox.GetAsync($"/v1/operations?reference={reference}")).Field("type"));
        var missing = await sandbox.GetAsync("/v1/operations?reference=never");
        Assert.Equal((404, "reference_not_found"), (missing.Status, missing.Error));
    }
}
