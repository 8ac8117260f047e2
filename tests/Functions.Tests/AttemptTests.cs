using System.Text.Json;
using System.Text.Json.Nodes;

namespace Payments.Functions.Tests;

/// <summary>Attempts that no machine can end, as the platform's operators see and end them.</summary>
public sealed class AttemptTests(RunningApp app)
{
    [Fact]
    public async Task Settle_AChargeThatTheProcessorNeverSaw_EndsItOnceAndOnRecord()
    {
        var merchant = await app.CreateMerchantAsync(payoutDelayDays: 5);
        var (charge, reference) = await UnknownAsync(merchant);
        var body = new { outcome = "not_carried_out", reason = "The processor's support has no trace of it." };
        var key = RunningApp.NewKey();

        var settled = await SettleAsync(reference, body, key);
        var again = await SettleAsync(reference, body, key);
        var other = await SettleAsync(reference, body);

        Assert.Equal((200, "failed"), (settled.Status, settled.Text("status")));
        Assert.Equal((settled.Body, "true"), (again.Body, again.Headers["Idempotent-Replayed"]));
        Assert.Equal((409, "state_conflict"), (other.Status, other.Code));
        var end = await merchant.GetAsync($"/v1/charges/{charge.Text("id")}");
        Assert.Equal(("declined", "provider_unavailable"), (end.Text("status"), end.Json["decline"]!["code"]!.GetValue<string>()));
        var log = await app.GetAsync($"/v1/audit_log?object_id={settled.Text("id")}", app.PlatformKey);
        var entry = Assert.Single(log.Json["data"]!.AsArray())!;
        Assert.Equal(("attempt.settled", "platform/test"), (entry["action"]!.GetValue<string>(), entry["actor"]!.GetValue<string>()));
        Assert.Equal("unknown", entry["detail"]!["before"]!["status"]!.GetValue<string>());
    }

    [Fact]
    public async Task Settle_AsSucceeded_HasTheEffectOfTheProcessorsAnswer()
    {
        var merchant = await app.CreateMerchantAsync(payoutDelayDays: 5);
        var (charge, reference) = await UnknownAsync(merchant);

        await SettleAsync(reference, new { outcome = "succeeded", provider_reference = "pay_by_hand", reason = "Found in the processor's portal as captured." });

        Assert.Equal("captured", (await merchant.GetAsync($"/v1/charges/{charge.Text("id")}")).Text("status"));
        Assert.Equal(9_680, (await merchant.BalanceAsync()).Pending);
    }

    [Fact]
    public async Task Contradiction_AProcessorReportsWhatWasSettledOtherwise_IsListedUntilSomebodyAcknowledgesIt()
    {
        var merchant = await app.CreateMerchantAsync(payoutDelayDays: 5);
        var (charge, reference) = await UnknownAsync(merchant);
        await SettleAsync(reference, new { outcome = "not_carried_out", reason = "The processor's support has no trace of it." });

        // The processor now says that it had charged after all.
        var now = TimeProvider.System.GetUtcNow();
        var id = "aevt_" + RunningApp.NewKey();
        var payment = new { @object = "payment", id = "pay_late", reference, status = "captured", amount = 10_000, currency = "EUR" };
        var body = JsonSerializer.Serialize(new { id, type = "payment.captured", created_at = now, data = payment });
        await app.SendAsync(HttpMethod.Post, "/webhooks/sandbox", null, body, null, StandardWebhook.Headers(app.WebhookSecret, id, body, now));

        await RunningApp.EventuallyAsync(() => FindAsync("contradicted", reference), found => found is not null, "the contradiction is listed");
        var shown = await app.GetAsync($"/v1/attempts/{reference}", app.PlatformKey);
        var contradiction = Assert.Single(shown.Json["contradictions"]!.AsArray())!;
        Assert.Equal(("succeeded", "pay_late"), (contradiction["result"]!.GetValue<string>(), contradiction["provider_reference"]!.GetValue<string>()));
        Assert.Equal("declined", (await merchant.GetAsync($"/v1/charges/{charge.Text("id")}")).Text("status"));
        Assert.Equal(default, await merchant.BalanceAsync());

        var acknowledged = await app.PostAsync($"/v1/attempts/{reference}/acknowledge", app.PlatformKey, new { reason = "Refunded at the processor's portal." });

        Assert.Equal(200, acknowledged.Status);
        Assert.Null(await FindAsync("contradicted", reference));
    }

