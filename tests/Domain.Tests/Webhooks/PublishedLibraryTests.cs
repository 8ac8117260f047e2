using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Payments.Domain.Webhooks;
using Payments.Domain.Webhooks.Inbound;
using Payments.Kit;

namespace Payments.Domain.Tests.Webhooks;

/// <summary>
/// Our signatures against the libraries that merchants and partners use, in both directions. They run on Node; <c>PAYMENTS_TEST_NODE_MODULES</c> names
/// the folder they are installed in (local/node_modules when it is not set).
/// </summary>
public sealed class PublishedLibraryTests
{
    private const string Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    // Reads one JSON value a line, answers one a line.
    private const string Script =
        """
        const { createRequire } = require('module');
        const load = createRequire(process.argv[1] + '/');
        const { Webhook } = load('standardwebhooks');
        const input = JSON.parse(require('fs').readFileSync(0, 'utf8'));
        const body = Buffer.from(input.body, 'base64').toString('utf8');
        const answer = {};
        if (input.kind === 'standard') {
          try {
            new Webhook(input.secret).verify(body, input.headers);
            answer.verified = true;
          } catch (e) { answer.verified = false; answer.error = e.message; }
          answer.signature = new Webhook(input.secret).sign(input.id, new Date(input.time * 1000), body);
        } else if (input.kind === 'ed25519') {
          // Node's own Ed25519 (OpenSSL), by the specification's words: the published library has the symmetric scheme alone.
          const { createPublicKey, createPrivateKey, sign, verify } = require('crypto');
          const [prefixPublic, prefixPrivate] = ['302a300506032b6570032100', '302e020100300506032b657004220420'].map((hex) => Buffer.from(hex, 'hex'));
          const der = (prefix, key) => Buffer.concat([prefix, key]);
          const publicKey = createPublicKey({ key: der(prefixPublic, Buffer.from(input.publicKey.slice(5), 'base64')), format: 'der', type: 'spki' });
          const privateKey = createPrivateKey({ key: der(prefixPrivate, Buffer.from(input.privateKey.slice(5), 'base64').subarray(0, 32)), format: 'der', type: 'pkcs8' });
          const signed = Buffer.from(`${input.id}.${input.time}.${body}`);
          answer.verified = verify(null, signed, publicKey, Buffer.from(input.signature.slice(4), 'base64'));
          answer.signature = 'v1a,' + sign(null, signed, privateKey).toString('base64');
        } else {
          const stripe = new (load('stripe'))('sk_test_x');
          answer.header = stripe.webhooks.generateTestHeaderString({ payload: body, secret: input.secret, timestamp: input.time });
        }
        console.log(JSON.stringify(answer));
        """;

    public static TheoryData<string> Bodies =>
    [
        "{}",
        """{"id":"evt_1","type":"charge.captured","data":{"amount":1250,"text":"Grüße, 支払い, 🎉"}}""",
        "{\"type\":\"a\",\"data\":\"" + new string('x', 20_000) + "\"}",
    ];

    [Theory]
    [MemberData(nameof(Bodies))]
    public async Task StandardWebhooks_OurSignature_IsTakenByThePublishedLibraryAndTheirsByUs(string body)
    {
        var modules = await ModulesAsync();
        var bytes = Encoding.UTF8.GetBytes(body);
        var time = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        var signature = StandardWebhooks.Sign(StandardWebhooks.KeyOf(Secret)!, "evt_1", time, bytes);
        var answer = await AskAsync(modules, new
        {
            kind = "standard",
            secret = Secret,
            id = "evt_1",
            time,
            body = Convert.ToBase64String(bytes),
            headers = new Dictionary<string, string> { ["webhook-id"] = "evt_1", ["webhook-timestamp"] = $"{time}", ["webhook-signature"] = $"v1,AAAA {signature}" },
        });

        Assert.True(answer.GetProperty("verified").GetBoolean());
        Assert.Equal(signature, answer.GetProperty("signature").GetString());
        Assert.True(StandardWebhooks.Verify([StandardWebhooks.KeyOf(Secret)!], "evt_1", time, bytes, answer.GetProperty("signature").GetString()!));
    }

    [Theory]
    [MemberData(nameof(Bodies))]
    public async Task Ed25519_OurSignature_IsTakenByNodeAndTheirsByUs(string body)
    {
        var bytes = Encoding.UTF8.GetBytes(body);
        var time = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        var privateKey = StandardWebhooksEd25519.NewPrivateKey();
        var publicKey = StandardWebhooksEd25519.PublicKeyOf(privateKey);
        using var key = SigningKey.Parse(privateKey);
        var signature = key.Sign("evt_1", time, bytes);
        var answer = await AskAsync(await ModulesAsync(), new { kind = "ed25519", privateKey, publicKey, signature, id = "evt_1", time, body = Convert.ToBase64String(bytes) });

        Assert.True(answer.GetProperty("verified").GetBoolean());
        Assert.Equal(signature, answer.GetProperty("signature").GetString());
        Assert.True(StandardWebhooksEd25519.Verify([StandardWebhooksEd25519.PublicKey(publicKey)!], "evt_1", time, bytes, answer.GetProperty("signature").GetString()!));
    }

    [Fact]
    public async Task StandardWebhooks_BodyChanged_IsRefusedByThePublishedLibrary()
    {
        var modules = await ModulesAsync();
        var time = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        var answer = await AskAsync(modules, new
        {
            kind = "standard",
            secret = Secret,
            id = "evt_1",
            time,
            body = Convert.ToBase64String("{\"a\":2}"u8),
            headers = new Dictionary<string, string>
            {
                ["webhook-id"] = "evt_1",
                ["webhook-timestamp"] = $"{time}",
                ["webhook-signature"] = StandardWebhooks.Sign(StandardWebhooks.KeyOf(Secret)!, "evt_1", time, "{\"a\":1}"u8),
            },
        });

        Assert.False(answer.GetProperty("verified").GetBoolean());
    }

    [Theory]
    [MemberData(nameof(Bodies))]
    public async Task Stripe_SignedByThePublishedLibrary_IsVerifiedByUs(string body)
    {
        var modules = await ModulesAsync();
        var now = TimeProvider.System.GetUtcNow();
        var answer = await AskAsync(modules, new { kind = "stripe", secret = "whsec_test", time = now.ToUnixTimeSeconds(), body = Convert.ToBase64String(Encoding.UTF8.GetBytes(body)) });
        var headers = new HeaderDictionary { ["Stripe-Signature"] = answer.GetProperty("header").GetString() };

        var refusal = new StripeWebhookVerifier(["whsec_test"]).Verify(headers, Encoding.UTF8.GetBytes(body), now).Refusal;
        Assert.True(refusal is null or WebhookRefusal.Malformed, $"{refusal}");
        Assert.Equal(WebhookRefusal.BadSignature, new StripeWebhookVerifier(["whsec_test"]).Verify(headers, Encoding.UTF8.GetBytes(body + " "), now).Refusal);
    }

    internal static async Task<string> ModulesAsync()
    {
        await Tools.InstallAsync();
        return Path.Combine(Repository.Root, "local", "node_modules");
    }

    private static async Task<JsonElement> AskAsync(string modules, object question)
    {
        using var node = Process.Start(new ProcessStartInfo("node", ["-e", Script, modules]) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        await node.StandardInput.WriteAsync(JsonSerializer.Serialize(question));
        node.StandardInput.Close();
        var text = await node.StandardOutput.ReadToEndAsync();
        await node.WaitForExitAsync();
        Assert.Equal(0, node.ExitCode);
        return JsonElement.Parse(text);
    }
}
