using System.Text.Json.Nodes;

namespace Payments.Functions.Tests;

/// <summary>Webhooks as a merchant has them: endpoints, deliveries that verify, the log, and sending again.</summary>
public sealed class WebhookEndpointTests(RunningApp app)
{
    [Theory]
    [InlineData("payment.succeeded")]
    [InlineData("payment.*")]
    [InlineData("dispute_file.completed")]
    public async Task Endpoint_ForAnEventThatDoesNotExist_IsRefused(string type)
    {
        var merchant = await app.CreateMerchantAsync();

        var refused = await merchant.PostAsync("/v1/webhook_endpoints", new { url = "https://shop.example.com/hooks", event_types = new[] { "charge.captured", type } });

        Assert.Equal((400, "parameter_invalid", "event_types"), (refused.Status, refused.Code, refused.Param));
    }

    [Fact]
    public async Task Endpoint_FromCreationToDeletion_DeliversSignedEventsAndLogsThem()
    {
        await using var server = new MerchantServer();
        var merchant = await app.CreateMerchantAsync();
        var made = await merchant.PostAsync("/v1/webhook_endpoints", new { url = server.Address, description = "shop", event_types = new[] { "charge.*" } });
        Assert.Equal((201, "hmac", "enabled"), (made.Status, made.Text("signature"), made.Text("status")));
        var (id, secret) = (made.Text("id"), made.Text("secret"));
        Assert.Null((await merchant.GetAsync($"/v1/webhook_endpoints/{id}")).Json["secret"]);
        Assert.Single(Data(await merchant.GetAsync("/v1/webhook_endpoints")));

        var charge = await merchant.ChargeAsync(1_250);
        var got = await GotAsync(server, got => got.Body.Contains("charge.captured", StringComparison.Ordinal));
        Assert.Contains("v1," + StandardWebhook.Sign(secret, got.Id, got.Timestamp, got.Body), got.Signature.Split(' '));
        var body = JsonNode.Parse(got.Body)!;
        Assert.Equal((got.Id, charge.Text("id")), (body["id"]!.GetValue<string>(), body["data"]!["id"]!.GetValue<string>()));
        Assert.Equal(got.Body, (await merchant.GetAsync($"/v1/events/{got.Id}")).Body);
        Assert.Contains(Data(await merchant.GetAsync($"/v1/events?object={charge.Text("id")}&type=charge.captured")), e => e["id"]!.GetValue<string>() == got.Id);

        var delivery = await RunningApp.EventuallyAsync(
            async () => Data(await merchant.GetAsync($"/v1/webhook_endpoints/{id}/deliveries?status=delivered")).FirstOrDefault(d => d["event"]!.GetValue<string>() == got.Id),
            found => found is not null,
            "the delivery is in the log");
        var attempt = Assert.Single(Data(await merchant.GetAsync($"/v1/webhook_deliveries/{delivery!["id"]}/attempts")));
        Assert.Equal(("delivered", 200, "thank you"), (attempt["outcome"]!.GetValue<string>(), attempt["status_code"]!.GetValue<int>(), attempt["response"]!.GetValue<string>()));

        Assert.Equal(202, (await app.SendAsync(HttpMethod.Post, $"/v1/webhook_deliveries/{delivery["id"]}/resend", merchant.Key)).Status);
        await GotAsync(server, again => again.Id == got.Id, 2);
        await RunningApp.EventuallyAsync(
            async () => Data(await merchant.GetAsync($"/v1/webhook_deliveries/{delivery["id"]}/attempts")).Count, attempts => attempts == 2, "the second attempt is in the log");
        var range = await merchant.PostAsync($"/v1/webhook_endpoints/{id}/resend", new { from = "2020-01-01T00:00:00Z", to = "2100-01-01T00:00:00Z", include_delivered = true });
        Assert.Equal(202, range.Status);
        Assert.InRange(range.Number("resent"), 1, 2);
        await GotAsync(server, again => again.Id == got.Id, 3);
        Assert.Equal((400, "from"), await merchant.PostAsync($"/v1/webhook_endpoints/{id}/resend", new { from = "2100-01-01T00:00:00Z", to = "2020-01-01T00:00:00Z" }) is var wrong
            ? (wrong.Status, wrong.Param) : default);

        var rotated = await merchant.PostAsync($"/v1/webhook_endpoints/{id}/rotate_secret", new { });
        Assert.Equal(202, (await app.SendAsync(HttpMethod.Post, $"/v1/webhook_endpoints/{id}/test", merchant.Key)).Status);
        var test = await GotAsync(server, sent => sent.Body.Contains("webhook_endpoint.test", StringComparison.Ordinal));
        Assert.Equal(
            new[] { rotated.Text("secret"), secret }.Select(s => "v1," + StandardWebhook.Sign(s, test.Id, test.Timestamp, test.Body)), test.Signature.Split(' '));

        Assert.Equal("disabled", (await app.SendAsync(HttpMethod.Patch, $"/v1/webhook_endpoints/{id}", merchant.Key, new { status = "disabled" })).Text("status"));
        Assert.Equal(404, (await app.SendAsync(HttpMethod.Post, $"/v1/webhook_endpoints/{id}/test", merchant.Key)).Status);
        Assert.Equal(200, (await app.SendAsync(HttpMethod.Delete, $"/v1/webhook_endpoints/{id}", merchant.Key)).Status);
        Assert.Equal(404, (await merchant.GetAsync($"/v1/webhook_endpoints/{id}")).Status);
    }

