namespace Payments.Acquirer.Tests;

public sealed class PayoutTests
{
    [Theory]
    [InlineData("\"token\":\"ba_paid\"", "paid", null)]
    [InlineData("\"iban\":\"DE89370400440532013000\"", "paid", null)]
    [InlineData("\"token\":\"ba_fails_account_frozen\"", "failed", "account_frozen")]
    [InlineData("\"routing_number\":\"021000021\",\"account_number\":\"000000010001\"", "failed", "account_closed")]
    [InlineData("\"token\":\"ba_returned_no_account\"", "returned", "no_account")]
    [InlineData("\"account_number\":\"000000010004\"", "returned", "account_closed")]
    [InlineData("\"token\":\"ba_hold_in_transit\"", "in_transit", null)]
    public async Task PayOut_EachAccount_EndsAsItsTokenSays(string account, string status, string? code)
    {
        await using var sandbox = await Sandbox.StartAsync();
        var payout = await PayOutAsync(sandbox, "p1", account);
        Assert.Equal("pending", payout.Field("status"));
        var end = await sandbox.EventuallyAsync($"/v1/payouts/{payout.Field("id")}", reply => reply.Field("status") == status);
        Assert.Equal(code, end.Json.TryGetProperty("failure_code", out var given) ? given.GetString() : null);
        Assert.Equal(end.Text, (await sandbox.GetAsync("/v1/payouts?reference=p1")).Text);
    }

    [Fact]
    public async Task PayOut_SameKeyTwice_PaysOnce()
    {
        await using var sandbox = await Sandbox.StartAsync();
        var first = await PayOutAsync(sandbox, "p1", "\"token\":\"ba_hold_pending\"");
        Assert.Equal(first.Text, (await PayOutAsync(sandbox, "p1", "\"token\":\"ba_hold_pending\"")).Text);
        Assert.Single(await sandbox.JournalAsync());
    }

    [Fact]
    public async Task PayOut_Instantly_IsPaidWithoutTheStepsPause()
    {
        // Steps that nobody lives to see: only the instant one gets there.
        await using var sandbox = await Sandbox.StartAsync("StepMilliseconds=100000000");
        var standard = await PayOutAsync(sandbox, "p1", "\"token\":\"ba_paid\"");
        var instant = await PayOutAsync(sandbox, "p2", "\"token\":\"ba_paid\"", ",\"method\":\"instant\"");
        await sandbox.EventuallyAsync($"/v1/payouts/{instant.Field("id")}", reply => reply.Field("status") == "paid");
        Assert.Equal("pending", (await sandbox.GetAsync($"/v1/payouts/{standard.Field("id")}")).Field("status"));
        Assert.Equal("invalid_method", (await PayOutAsync(sandbox, "p3", "\"token\":\"ba_paid\"", ",\"method\":\"instant\"", "JPY")).Error);
        Assert.Equal("invalid_method", (await PayOutAsync(sandbox, "p4", "\"token\":\"ba_paid\"", ",\"method\":\"at once\"")).Error);
    }

    /// <summary>What is refused as too late stays so: a caller that is told so, or that it is not there as of then, knows that it never
    /// will be.</summary>
    [Fact]
    public async Task PayOut_ValidUntil_IsTakenBeforeAndRefusedAfter()
    {
        await using var sandbox = await Sandbox.StartAsync();
        var late = TimeProvider.System.GetUtcNow().UtcDateTime.AddSeconds(-1).ToString("O");
        Assert.Equal((400, "instant_too_late"), await PayOutAsync(sandbox, "p1", "\"token\":\"ba_paid\"",
            $",\"method\":\"instant\",\"valid_until\":\"{late}\"") is var refused ? (refused.Status, refused.Error) : default);
        var missing = await sandbox.GetAsync("/v1/payouts?reference=p1");
        Assert.Equal((404, "payout_not_found"), (missing.Status, missing.Error));
        Assert.True(missing.Json.GetProperty("error").GetProperty("as_of").GetDateTime() > TimeProvider.System.GetUtcNow().UtcDateTime.AddMinutes(-1));
        Assert.Equal(200, (await PayOutAsync(sandbox, "p2", "\"token\":\"ba_paid\"",
            $",\"method\":\"instant\",\"valid_until\":\"{TimeProvider.System.GetUtcNow().UtcDateTime.AddMinutes(5):O}\"")).Status);
    }

