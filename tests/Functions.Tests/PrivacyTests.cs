using System.Text.Json.Nodes;

namespace Payments.Functions.Tests;

/// <summary>Removing what is held of a person, and nothing else.</summary>
public sealed class PrivacyTests(RunningApp app)
{
    [Fact]
    public async Task Redaction_OfACustomer_RemovesThePersonAndKeepsTheMoney()
    {
        var merchant = await app.CreateMerchantAsync(payoutDelayDays: 5);
        var customer = "cust-" + RunningApp.NewKey();
        var redacted = new List<string> { await ChargeAsync(merchant, customer), await ChargeAsync(merchant, customer) };
        var other = await ChargeAsync(merchant, "somebody-else");
        var before = await merchant.BalanceAsync();

        var first = await merchant.PostAsync("/v1/redactions", new { customer });
        var again = await merchant.PostAsync("/v1/redactions", new { customer });

        Assert.Equal((200, 2, 0), (first.Status, first.Number("redacted"), again.Number("redacted")));
        foreach (var id in redacted)
        {
            var charge = await merchant.GetAsync($"/v1/charges/{id}");
            Assert.DoesNotContain("Ada", charge.Body, StringComparison.Ordinal);
            Assert.Equal((1050, "captured"), (charge.Number("amount"), charge.Text("status")));
            Assert.Null(charge.Json["card"]?["last4"]);
            Assert.Empty(charge.Json["metadata"]!.AsObject());
        }

        var events = await merchant.GetAsync("/v1/events?limit=100");
        var told = events.Json["data"]!.AsArray().Where(e => e!["data"]!["id"]?.GetValue<string>() is { } of && redacted.Contains(of)).ToList();
        Assert.NotEmpty(told);
        Assert.All(told, e => Assert.DoesNotContain("Ada", e!.ToJsonString(), StringComparison.Ordinal));
        Assert.Contains("Ada", (await merchant.GetAsync($"/v1/charges/{other}")).Body, StringComparison.Ordinal);
        Assert.Equal(before, await merchant.BalanceAsync());
        var log = await merchant.GetAsync("/v1/audit_log?action=charge.redacted");
        Assert.Equal(redacted.Order(), log.Json["data"]!.AsArray().Select(e => e!["object_id"]!.GetValue<string>()).Order());
    }

    [Fact]
    public async Task Redaction_OfAChargeThatIsNotFinal_IsRefused()
    {
        var merchant = await app.CreateMerchantAsync();
        var unknown = await merchant.PostAsync("/v1/charges", new { amount = 500, currency = "EUR", payment_method = "tok_3ds_required", description = "Ada's" });

        var refused = await merchant.PostAsync("/v1/redactions", new { charge = unknown.Text("id") });

        Assert.Equal((409, "state_conflict"), (refused.Status, refused.Code));
        Assert.Contains("Ada", (await merchant.GetAsync($"/v1/charges/{unknown.Text("id")}")).Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Redaction_OfAnotherMerchantsChargeOrOfNothing_IsRefused()
    {
        var merchant = await app.CreateMerchantAsync();
        var other = await app.CreateMerchantAsync();
        var charge = await ChargeAsync(merchant, "ada");

        Assert.Equal(404, (await other.PostAsync("/v1/redactions", new { charge })).Status);
        Assert.Equal(("parameter_invalid", "charge"), (await Problem(merchant, new { }), "charge"));
        Assert.Equal("parameter_invalid", await Problem(merchant, new { charge, customer = "ada" }));
        Assert.Equal(0, (await merchant.PostAsync("/v1/redactions", new { customer = "nobody" })).Number("redacted"));

        static async Task<string?> Problem(TestMerchant merchant, object body) => (await merchant.PostAsync("/v1/redactions", body)).Code;
    }

    private static async Task<string> ChargeAsync(TestMerchant merchant, string customer)
    {
        var answer = await merchant.PostAsync(
            "/v1/charges",
            new { amount = 1050, currency = "EUR", payment_method = "tok_visa", customer, description = "For Ada Lovelace", metadata = new JsonObject { ["name"] = "Ada" } });
        Assert.Equal(201, answer.Status);
        return answer.Text("id");
    }
}
