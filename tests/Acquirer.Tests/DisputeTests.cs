using System.Globalization;
using System.Text.Json;

namespace Payments.Acquirer.Tests;

public sealed class DisputeTests
{
    [Theory]
    [InlineData("tok_dispute", "chargeback", "needs_response", 1000)]
    [InlineData("tok_dispute_early_warning", "early_warning", "warning_needs_response", 0)]
    [InlineData("tok_dispute_inquiry", "inquiry", "warning_needs_response", 0)]
    public async Task DisputeToken_AfterCapture_OpensOneByItself(string token, string stage, string status, long held)
    {
        await using var listener = await WebhookListener.StartAsync();
        await using var sandbox = await Sandbox.StartAsync(listener.Settings);
        await sandbox.PayAsync("r1", token);
        var opened = Assert.Single(await listener.WaitAsync(1, received => received.Type == "dispute.opened")).Data;
        Assert.Equal((stage, status, held), (opened.GetProperty("stage").GetString(), opened.GetProperty("status").GetString(), opened.GetProperty("held_amount").GetInt64()));
        Assert.Equal("r1", opened.GetProperty("payment_reference").GetString());
        if (held > 0)
            await listener.WaitAsync(1, received => received.Type == "dispute.funds_withdrawn");
    }

    [Fact]
    public async Task Open_LargerAndInAnotherCurrency_KeepsItsOwnAmount()
    {
        await using var sandbox = await Sandbox.StartAsync();
        await sandbox.PayAsync("r1");
        var dispute = await OpenAsync(sandbox, """{"payment_reference":"r1","amount":1234,"currency":"USD","reason_code":"13.1"}""");
        Assert.Equal((1234, "USD", "13.1"), (dispute.Amount("amount"), dispute.Field("currency"), dispute.Field("reason_code")));
    }

    [Theory]
    [InlineData("This is winning_evidence.", "won", 0)]
    [InlineData("This is losing_evidence.", "lost", 1000)]
    public async Task Evidence_MagicWords_Decide(string text, string status, long held)
    {
        await using var sandbox = await Sandbox.StartAsync();
        await sandbox.PayAsync("r1");
        var id = (await OpenAsync(sandbox, """{"payment_reference":"r1"}""")).Field("id");
        var draft = await sandbox.PostAsync($"/v1/disputes/{id}/evidence", null, """{"text":"a draft","submit":false}""");
        Assert.Equal("needs_response", draft.Field("status"));
        Assert.Equal("under_review", (await sandbox.PostAsync($"/v1/disputes/{id}/evidence", null, $$$"""{"fields":{"note":"{{{text}}}"}}""")).Field("status"));
        var end = await sandbox.EventuallyAsync($"/v1/disputes/{id}", reply => reply.Field("status") == status);
        Assert.Equal(held, end.Amount("held_amount"));
        Assert.Equal("dispute_not_awaiting_evidence", (await sandbox.PostAsync($"/v1/disputes/{id}/evidence", null, """{"text":"late"}""")).Error);
    }

    [Fact]
    public async Task Accept_OpenChargeback_ClosesItOnce()
    {
        await using var sandbox = await Sandbox.StartAsync();
        await sandbox.PayAsync("r1");
        var id = (await OpenAsync(sandbox, """{"payment_reference":"r1"}""")).Field("id");
        Assert.Equal("accepted", (await sandbox.PostAsync($"/v1/disputes/{id}/accept", null, "")).Field("status"));
        Assert.Equal(409, (await sandbox.PostAsync($"/v1/disputes/{id}/accept", null, "")).Status);
    }

    [Fact]
    public async Task Change_WonThenPreArbitration_WithdrawsASecondTime()
    {
        await using var sandbox = await Sandbox.StartAsync();
        await sandbox.PayAsync("r1");
        var id = (await OpenAsync(sandbox, """{"payment_reference":"r1","stage":"inquiry"}""")).Field("id");
        Assert.Equal(1000, (await ChangeAsync("""{"stage":"chargeback"}""")).Amount("held_amount"));
        Assert.Equal(0, (await ChangeAsync("""{"status":"won"}""")).Amount("held_amount"));
        var again = await ChangeAsync("""{"stage":"pre_arbitration"}""");
        Assert.Equal(("needs_response", 1000L), (again.Field("status"), again.Amount("held_amount")));
        Assert.Equal(
            ["withdrawal", "reinstatement", "withdrawal"],
            again.Json.GetProperty("funds").EnumerateArray().Select(funds => funds.GetProperty("type").GetString()));
        Assert.Equal("dispute_cannot_change", (await ChangeAsync("""{"stage":"chargeback"}""")).Error);
        Assert.Equal(600, (await ChangeAsync("""{"status":"lost","reinstated_amount":400}""")).Amount("held_amount"));
        Assert.Equal("dispute_cannot_change", (await ChangeAsync("""{"status":"won"}""")).Error);

        Task<Reply> ChangeAsync(string body) => sandbox.PostAsync($"/control/disputes/{id}", null, body);
    }