    [Theory]
    [InlineData("""{"reason":"It was found in the portal."}""", "outcome")]
    [InlineData("""{"outcome":"done","reason":"It was found in the portal."}""", "outcome")]
    [InlineData("""{"outcome":"declined"}""", "reason")]
    [InlineData("""{"outcome":"declined","reason":"short"}""", "reason")]
    [InlineData("""{"outcome":"declined","reason":"It was found in the portal.","decline_code":"bad"}""", "decline_code")]
    public async Task Settle_InvalidRequest_NamesWhatIsWrong(string body, string param)
    {
        var answer = await SettleAsync("pf_" + new string('0', 32) + "_" + new string('0', 32), body);

        Assert.Equal((400, "parameter_invalid", param), (answer.Status, answer.Code, answer.Param));
    }

    [Fact]
    public async Task Attempts_WithAMerchantsKey_AreForbidden()
    {
        var merchant = await app.CreateMerchantAsync();
        var nowhere = "pf_" + new string('0', 32) + "_" + new string('0', 32);

        Assert.Equal(403, (await merchant.GetAsync("/v1/attempts")).Status);
        Assert.Equal(403, (await merchant.GetAsync($"/v1/attempts/{nowhere}")).Status);
        Assert.Equal(403, (await merchant.PostAsync($"/v1/attempts/{nowhere}/settle", new { })).Status);
        Assert.Equal(403, (await merchant.PostAsync($"/v1/attempts/{nowhere}/acknowledge", new { })).Status);
        Assert.Equal(404, (await app.GetAsync($"/v1/attempts/{nowhere}", app.PlatformKey)).Status);
        Assert.Equal("state", (await app.GetAsync("/v1/attempts?state=lost", app.PlatformKey)).Param);
    }

    // The processor never saw the charge, and nobody knows that for ten minutes.
    private async Task<(Answer Charge, string Reference)> UnknownAsync(TestMerchant merchant)
    {
        var charge = await merchant.ChargeAsync(10_000, token: "tok_drop_before_charging");
        Assert.Equal((202, "processing"), (charge.Status, charge.Text("status")));
        var attempt = await FindAsync("unsettled", a => a["charge"]!.GetValue<string>() == charge.Text("id"));
        Assert.Equal("unknown", attempt!["status"]!.GetValue<string>());
        return (charge, attempt["reference"]!.GetValue<string>());
    }

    private Task<JsonNode?> FindAsync(string state, string reference) => FindAsync(state, a => a["reference"]!.GetValue<string>() == reference);

    private async Task<JsonNode?> FindAsync(string state, Func<JsonNode, bool> wanted)
    {
        var query = $"/v1/attempts?state={state}&limit=100";
        while (true)
        {
            var page = await app.GetAsync(query, app.PlatformKey);
            Assert.Equal(200, page.Status);
            var rows = page.Json["data"]!.AsArray();
            if (rows.FirstOrDefault(row => wanted(row!)) is { } found)
                return found;
            if (!page.Json["has_more"]!.GetValue<bool>())
                return null;
            query = $"/v1/attempts?state={state}&limit=100&starting_after={rows[^1]!["reference"]!.GetValue<string>()}";
        }
    }

    private Task<Answer> SettleAsync(string reference, object body, string? key = null) => app.PostAsync($"/v1/attempts/{reference}/settle", app.PlatformKey, body, key);
}
