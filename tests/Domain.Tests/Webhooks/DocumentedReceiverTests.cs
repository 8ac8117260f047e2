using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Payments.Domain.Webhooks;

namespace Payments.Domain.Tests.Webhooks;

/// <summary>The JavaScript of docs/webhooks.md, run as it stands there on Node with the published library.</summary>
public sealed class DocumentedReceiverTests
{
    private const string Body = """{"id":"evt_1","object":"event","type":"charge.captured","data":{"text":"Grüße, 支払い"}}""";

    [Fact]
    public async Task Receiver_OfTheDocs_TakesOurDeliveriesAndNoOthers()
    {
        var secret = StandardWebhooks.NewSecret();
        using (var free = new TcpListener(IPAddress.Loopback, 0))
        {
            free.Start();
            var port = ((IPEndPoint)free.LocalEndpoint).Port;
            free.Stop();
            using var receiver = await NodeAsync(Snippet(0), ("WEBHOOK_SECRET", secret), ("PORT", port.ToString(CultureInfo.InvariantCulture)));
            try
            {
                using var http = new HttpClient { BaseAddress = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}/")) };
                var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
                Assert.Equal(HttpStatusCode.NoContent, await PostAsync(http, receiver, secret, now, Body));
                Assert.Equal(HttpStatusCode.BadRequest, await PostAsync(http, receiver, secret, now - 400, Body));
                Assert.Equal(HttpStatusCode.BadRequest, await PostAsync(http, receiver, StandardWebhooks.NewSecret(), now, Body));
                Assert.Equal(HttpStatusCode.NoContent, await PostAsync(http, receiver, secret, now, Body));
            }
            finally
            {
                receiver.Kill();
            }
        }
    }

    [Fact]
    public async Task PublicKeyCheck_OfTheDocs_TakesOurDeliveriesAndNoOthers()
    {
        var privateKey = StandardWebhooksEd25519.NewPrivateKey();
        using var key = SigningKey.Parse(privateKey);
        using var other = SigningKey.Parse(StandardWebhooksEd25519.NewPrivateKey());
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        var body = Encoding.UTF8.GetBytes(Body);
        (long Time, string Signature)[] cases =
        [
            (now, key.Sign("evt_1", now, body)),
            (now, "v1a,AAAA v1,bm9uZQ== " + key.Sign("evt_1", now, body)),
            (now, other.Sign("evt_1", now, body)),
            (now - 400, key.Sign("evt_1", now - 400, body)),
            (now, key.Sign("evt_2", now, body)),
        ];
        var calls = string.Concat(cases.Select(c => string.Create(
            CultureInfo.InvariantCulture,
            $"console.log(isGenuine(body, {{ 'webhook-id': 'evt_1', 'webhook-timestamp': '{c.Time}', 'webhook-signature': '{c.Signature}' }}));\n")));
        using var node = await NodeAsync(
            $"{Snippet(1)}\nconst body = Buffer.from('{Convert.ToBase64String(body)}', 'base64');\n{calls}console.log(isGenuine(body, {{}}));",
            ("WEBHOOK_PUBLIC_KEY", StandardWebhooksEd25519.PublicKeyOf(privateKey)));

        Assert.Equal("true true false false false false", string.Join(' ', (await node.StandardOutput.ReadToEndAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries)));
    }

    private static async Task<HttpStatusCode> PostAsync(HttpClient http, Process receiver, string secret, long time, string body)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (true)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "") { Content = new StringContent(body, Encoding.UTF8, "application/json") };
            request.Headers.Add(StandardWebhooks.IdHeader, "evt_1");
            request.Headers.Add(StandardWebhooks.TimestampHeader, time.ToString(CultureInfo.InvariantCulture));
            request.Headers.Add(StandardWebhooks.SignatureHeader, StandardWebhooks.Sign(StandardWebhooks.KeyOf(secret)!, "evt_1", time, Encoding.UTF8.GetBytes(body)));
            try
            {
                using var answer = await http.SendAsync(request, deadline.Token);
                return answer.StatusCode;
            }
            catch (HttpRequestException) when (!receiver.HasExited)
            {
                // It is still starting.
                await Task.Delay(50, deadline.Token);
            }
        }
    }

    private static string Snippet(int number)
    {
        var docs = File.ReadAllText(Path.Combine(Payments.Kit.Repository.Root, "docs", "webhooks.md"));
        var parts = docs.Split("```js\n");
        return parts[number + 1].Split("```")[0];
    }

    private static async Task<Process> NodeAsync(string script, params (string Name, string Value)[] environment)
    {
        // A module that is not a file looks for its packages from the working directory.
        var modules = await PublishedLibraryTests.ModulesAsync();
        var start = new ProcessStartInfo("node", ["--input-type=module", "--eval", script]) { WorkingDirectory = Path.GetDirectoryName(modules), RedirectStandardOutput = true };
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        return Process.Start(start)!;
    }
}
