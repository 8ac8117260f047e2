using System.Text.Json.Nodes;

namespace Payments.Functions.Tests;

/// <summary>What the audit log tells of operators' and merchants' actions.</summary>
public sealed class AuditTests(RunningApp app)
{
    [Fact]
    public async Task Actions_OfAPlatformKey_StandInTheLogWithItsNameAndRequest()
    {
        var merchant = await app.CreateMerchantAsync();
        var keys = await app.GetAsync($"/v1/merchants/{merchant.Id}/api_keys", app.PlatformKey);
        var key = keys.Json["data"]![0]!["id"]!.GetValue<string>();
        await app.SendAsync(HttpMethod.Delete, $"/v1/merchants/{merchant.Id}/api_keys/{key}", app.PlatformKey, headers: ("X-Request-Id", "offboarding-7"));

        var entries = await EntriesAsync($"merchant={merchant.Id}", app.PlatformKey);

        Assert.Equal(["api_key.revoked", "api_key.created", "merchant.created"], entries.Select(entry => entry["action"]!.GetValue<string>()));
        Assert.All(entries, entry => Assert.Equal("platform/test", entry["actor"]!.GetValue<string>()));
        Assert.Equal((key, "offboarding-7"), (entries[0]["object_id"]!.GetValue<string>(), entries[0]["request_id"]!.GetValue<string>()));
        Assert.Single(await EntriesAsync($"object_id={key}&action=api_key.revoked", app.PlatformKey));
    }

    [Fact]
    public async Task Actions_OfAMerchant_AreSeenByItAndNotByAnother()
    {
        var merchant = await app.CreateMerchantAsync();
        var other = await app.CreateMerchantAsync();
        var endpoint = await merchant.PostAsync("/v1/webhook_endpoints", new { url = "http://127.0.0.1:9/hook" });
        await merchant.PostAsync($"/v1/webhook_endpoints/{endpoint.Text("id")}/rotate_secret", new { });
        await app.SendAsync(HttpMethod.Delete, $"/v1/webhook_endpoints/{endpoint.Text("id")}", app.PlatformKey, headers: ("On-Behalf-Of", merchant.Id));

        var own = await EntriesAsync("", merchant.Key);
        var others = await EntriesAsync($"merchant={merchant.Id}", other.Key);

        Assert.Equal(
            ["webhook_endpoint.deleted", "webhook_endpoint.secret_rotated", "webhook_endpoint.created", "api_key.created", "merchant.created"],
            own.Select(entry => entry["action"]!.GetValue<string>()));
        Assert.Equal("platform", own[0]["actor"]!.GetValue<string>());
        Assert.StartsWith("key_", own[1]["actor"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.DoesNotContain(own, entry => entry.ToJsonString().Contains("whsec_", StringComparison.Ordinal) || entry.ToJsonString().Contains(merchant.Key, StringComparison.Ordinal));
        Assert.All(others, entry => Assert.Equal(other.Id, entry["merchant"]!.GetValue<string>()));
    }

    [Fact]
    public async Task RefusedActions_LeaveNoEntry()
    {
        var merchant = await app.CreateMerchantAsync();

        var refused = await app.PostAsync($"/v1/merchants/{merchant.Id}/api_keys", app.PlatformKey, new { mode = "neither" });
        var unknown = await app.SendAsync(HttpMethod.Delete, $"/v1/merchants/{merchant.Id}/api_keys/key_{new Guid(System.Security.Cryptography.RandomNumberGenerator.GetBytes(16)):N}", app.PlatformKey);

        Assert.Equal((400, 404), (refused.Status, unknown.Status));
        Assert.Equal(2, (await EntriesAsync($"merchant={merchant.Id}", app.PlatformKey)).Count);
    }

    [Fact]
    public async Task Replays_OfEverythingInATimeRange_SayTheRangeAndHowMany()
    {
        var requestId = "replay-" + RunningApp.NewKey();
        var answer = await app.SendAsync(
            HttpMethod.Post, "/v1/dead_letter_replays", app.PlatformKey, new { from = "2001-01-01T00:00:00Z", to = "2001-01-02T00:00:00Z" }, headers: ("X-Request-Id", requestId));

        var entry = (await EntriesAsync("action=dead_letters.replayed&limit=100", app.PlatformKey)).Single(e => e["request_id"]!.GetValue<string>() == requestId);

        Assert.Equal(202, answer.Status);
        Assert.Equal(("2001-01-01T00:00:00Z", 0), (entry["detail"]!["from"]!.GetValue<string>(), entry["detail"]!["replayed"]!.GetValue<int>()));
    }

    [Fact]
    public async Task Filters_ThatAreNone_AreRefusedByName()
    {
        Assert.Equal("merchant", (await app.GetAsync("/v1/audit_log?merchant=acme", app.PlatformKey)).Param);
        Assert.Equal("from", (await app.GetAsync("/v1/audit_log?from=yesterday", app.PlatformKey)).Param);
        Assert.Equal("starting_after", (await app.GetAsync("/v1/audit_log?starting_after=ch_1", app.PlatformKey)).Param);
    }

    private async Task<List<JsonNode>> EntriesAsync(string query, string key)
    {
        var answer = await app.GetAsync($"/v1/audit_log?{query}", key);
        Assert.Equal(200, answer.Status);
        return [.. answer.Json["data"]!.AsArray().Select(node => node!)];
    }
}
