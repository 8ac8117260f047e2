using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Payments.Functions.Tests;

/// <summary>What the app tells about one payment, seen where its telemetry goes.</summary>
public sealed class TelemetryTests(RunningApp app, TelemetryReceiver telemetry)
{
    [Fact]
    public async Task Charge_FromTheRequestToTheMerchantsWebhook_IsOneTrace()
    {
        Assert.SkipUnless(telemetry.IsThere, "The app sends its telemetry elsewhere.");
        using var sink = Listen(out var address);
        var merchant = await app.CreateMerchantAsync();
        await merchant.PostAsync("/v1/webhook_endpoints", new { url = address });
        var trace = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
        var caller = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));

        var charge = await app.SendAsync(
            HttpMethod.Post, "/v1/charges", merchant.Key, new { amount = 1050, currency = "EUR", payment_method = "tok_visa" }, RunningApp.NewKey(), ("traceparent", $"00-{trace}-{caller}-01"));
        var delivery = await sink.GetContextAsync().WaitAsync(RunningApp.Patience);
        delivery.Response.StatusCode = 204;
        delivery.Response.Close();
        string[] expected = ["function CreateCharge", "commit charge-intents", "send charge sandbox", "POST", "commit charge-outcomes", "send event.created", "process event.created", "deliver webhook"];
        var spans = await RunningApp.EventuallyAsync(
            () => Task.FromResult(telemetry.Of(trace)), seen => expected.All(name => seen.Any(span => span.Name == name)), $"one trace holds {string.Join(", ", expected)}");

        Assert.Equal(201, charge.Status);
        var function = spans.Single(span => span.Name == "function CreateCharge");
        var provider = spans.Single(span => span.Name == "send charge sandbox");
        Assert.Contains(function.Id, Ancestors(provider, spans));
        Assert.Contains(provider.Id, spans.Where(span => span.Name == "POST").Select(span => span.Parent));
        Assert.Contains(function.Id, spans.Where(span => span.Name.StartsWith("commit ", StringComparison.Ordinal)).SelectMany(span => Ancestors(span, spans)));
        var delivered = spans.First(span => span.Name == "deliver webhook");
        Assert.Contains(spans, span => span.Name == "process event.created" && span.Id == delivered.Parent);
    }

    [Fact]
    public async Task Metrics_AfterACharge_AreExportedUnderTheirNames()
    {
        Assert.SkipUnless(telemetry.IsThere, "The app sends its telemetry elsewhere.");
        await (await app.CreateMerchantAsync()).ChargeAsync();
        string[] expected = ["payments.charges.outcomes", "payments.provider.latency", "payments.group_commit.batch_size", "payments.group_commit.wait", "payments.outbox.oldest"];

        var seen = await RunningApp.EventuallyAsync(() => Task.FromResult(telemetry.Metrics), names => expected.All(names.Contains), $"the metrics {string.Join(", ", expected)} are exported");

        Assert.All(expected, name => Assert.Contains(name, seen));
    }

    private static List<string> Ancestors(ReceivedSpan span, IReadOnlyList<ReceivedSpan> spans)
    {
        var ids = new List<string>();
        for (var parent = span.Parent; parent.Length > 0; parent = spans.FirstOrDefault(other => other.Id == parent)?.Parent ?? "")
            ids.Add(parent);
        return ids;
    }

    private static HttpListener Listen(out string address)
    {
        using var free = new TcpListener(IPAddress.Loopback, 0);
        free.Start();
        var port = ((IPEndPoint)free.LocalEndpoint).Port;
        free.Stop();
        var listener = new HttpListener();
        address = $"http://127.0.0.1:{port}/hook";
        listener.Prefixes.Add($"http://127.0.0.1:{port}/");
        listener.Start();
        return listener;
    }
}
