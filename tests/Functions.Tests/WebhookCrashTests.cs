using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Payments.Functions.Tests.Transcripts;

namespace Payments.Functions.Tests;

/// <summary>The app is killed at each place of a partner's event: before it is stored, when it is acknowledged, while it is applied, while it is delivered.</summary>
public sealed class WebhookCrashTests(RunningApp app)
{
    [Fact]
    public async Task Kill_BetweenStoreAcknowledgeProcessAndDeliver_LosesNothingAndAppliesNothingTwice()
    {
        await using var own = await OwnApp.StartAsync(app);
        await using var slow = new MerchantServer();
        await using var quick = new MerchantServer();
        using var http = Transcript.Client(address: own.Address, timeout: TimeSpan.FromMinutes(2));
        var key = await MerchantAsync(http);
        foreach (var server in new[] { slow, quick })
            await PostAsync(http, "/v1/webhook_endpoints", key, new { url = server.Address });
        var charge = await PostAsync(http, "/v1/charges", key, new { amount = 10_000, currency = "EUR", payment_method = "tok_visa" });
        Assert.Equal("captured", charge["status"]!.GetValue<string>());
        var payment = charge["provider_reference"]!.GetValue<string>();

        // Killed while it stores: nothing is there, nothing was acknowledged, and the partner sends it again.
        var opened = Dispute(payment, "dispute.opened", "needs_response", 1);
        await using (await own.HoldAsync("provider_events"))
        {
            var lost = DeliverAsync(http, "e1", opened);
            await own.UntilBlockedAsync("provider_events");
            await own.KillAsync();
            await Assert.ThrowsAnyAsync<HttpRequestException>(() => lost);
        }

        await own.StartAsync();
        Assert.Equal(0, await own.CountAsync("payments.provider_events"));

        // Killed as soon as it has acknowledged, and again while it applies.
        await using (await own.HoldAsync("disputes"))
        {
            await DeliverAsync(http, "e1", opened);
            await own.KillAsync();
            await own.StartAsync();
            await own.UntilBlockedAsync("disputes");
            await own.KillAsync();
        }

        Assert.Equal(1, await own.CountAsync("payments.provider_events"));
        Assert.Equal(0, await own.CountAsync("payments.disputes"));

        // Killed while it delivers: one server has the event and does not answer, the other has answered and it is not yet noted down.
        var hangs = new TaskCompletionSource();
        slow.Answer = got => got.Body.Contains("dispute.created", StringComparison.Ordinal) ? hangs.Task : Task.CompletedTask;
        await using (await own.HoldAsync("webhook_attempts"))
        {
            await own.StartAsync();
            await OwnApp.UntilAsync("both servers have it", () => Task.FromResult(
                new[] { slow, quick }.All(server => server.Got.Any(got => got.Body.Contains("dispute.created", StringComparison.Ordinal)))));
            await own.UntilBlockedAsync("webhook_attempts");
            await own.KillAsync();
        }

        hangs.SetResult();
        await own.StartAsync();
        await DeliverAsync(http, "e1", opened);
        await OwnApp.UntilAsync("everything is delivered", async () =>
            await own.CountAsync("payments.webhook_deliveries WHERE status <> 'delivered'") == 0
            && await own.CountAsync("payments.outbox") == 0
            && await own.CountAsync("payments.provider_events WHERE status IN ('received', 'waiting')") == 0);

        // Nothing is lost: each event reached each server, the killed deliveries under the id that they had before.
        var events = (await GetAsync(http, "/v1/events?limit=100", key))["data"]!.AsArray().Select(e => e!["id"]!.GetValue<string>()).ToHashSet();
        Assert.Equal(events, slow.Got.Select(got => got.Id).ToHashSet());
        Assert.Equal(events, quick.Got.Select(got => got.Id).ToHashSet());
        Assert.True(slow.Got.Count(got => got.Body.Contains("dispute.created", StringComparison.Ordinal)) > 1);

        // Nothing is applied twice.
        Assert.Equal(1, await own.CountAsync("payments.provider_events"));
        Assert.Equal(1, await own.CountAsync("payments.disputes"));
        Assert.Equal(1, await own.CountAsync("payments.events WHERE type = 'dispute.created'"));
        Assert.Equal(0, await own.CountAsync("payments.dead_letters"));
        var balance = (await GetAsync(http, "/v1/balance", key))["balances"]!.AsArray().Single(b => b!["currency"]!.GetValue<string>() == "EUR")!;
        Assert.Equal(10_000, balance["disputed"]!.GetValue<long>());
    }

    private static string Dispute(string payment, string type, string status, int version) => JsonSerializer.Serialize(new
    {
        id = "aevt_" + RunningApp.NewKey(),
        type,
        created_at = "2026-03-01T12:00:00Z",
        data = new
        {
            @object = "dispute",
            id = $"dsp_{payment}",
            payment_id = payment,
            status,
            stage = "chargeback",
            amount = 10_000,
            currency = "EUR",
            reason_code = "13.1",
            network = "visa",
            held_amount = 10_000,
            version,
            updated_at = "2026-03-01T12:00:00Z",
        },
    });

    private async Task<string> MerchantAsync(HttpClient http)
    {
        var merchant = await PostAsync(http, "/v1/merchants", app.PlatformKey, new { name = "A shop", country = "DE", payout_delay_days = 5 });
        var id = merchant["id"]!.GetValue<string>();
        return (await PostAsync(http, $"/v1/merchants/{id}/api_keys", app.PlatformKey, new { mode = "test" }))["secret"]!.GetValue<string>();
    }

    private async Task DeliverAsync(HttpClient http, string id, string body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/webhooks/sandbox") { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        foreach (var (name, value) in StandardWebhook.Headers(app.WebhookSecret, id, body, TimeProvider.System.GetUtcNow()))
            request.Headers.TryAddWithoutValidation(name, value);
        using var answer = await http.SendAsync(request);
        Assert.Equal(200, (int)answer.StatusCode);
    }

    private static async Task<JsonNode> PostAsync(HttpClient http, string path, string key, object body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(JsonSerializer.Serialize(body), Encoding.UTF8, "application/json") };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        request.Headers.Add("Idempotency-Key", RunningApp.NewKey());
        return await ReadAsync(http, request);
    }

    private static async Task<JsonNode> GetAsync(HttpClient http, string path, string key)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        return await ReadAsync(http, request);
    }

    private static async Task<JsonNode> ReadAsync(HttpClient http, HttpRequestMessage request)
    {
        using var answer = await http.SendAsync(request);
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.IsSuccessStatusCode, $"{request.RequestUri} answered {(int)answer.StatusCode}: {text}");
        return JsonNode.Parse(text)!;
    }
}