    [Fact]
    public async Task PayOut_InstantDoesNotReachTheAccount_IsRefused()
    {
        await using var sandbox = await Sandbox.StartAsync();
        const string account = "\"iban\":\"DE26370400440000000024\"";
        Assert.Equal("instant_not_reachable", (await PayOutAsync(sandbox, "p1", account, ",\"method\":\"instant\"")).Error);
        Assert.Equal(200, (await PayOutAsync(sandbox, "p2", account)).Status);
    }

    [Theory]
    [InlineData("\"iban\":\"DE89370400440532013000\"", "match", null, true)]
    [InlineData("\"iban\":\"DE00370400440000000021\"", "close_match", "A Shop Ltd", true)]
    [InlineData("\"iban\":\"DE00370400440000000022\"", "no_match", null, true)]
    [InlineData("\"iban\":\"DE00370400440000000023\"", "not_possible", null, true)]
    [InlineData("\"iban\":\"DE00370400440000000024\"", "match", null, false)]
    [InlineData("\"routing_number\":\"021000021\",\"account_number\":\"12345678\"", "not_possible", null, true)]
    public async Task PayeeCheck_Account_AnswersByItsEnding(string account, string result, string? name, bool reachable)
    {
        await using var sandbox = await Sandbox.StartAsync();
        var check = await sandbox.PostAsync("/v1/payee_checks", null, $$$"""{"currency":"EUR","bank_account":{{{{account}}},"holder_name":"A Shop"}}""");
        Assert.Equal((200, result, reachable), (check.Status, check.Field("result"),
            check.Json.GetProperty("instant_reachable").GetBoolean()));
        Assert.Equal(name, check.Json.TryGetProperty("suggested_name", out var suggested) ? suggested.GetString() : null);
    }

    [Theory]
    [InlineData("ba_fail_after", 200)]
    [InlineData("ba_fail_before", 404)]
    public async Task PayOut_FaultToken_IsAcceptedAsItsNameSays(string token, int found)
    {
        await using var sandbox = await Sandbox.StartAsync();
        Assert.Equal(500, (await PayOutAsync(sandbox, "p1", $"\"token\":\"{token}\"")).Status);
        Assert.Equal(found, (await sandbox.GetAsync("/v1/operations?reference=p1")).Status);
    }

    [Fact]
    public async Task Control_HeldPayout_MovesItAsTheBankWould()
    {
        await using var sandbox = await Sandbox.StartAsync();
        var id = (await PayOutAsync(sandbox, "p1", "\"token\":\"ba_hold_pending\"")).Field("id");
        Assert.Equal("payout_cannot_change", (await MoveAsync("returned")).Error);
        foreach (var status in (string[])["in_transit", "paid", "returned"])
            Assert.Equal(status, (await MoveAsync(status)).Field("status"));
        Assert.Equal(409, (await MoveAsync("paid")).Status);

        Task<Reply> MoveAsync(string status) => sandbox.PostAsync($"/control/payouts/{id}", null, $$"""{"status":"{{status}}"}""");
    }

    [Fact]
    public async Task Webhooks_ReturnedPayout_TellEachStep()
    {
        await using var listener = await WebhookListener.StartAsync();
        await using var sandbox = await Sandbox.StartAsync(listener.Settings);
        await PayOutAsync(sandbox, "p1", "\"token\":\"ba_returned_account_closed\"");
        Assert.Equal(["payout.in_transit", "payout.paid", "payout.returned"], (await listener.WaitAsync(3)).Select(received => received.Type).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Allows_WholeMatrix_LetsNothingLeaveFailedOrReturned()
    {
        foreach (var from in Enum.GetValues<PayoutStatus>())
        {
            foreach (var to in Enum.GetValues<PayoutStatus>())
            {
                var allowed = PayoutTransitions.Allows(from, to);
                Assert.True(from != to || !allowed, $"{from} to itself");
                Assert.True(to != PayoutStatus.Pending || !allowed, $"{from} back to pending");
                Assert.True(from is not (PayoutStatus.Failed or PayoutStatus.Returned) || !allowed, $"{from} to {to}");
            }
        }
    }

    private static Task<Reply> PayOutAsync(Sandbox sandbox, string reference, string account, string more = "", string currency = "EUR") => sandbox.PostAsync(
        "/v1/payouts", reference, $$$"""{"reference":"{{{reference}}}","amount":500,"currency":"{{{currency}}}","bank_account":{{{{account}}}}{{{more}}}}""");
}
