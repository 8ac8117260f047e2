using System.Text.Json.Nodes;

namespace Payments.Functions.Tests;

/// <summary>What operators see of partners' events, and doing them again.</summary>
public sealed class OperatorTests(RunningApp app)
{
    [Fact]
    public async Task ProviderEvent_OfAnUnknownType_IsKeptMaskedAndCanBeReplayed()
    {
        var id = "aevt_" + RunningApp.NewKey();
        var body = $$$"""{"id":"{{{id}}}","type":"something.unheard_of","data":{"card":{"number":"4242424242424242","cvc":"123"},"client_secret":"hidden-{{{id}}}","note":"kept"}}""";
        var answer = await app.SendAsync(HttpMethod.Post, "/webhooks/sandbox", null, body, null, StandardWebhook.Headers(app.WebhookSecret, id, body, TimeProvider.System.GetUtcNow()));
        Assert.Equal(200, answer.Status);

        var listed = await FindAsync("ignored", id);
        Assert.Null(listed["payload"]);
        var read = await app.GetAsync($"/v1/provider_events/{listed["id"]}", app.PlatformKey);
        Assert.Equal("kept", read.Json["payload"]!["data"]!["note"]!.GetValue<string>());
        Assert.DoesNotContain("4242424242424242", read.Body, StringComparison.Ordinal);
        Assert.DoesNotContain($"hidden-{id}", read.Body, StringComparison.Ordinal);

        var attempts = read.Number("attempts");
        var replayed = await app.SendAsync(HttpMethod.Post, $"/v1/provider_events/{listed["id"]}/replay", app.PlatformKey);
        Assert.Equal((202, 1), (replayed.Status, replayed.Number("replayed")));
        await RunningApp.EventuallyAsync(
            () => app.GetAsync($"/v1/provider_events/{listed["id"]}", app.PlatformKey),
            again => again.Text("status") == "ignored" && again.Number("attempts") == attempts + 1,
            "it was processed again");
    }

    [Fact]
    public async Task ProviderEvents_OfATimeRange_AreReplayedTogether()
    {
        // A time of its own cannot be had over HTTP; a range that holds nothing must replay nothing, one that is none is refused.
        var none = await app.PostAsync("/v1/provider_event_replays", app.PlatformKey, new { from = "2001-01-01T00:00:00Z", to = "2001-01-02T00:00:00Z", status = "failed" });
        Assert.Equal((202, 0), (none.Status, none.Number("replayed")));
        var letters = await app.PostAsync("/v1/dead_letter_replays", app.PlatformKey, new { from = "2001-01-01T00:00:00Z", to = "2001-01-02T00:00:00Z" });
        Assert.Equal((202, 0), (letters.Status, letters.Number("replayed")));
        foreach (var path in new[] { "/v1/provider_event_replays", "/v1/dead_letter_replays" })
            Assert.Equal((400, "from"), await app.PostAsync(path, app.PlatformKey, new { from = "2001-01-02T00:00:00Z" }) is var wrong ? (wrong.Status, wrong.Param) : default);
        Assert.Equal((400, "status"), await app.GetAsync("/v1/provider_events?status=nonsense", app.PlatformKey) is var status ? (status.Status, status.Param) : default);
    }

    [Theory]
    [InlineData("GET", "/v1/provider_events")]
    [InlineData("GET", "/v1/provider_events/00000000000000000000000000000000")]
    [InlineData("POST", "/v1/provider_events/00000000000000000000000000000000/replay")]
    [InlineData("POST", "/v1/provider_event_replays")]
    [InlineData("GET", "/v1/dead_letters")]
    [InlineData("POST", "/v1/dead_letters/00000000000000000000000000000000/replay")]
    [InlineData("POST", "/v1/dead_letter_replays")]
    public async Task Operators_Tools_AreNotForMerchants(string method, string path)
    {
        var merchant = await app.CreateMerchantAsync();
        var answer = await app.SendAsync(new HttpMethod(method), path, merchant.Key, method == "POST" ? new { } : null);
        Assert.Equal((403, "forbidden"), (answer.Status, answer.Code));
    }

    private Task<JsonNode> FindAsync(string status, string eventId) => RunningApp.EventuallyAsync(
        async () =>
        {
            // Other tests leave many.
            var after = "";
            while (true)
            {
                var page = await app.GetAsync($"/v1/provider_events?provider=sandbox&status={status}&limit=100{after}", app.PlatformKey);
                var events = page.Json["data"]!.AsArray().Select(item => item!).ToList();
                if (events.Find(item => item["event_id"]!.GetValue<string>() == eventId) is not null || !page.Json["has_more"]!.GetValue<bool>())
                    return events.Find(item => item["event_id"]!.GetValue<string>() == eventId)!;
                after = $"&starting_after={events[^1]["id"]}";
            }
        },
        found => found is not null,
        $"{eventId} is {status}");
}
