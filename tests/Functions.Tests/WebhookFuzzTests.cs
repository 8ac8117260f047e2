using System.Collections.Concurrent;
using System.Net.Http.Headers;
using System.Text;
using Payments.Functions.Tests.Transcripts;
using Payments.Kit;

namespace Payments.Functions.Tests;

/// <summary>Ten thousand broken webhooks over HTTP, a quarter of them rightly signed: each is taken or refused by name, none is an error of the app.</summary>
public sealed class WebhookFuzzTests(RunningApp app)
{
    private const int Requests = 10_000;
    private const string Payment =
        """{"id":"aevt_1","type":"payment.captured","created_at":"2026-03-01T12:00:00Z","data":{"object":"payment","id":"pay_1","reference":"pf_x","status":"captured","amount":100,"currency":"EUR"}}""";

    private const string Dispute =
        """{"id":"aevt_2","type":"dispute.opened","data":{"object":"dispute","id":"dsp_1","payment_id":"pay_1","status":"needs_response","stage":"chargeback","amount":100,"currency":"EUR","reason_code":"13.1","version":1,"updated_at":"2026-03-01T12:00:00Z"}}""";

    [Fact]
    public async Task Receive_TenThousandBrokenRequests_NoneIsAnError()
    {
        var connections = new SocketsHttpHandler
        {
            RequestHeaderEncodingSelector = (_, _) => Encoding.Latin1,
            MaxConnectionsPerServer = 16
        };
        using var http = Transcript.Client(connections, app.Address);
        var statuses = new ConcurrentDictionary<int, int>();
        await Parallel.ForEachAsync(Enumerable.Range(0, Requests), new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (number, ct) =>
        {
            // Each from a seed of its own: a failure is repeated by its number.
            var random = new Random(number);
            using var request = Broken(random, number);
            using var answer = await http.SendAsync(request, ct);
            var status = (int)answer.StatusCode;
            Assert.True(status is 200 or (>= 400 and < 500), $"Request {number} was answered with {status}: {await answer.Content.ReadAsStringAsync(ct)}");
            statuses.AddOrUpdate(status, 1, (_, count) => count + 1);
        });

        Assert.Equal(Requests, statuses.Values.Sum());
        Assert.True(statuses.ContainsKey(200), "Some are rightly signed events.");
        Assert.True(statuses.ContainsKey(400), "Some are rightly signed and no events.");
        Assert.True(statuses.ContainsKey(401), "Most are not rightly signed.");
    }

    private HttpRequestMessage Broken(Random random, int number)
    {
        var body = Mutate(random, Encoding.UTF8.GetBytes(random.Next(2) == 0 ? Payment : Dispute));
        var signed = number % 4 == 0;
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds().ToString(System.Globalization.CultureInfo.InvariantCulture);
        var id = $"fuzz_{number}";
        byte[] content = [.. Encoding.UTF8.GetBytes($"{id}.{now}."), .. body];
        var signature = "v1," + Convert.ToBase64String(System.Security.Cryptography.HMACSHA256.HashData(Convert.FromBase64String(app.WebhookSecret["whsec_".Length..]), content));
        (string Name, string Value)[] headers = [("webhook-id", id), ("webhook-timestamp", now), ("webhook-signature", signature), ("Stripe-Signature", $"t={now},v1=00")];
        var path = signed || random.Next(10) > 0 ? "sandbox" : Uri.EscapeDataString(Text(Mutate(random, "sandbox"u8.ToArray())));
        var request = new HttpRequestMessage(HttpMethod.Post, $"/webhooks/{(path is "" or "." or ".." ? "x" : path)}") { Content = new ByteArrayContent(body) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        foreach (var (name, value) in headers)
        {
            var sent = signed || random.Next(2) == 0 ? value : Text(Mutate(random, Encoding.Latin1.GetBytes(value)));
            // Microsoft's host answers any other header with 500 before the app sees it.
            if (Platform.OnCoreTools)
                sent = string.Concat(sent.Where(char.IsAscii));
            if (signed || random.Next(8) > 0)
                request.Headers.TryAddWithoutValidation(name, sent);
        }

        return request;
    }

    // What a client can put into a header at all.
    private static string Text(byte[] bytes) => new([.. Encoding.Latin1.GetString(bytes).Where(c => c is >= ' ' and not '\x7f')]);

    private static byte[] Mutate(Random random, byte[] original)
    {
        var bytes = original.ToList();
        for (var n = random.Next(0, 6); n > 0 && bytes.Count > 0; n--)
        {
            var at = random.Next(bytes.Count);
            switch (random.Next(5))
            {
                case 0: bytes[at] = (byte)random.Next(256); break;
                case 1: bytes.RemoveAt(at); break;
                case 2: bytes.Insert(at, (byte)random.Next(256)); break;
                case 3: bytes.InsertRange(at, Enumerable.Repeat((byte)'[', random.Next(200))); break;
                default: bytes.RemoveRange(at, bytes.Count - at); break;
            }
        }

        return [.. bytes];
    }
}