    [Fact]
    public async Task Change_Correction_TakesBackAVerdictAndItsMoney()
    {
        await using var sandbox = await Sandbox.StartAsync();
        await sandbox.PayAsync("r1");
        var id = (await OpenAsync(sandbox, """{"payment_reference":"r1"}""")).Field("id");
        Assert.Equal(1000, (await ChangeAsync("""{"status":"lost"}""")).Amount("held_amount"));
        Assert.Equal("dispute_cannot_change", (await ChangeAsync("""{"status":"won"}""")).Error);
        Assert.Equal(0, (await ChangeAsync("""{"status":"won","correction":true}""")).Amount("held_amount"));
        Assert.Equal(1000, (await ChangeAsync("""{"status":"lost","correction":true}""")).Amount("held_amount"));
        Assert.Equal("dispute_cannot_change", (await ChangeAsync("""{"status":"warning_closed","correction":true}""")).Error);
        var open = await ChangeAsync("""{"status":"under_review","correction":true}""");
        Assert.Equal(("under_review", 1000L), (open.Field("status"), open.Amount("held_amount")));

        Task<Reply> ChangeAsync(string body) => sandbox.PostAsync($"/control/disputes/{id}", null, body);
    }

    [Fact]
    public async Task EvidenceDue_Passed_ExpiresTheDispute()
    {
        await using var sandbox = await Sandbox.StartAsync();
        await sandbox.PayAsync("r1");
        var id = (await OpenAsync(sandbox, """{"payment_reference":"r1"}""")).Field("id");
        await sandbox.PostAsync("/control/clock", null, """{"advance_seconds":2592001}""");
        await sandbox.EventuallyAsync($"/v1/disputes/{id}", reply => reply.Field("status") == "expired");
    }

    [Fact]
    public async Task Files_OfToday_HoldWhatTheJournalHolds()
    {
        await using var sandbox = await Sandbox.StartAsync();
        var id = (await sandbox.PayAsync("r1", amount: 10_000)).Field("id");
        await sandbox.PayAsync("r,2", "tok_decline_lost_card");
        await sandbox.OperateAsync(id, "refunds", "f,1", 2500);
        var dispute = (await OpenAsync(sandbox, """{"payment_reference":"r1","amount":7500}""")).Field("id");
        await sandbox.PostAsync($"/control/disputes/{dispute}", null, """{"status":"won"}""");
        var first = (await sandbox.JournalAsync())[0].GetProperty("at").GetDateTime();
        var date = first.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

        var settlement = (await sandbox.GetAsync($"/v1/files/settlements?date={date}")).Text.TrimEnd('\n').Split('\n');
        Assert.Equal(PartnerFiles.SettlementHeader, settlement[0]);
        Assert.Equal(
            ["capture 10000,160,9840", "refund -2500,0,-2500", "dispute_withdrawal -7500,0,-7500", "dispute_reinstatement 7500,0,7500"],
            settlement[1..].Select(line => $"{line.Split(',')[1]} {string.Join(',', line.Split(',')[^4..^1])}"));
        Assert.Contains("\"f,1\"", settlement[2], StringComparison.Ordinal);

        var disputes = (await sandbox.GetAsync($"/v1/files/disputes?date={date}")).Text.TrimEnd('\n').Split('\n');
        Assert.Equal(["1 needs_response", "2 won"], disputes[1..].Select(line => $"{line.Split(',')[1]} {line.Split(',')[5]}"));
        Assert.Single((await sandbox.GetAsync("/v1/files/settlements?date=2001-01-01")).Text.TrimEnd('\n').Split('\n'));
        Assert.Equal("invalid_date", (await sandbox.GetAsync("/v1/files/settlements?date=today")).Error);
    }

    [Fact]
    public async Task Summary_GroupedByMetadata_ShowsADoubleCharge()
    {
        await using var sandbox = await Sandbox.StartAsync();
        foreach (var (reference, charge) in (List<(string, string)>)[("a1", "ch_1"), ("a2", "ch_1"), ("a3", "ch_2")])
        {
            await sandbox.PostAsync(
                "/v1/payments", reference, $$$"""{"reference":"{{{reference}}}","amount":5,"currency":"EUR","token":"tok_visa","metadata":{"charge_id":"{{{charge}}}"}}""");
        }
        var groups = (await sandbox.GetAsync("/control/summary?group_by=metadata.charge_id")).Text.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonDocument.Parse(line).RootElement)
            .ToDictionary(group => group.GetProperty("group").GetString()!, group => group.GetProperty("approved").GetInt32());
        Assert.Equal((2, 1), (groups["ch_1"], groups["ch_2"]));
    }

    [Fact]
    public void Allows_WholeMatrix_LetsNothingLeaveALostCase()
    {
        foreach (var from in Enum.GetValues<DisputeStatus>())
        {
            foreach (var to in Enum.GetValues<DisputeStatus>().Where(to => DisputeTransitions.Allows(from, to)))
            {
                Assert.False(from is DisputeStatus.Lost or DisputeStatus.Accepted or DisputeStatus.Expired or DisputeStatus.Prevented, $"{from} to {to}");
                Assert.False(to == DisputeStatus.WarningNeedsResponse, $"{from} back to a warning");
            }
        }
    }

    private static Task<Reply> OpenAsync(Sandbox sandbox, string body) => sandbox.PostAsync("/control/disputes", null, body);
}