    [Fact]
    public async Task Endpoint_SignedWithEd25519_ShowsThePublicKeyAlone()
    {
        await using var server = new MerchantServer();
        var merchant = await app.CreateMerchantAsync();
        var made = await merchant.PostAsync("/v1/webhook_endpoints", new { url = server.Address, signature = "ed25519" });
        Assert.Equal((201, "ed25519"), (made.Status, made.Text("signature")));
        Assert.StartsWith("whpk_", made.Text("public_key"), StringComparison.Ordinal);
        Assert.Null(made.Json["secret"]);
        Assert.DoesNotContain("whsk_", made.Body, StringComparison.Ordinal);
        Assert.Equal(made.Text("public_key"), (await merchant.GetAsync($"/v1/webhook_endpoints/{made.Text("id")}")).Text("public_key"));

        await app.SendAsync(HttpMethod.Post, $"/v1/webhook_endpoints/{made.Text("id")}/test", merchant.Key);
        Assert.StartsWith("v1a,", (await GotAsync(server, _ => true)).Signature, StringComparison.Ordinal);
        var changed = await merchant.PostAsync($"/v1/webhook_endpoints/{made.Text("id")}/rotate_secret", new { signature = "hmac" });
        Assert.StartsWith("whsec_", changed.Text("secret"), StringComparison.Ordinal);
        Assert.Equal("hmac", changed.Text("signature"));

        Assert.Equal((400, "signature"), await merchant.PostAsync("/v1/webhook_endpoints", new { url = server.Address, signature = "rsa" }) is var unknown ? (unknown.Status, unknown.Param) : default);
        Assert.Equal((400, "signature"), await app.SendAsync(HttpMethod.Patch, $"/v1/webhook_endpoints/{made.Text("id")}", merchant.Key, new { signature = "hmac" }) is var patched
            ? (patched.Status, patched.Param) : default);
    }

    [Theory]
    [InlineData("http://shop.example.com/hooks")]
    [InlineData("https://10.0.0.1/hooks")]
    [InlineData("https://169.254.169.254/latest/meta-data")]
    [InlineData("https://[::ffff:10.0.0.1]/")]
    [InlineData("https://[fd00::1]/")]
    [InlineData("https://user:secret@shop.example.com/")]
    [InlineData("ftp://shop.example.com/")]
    [InlineData("shop")]
    public async Task Endpoint_AddressThatIsNotPublicOrNotHttps_IsRefused(string url)
    {
        var merchant = await app.CreateMerchantAsync();
        var answer = await merchant.PostAsync("/v1/webhook_endpoints", new { url });
        Assert.Equal((400, "parameter_invalid", "url"), (answer.Status, answer.Code, answer.Param));
    }

    [Fact]
    public async Task Endpoint_OfALiveKey_MustBeHttpsEvenOnThisMachine()
    {
        var merchant = await app.CreateMerchantAsync();
        var live = await app.PostAsync($"/v1/merchants/{merchant.LiveId}/api_keys", app.PlatformKey, new { mode = "live" });
        var answer = await app.PostAsync("/v1/webhook_endpoints", live.Text("secret"), new { url = "http://127.0.0.1:9/hooks" });
        Assert.Equal((400, "url"), (answer.Status, answer.Param));
    }

    private static List<JsonNode> Data(Answer answer)
    {
        Assert.Equal(200, answer.Status);
        return [.. answer.Json["data"]!.AsArray().Select(item => item!)];
    }

    private static async Task<MerchantServer.Delivery> GotAsync(MerchantServer server, Func<MerchantServer.Delivery, bool> wanted, int times = 1) =>
        (await RunningApp.EventuallyAsync(() => Task.FromResult(server.Got.Where(wanted).ToArray()), got => got.Length >= times, "the delivery arrives"))[^1];
}
