using System.Text;

namespace Payments.Functions.Tests;

/// <summary>Who may do what, and what every request and answer carries.</summary>
public sealed class AccessTests(RunningApp app)
{
    [Theory]
    [InlineData(null)]
    [InlineData("sk_test_unknown")]
    [InlineData("something")]
    public async Task AnyCall_WithoutAValidKey_IsRefused(string? key)
    {
        var answer = await app.SendAsync(HttpMethod.Get, "/v1/charges", key);

        Assert.Equal((401, "unauthenticated"), (answer.Status, answer.Code));
        Assert.Equal("Bearer", answer.Headers["WWW-Authenticate"]);
    }

    [Fact]
    public async Task RevokedKey_IsRefused()
    {
        var merchant = await app.CreateMerchantAsync();
        var keys = await app.GetAsync($"/v1/merchants/{merchant.Id}/api_keys", app.PlatformKey);
        var id = keys.Json["data"]![0]!["id"]!.GetValue<string>();
        Assert.Equal(200, (await merchant.GetAsync("/v1/charges")).Status);

        var revoked = await app.SendAsync(HttpMethod.Delete, $"/v1/merchants/{merchant.Id}/api_keys/{id}", app.PlatformKey);

        Assert.Equal(200, revoked.Status);
        await RunningApp.EventuallyAsync(() => merchant.GetAsync("/v1/charges"), answer => answer.Status == 401, "the revoked key is refused");
    }

    [Fact]
    public async Task ReadOnlyKey_MayNotCharge()
    {
        var merchant = await app.CreateMerchantAsync();
        var key = await app.PostAsync($"/v1/merchants/{merchant.Id}/api_keys", app.PlatformKey, new { scopes = new[] { "read" } });
        var reader = merchant with { Key = key.Text("secret") };

        Assert.Equal(200, (await reader.GetAsync("/v1/charges")).Status);
        var refused = await reader.ChargeAsync();
        Assert.Equal((403, "forbidden"), (refused.Status, refused.Code));
    }

    [Fact]
    public async Task MerchantKey_MayNotCreateMerchantsOrKeys()
    {
        var merchant = await app.CreateMerchantAsync();

        Assert.Equal(403, (await merchant.PostAsync("/v1/merchants", new { name = "Mine", country = "DE" })).Status);
        Assert.Equal(403, (await merchant.PostAsync($"/v1/merchants/{merchant.Id}/api_keys", new { mode = "test" })).Status);
    }

    [Fact]
    public async Task PlatformKey_ActsForTheMerchantItNames()
    {
        var merchant = await app.CreateMerchantAsync();
        var charge = await merchant.ChargeAsync();

        var named = await app.SendAsync(HttpMethod.Get, $"/v1/charges/{charge.Text("id")}", app.PlatformKey, headers: ("On-Behalf-Of", merchant.Id));
        var unnamed = await app.GetAsync($"/v1/charges/{charge.Text("id")}", app.PlatformKey);

        Assert.Equal(charge.Text("id"), named.Text("id"));
        Assert.Equal((400, "parameter_invalid"), (unnamed.Status, unnamed.Code));
    }

    [Fact]
    public async Task CreateApiKey_Repeated_AnswersTheSameSecret()
    {
        var merchant = await app.CreateMerchantAsync();
        var idempotencyKey = RunningApp.NewKey();

        var first = await app.PostAsync($"/v1/merchants/{merchant.LiveId}/api_keys", app.PlatformKey, new { mode = "live" },
            idempotencyKey);
        var second = await app.PostAsync($"/v1/merchants/{merchant.LiveId}/api_keys", app.PlatformKey, new { mode = "live" },
            idempotencyKey);

        Assert.Equal(first.Body, second.Body);
        Assert.StartsWith("sk_live_", first.Text("secret"), StringComparison.Ordinal);
        Assert.Equal(2, (await app.GetAsync($"/v1/merchants/{merchant.LiveId}/api_keys", app.PlatformKey)).Json["data"]!.AsArray().Count);
    }

    [Fact]
    public async Task WrongKeys_OneAfterTheOther_AreStoppedForTheirAddressAndForNoOther()
    {
        var merchant = await app.CreateMerchantAsync();
        var answers = new List<Answer>();
        for (var i = 0; i < 90 && answers.All(answer => answer.Status == 401); i++)
            answers.Add(await app.SendAsync(HttpMethod.Get, "/v1/charges", "sk_test_" + RunningApp.NewKey(), headers: ("X-Forwarded-For", "198.51.100.7:4711")));

        Assert.Equal((429, "rate_limited"), (answers[^1].Status, answers[^1].Code));
        Assert.True(int.Parse(answers[^1].Headers["Retry-After"], System.Globalization.CultureInfo.InvariantCulture) >= 1);
        Assert.Equal(200, (await app.SendAsync(HttpMethod.Get, "/v1/charges", merchant.Key, headers: ("X-Forwarded-For", "198.51.100.7, 198.51.100.8"))).Status);
    }

    [Fact]
    public async Task RequestId_FromTheCaller_ComesBackInHeaderAndProblem()
    {
        var given = await app.SendAsync(HttpMethod.Get, "/v1/charges", null, headers: ("X-Request-Id", "order-77"));
        var made = await app.SendAsync(HttpMethod.Get, "/v1/charges", null);
        var hostile = await app.SendAsync(HttpMethod.Get, "/v1/charges", null, headers: ("X-Request-Id", "a b<script>"));

        Assert.Equal(("order-77", "order-77"), (given.Headers["X-Request-Id"], given.Text("request_id")));
        Assert.StartsWith("req_", made.Headers["X-Request-Id"], StringComparison.Ordinal);
        Assert.StartsWith("req_", hostile.Headers["X-Request-Id"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Body_OverTheLimit_IsRefused()
    {
        var merchant = await app.CreateMerchantAsync();

        var answer = await app.SendAsync(HttpMethod.Post, "/v1/charges", merchant.Key, Encoding.UTF8.GetBytes($$"""{"description":"{{new string('x', 300_000)}}"}"""), RunningApp.NewKey());

        Assert.Equal((413, "body_too_large"), (answer.Status, answer.Code));
    }

    [Fact]
    public async Task Health_OfARunningApp_IsLiveAndReady()
    {
        var live = await app.SendAsync(HttpMethod.Get, "/health/live", null);
        var ready = await app.SendAsync(HttpMethod.Get, "/health/ready", null);

        Assert.Equal((200, "live"), (live.Status, live.Text("status")));
        Assert.Equal((200, "ready"), (ready.Status, ready.Text("status")));
        Assert.Equal("up", ready.Json["dependencies"]!["postgres"]!.GetValue<string>());
    }
}
