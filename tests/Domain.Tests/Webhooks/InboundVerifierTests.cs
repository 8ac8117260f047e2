using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Payments.Domain.Webhooks;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Domain.Tests.Webhooks;

public sealed class InboundVerifierTests
{
    private const string Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    private const string OtherSecret = "whsec_QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=";
    private const string AdyenKey = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";
    private static readonly DateTimeOffset Now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Sign_TheSpecificationsExample_GivesItsSignature()
    {
        var signature = StandardWebhooks.Sign(
            StandardWebhooks.KeyOf(Secret)!, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, Encoding.UTF8.GetBytes("""{"test": 2432232314}"""));

        Assert.Equal("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", signature);
    }

    [Theory]
    [InlineData(0, null)]
    [InlineData(-300, null)]
    [InlineData(300, null)]
    [InlineData(-301, WebhookRefusal.TooOld)]
    [InlineData(301, WebhookRefusal.TooNew)]
    public void Standard_SignedAtSomeDistance_IsTakenWithinFiveMinutes(int seconds, WebhookRefusal? expected)
    {
        var body = """{"type":"payment.captured"}""";
        var result = Standard(body, Now.AddSeconds(seconds).ToUnixTimeSeconds(), Secret);
        Assert.Equal(expected, result.Refusal);
        Assert.Equal(expected is null ? 1 : 0, result.Events.Count);
    }

    [Fact]
    public void Standard_SignedWithEitherOfTwoSecrets_IsTaken()
    {
        Assert.Null(Standard("""{"type":"a"}""", Now.ToUnixTimeSeconds(), Secret, Secret, OtherSecret).Refusal);
        Assert.Null(Standard("""{"type":"a"}""", Now.ToUnixTimeSeconds(), OtherSecret, Secret, OtherSecret).Refusal);
        Assert.Equal(WebhookRefusal.BadSignature, Standard("""{"type":"a"}""", Now.ToUnixTimeSeconds(), OtherSecret, Secret).Refusal);
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("")]
    [InlineData("not json")]
    [InlineData("{}")]
    [InlineData("""{"type":1}""")]
    [InlineData("""{"type":"a\u0000b"}""")]
    [InlineData("""{"type":"\ud800"}""")]
    public void Standard_SignedBodyThatIsNoEvent_IsMalformed(string body) =>
        Assert.Equal(WebhookRefusal.Malformed, Standard(body, Now.ToUnixTimeSeconds(), Secret).Refusal);

    [Theory]
    [InlineData(StandardWebhooks.IdHeader)]
    [InlineData(StandardWebhooks.TimestampHeader)]
    [InlineData(StandardWebhooks.SignatureHeader)]
    public void Standard_AHeaderMissing_IsUnsigned(string header)
    {
        var headers = StandardHeaders("{}", Now.ToUnixTimeSeconds(), Secret);
        headers.Remove(header);
        Assert.Equal(WebhookRefusal.MissingSignature, new StandardWebhooksVerifier([Secret]).Verify(headers, "{}"u8.ToArray(), Now).Refusal);
    }

    [Fact]
    public void Standard_AnyByteOfTheBodyChanged_IsRefused()
    {
        var body = Encoding.UTF8.GetBytes("""{"type":"payment.captured","data":{"amount":100}}""");
        var headers = StandardHeaders(Encoding.UTF8.GetString(body), Now.ToUnixTimeSeconds(), Secret);
        var verifier = new StandardWebhooksVerifier([Secret]);
        for (var i = 0; i < body.Length; i++)
        {
            var altered = body.ToArray();
            altered[i] ^= 1;
            Assert.Equal(WebhookRefusal.BadSignature, verifier.Verify(headers, altered, Now).Refusal);
        }
    }

    [Fact]
    public void Stripe_OneOfSeveralSignatures_IsEnough()
    {
        var body = """{"id":"evt_1","type":"charge.succeeded"}""";
        var time = Now.ToUnixTimeSeconds();
        var verifier = new StripeWebhookVerifier(["whsec_new", "whsec_old"]);

        var result = verifier.Verify(Headers("Stripe-Signature", $"t={time},v1={StripeSign("whsec_other", time, body)},v1={StripeSign("whsec_old", time, body)},v0=00"), Encoding.UTF8.GetBytes(body), Now);

        Assert.Null(result.Refusal);
        Assert.Equal(("evt_1", "charge.succeeded"), (result.Events[0].Id, result.Events[0].Type));
    }

    [Theory]
    [InlineData("", WebhookRefusal.MissingSignature)]
    [InlineData("t=,v1=", WebhookRefusal.MissingSignature)]
    [InlineData("t=1772366400", WebhookRefusal.MissingSignature)]
    [InlineData("t=-1,v1=00", WebhookRefusal.MissingSignature)]
    [InlineData("t=1772366400,v1=0000000000000000000000000000000000000000000000000000000000000000", WebhookRefusal.BadSignature)]
    [InlineData("t=99999999999999999999,v1=0000000000000000000000000000000000000000000000000000000000000000", WebhookRefusal.MissingSignature)]
    public void Stripe_HeaderThatProvesNothing_IsRefused(string header, WebhookRefusal expected) =>
        Assert.Equal(expected, new StripeWebhookVerifier(["whsec_x"]).Verify(Headers("Stripe-Signature", header), "{}"u8.ToArray(), Now).Refusal);

    [Theory]
    [InlineData(-301, WebhookRefusal.TooOld)]
    [InlineData(301, WebhookRefusal.TooNew)]
    public void Stripe_SignedTooFarAway_IsRefused(int seconds, WebhookRefusal expected)
    {
        var time = Now.AddSeconds(seconds).ToUnixTimeSeconds();
        var result = new StripeWebhookVerifier(["whsec_x"]).Verify(Headers("Stripe-Signature", $"t={time},v1={StripeSign("whsec_x", time, "{}")}"), "{}"u8.ToArray(), Now);
        Assert.Equal(expected, result.Refusal);
    }

    [Fact]
    public void Adyen_TheDocumentationsExample_IsTaken()
    {
        // The example of Adyen's page on verifying HMAC signatures.
        var item = AdyenItem("7914073381342284", "TestPayment-1407325143704", 1130, "coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0=");
        var result = new AdyenWebhookVerifier([AdyenKey]).Verify(new HeaderDictionary(), AdyenBody(item), Now);
        Assert.Null(result.Refusal);
        Assert.Equal("AUTHORISATION:7914073381342284:true", result.Events[0].Id);
    }

    [Fact]
    public void Adyen_SeveralItems_AreSeveralEvents()
    {
        var result = new AdyenWebhookVerifier(["00", AdyenKey]).Verify(
            new HeaderDictionary(), AdyenBody(AdyenItem("1", "a", 100), AdyenItem("2", "b", 200)), Now);
        Assert.Equal(["AUTHORISATION:1:true", "AUTHORISATION:2:true"], result.Events.Select(e => e.Id));
    }

    [Fact]
    public void Adyen_OneItemAltered_RefusesAll()
    {
        var altered = AdyenItem("2", "b", 200);
        altered["amount"]!["value"] = 20000;
        var result = new AdyenWebhookVerifier([AdyenKey]).Verify(new HeaderDictionary(), AdyenBody(AdyenItem("1", "a", 100), altered), Now);
        Assert.Equal(WebhookRefusal.BadSignature, result.Refusal);
    }

    [Fact]
    public void AllVerifiers_TenThousandBrokenRequests_AnswerWithARefusal()
    {
        var random = new Random(20260301);
        IWebhookVerifier[] verifiers = [new StandardWebhooksVerifier([Secret]), new StripeWebhookVerifier(["whsec_x"]), new AdyenWebhookVerifier([AdyenKey])];
        var samples = new[]
        {
            Encoding.UTF8.GetBytes("""{"id":"evt_1","type":"payment.captured","data":{"amount":100,"text":"\ud83d\ude00"}}"""),
            AdyenBody(AdyenItem("1", "a", 100)).ToArray(),
        };
        for (var i = 0; i < 10_000; i++)
        {
            var body = Mutate(random, samples[random.Next(samples.Length)]);
            var headers = StandardHeaders("{}", Now.ToUnixTimeSeconds(), Secret);
            headers["Stripe-Signature"] = $"t={Now.ToUnixTimeSeconds()},v1={StripeSign("whsec_x", 1, "{}")}";
            foreach (var name in headers.Keys.ToArray())
            {
                if (random.Next(2) == 0)
                    headers[name] = Encoding.Latin1.GetString(Mutate(random, Encoding.Latin1.GetBytes(headers[name].ToString())));
            }

            foreach (var verifier in verifiers)
            {
                var result = verifier.Verify(headers, body, Now);
                Assert.True(result.Refusal is not null || verifier is AdyenWebhookVerifier);
            }
        }
    }

    [Theory]
    [InlineData("""{"card":{"number":"4111111111111111","cvc":"123"},"amount":1250}""", """{"card":{"number":"***","cvc":"***"},"amount":1250}""")]
    [InlineData("""{"note":"paid with 4242 4242 4242 4242 today","client_secret":"x"}""", """{"note":"***","client_secret":"***"}""")]
    [InlineData("""{"token":{"a":1,"b":["x"]},"id":"evt_1"}""", """{"token":{"a":"***","b":["***"]},"id":"evt_1"}""")]
    [InlineData("""{"id":"pay_0198c0de","count":4242424242424241}""", """{"id":"pay_0198c0de","count":4242424242424241}""")]
    public void Mask_SecretsAndCardNumbers_AreReplaced(string payload, string expected) =>
        Assert.Equal(expected, PayloadMask.Apply(Encoding.UTF8.GetBytes(payload)));

    private static byte[] Mutate(Random random, byte[] original)
    {
        var bytes = original.ToList();
        for (var n = random.Next(1, 6); n > 0 && bytes.Count > 0; n--)
        {
            var at = random.Next(bytes.Count);
            switch (random.Next(4))
            {
                case 0: bytes[at] = (byte)random.Next(256); break;
                case 1: bytes.RemoveAt(at); break;
                case 2: bytes.Insert(at, (byte)random.Next(256)); break;
                default: bytes.RemoveRange(at, bytes.Count - at); break;
            }
        }

        return [.. bytes];
    }

    private static WebhookVerification Standard(string body, long time, string signedWith, params string[] secrets) =>
        new StandardWebhooksVerifier(secrets.Length == 0 ? [Secret] : secrets).Verify(StandardHeaders(body, time, signedWith), Encoding.UTF8.GetBytes(body), Now);

    private static HeaderDictionary StandardHeaders(string body, long time, string secret) => new()
    {
        [StandardWebhooks.IdHeader] = "msg_1",
        [StandardWebhooks.TimestampHeader] = $"{time}",
        [StandardWebhooks.SignatureHeader] = "v1,bm9uZQ== " + StandardWebhooks.Sign(StandardWebhooks.KeyOf(secret)!, "msg_1", time, Encoding.UTF8.GetBytes(body)),
    };

    private static HeaderDictionary Headers(string name, string value) => new() { [name] = value };

    private static string StripeSign(string secret, long time, string body) =>
        Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes($"{time}.{body}")));

    private static JsonObject AdyenItem(string psp, string reference, long value, string? signature = null) => new()
    {
        ["pspReference"] = psp,
        ["originalReference"] = null,
        ["merchantAccountCode"] = "TestMerchant",
        ["merchantReference"] = reference,
        ["amount"] = new JsonObject { ["value"] = value, ["currency"] = "EUR" },
        ["eventCode"] = "AUTHORISATION",
        ["success"] = "true",
        ["additionalData"] = new JsonObject
        {
            ["hmacSignature"] = signature ?? Convert.ToBase64String(HMACSHA256.HashData(
                Convert.FromHexString(AdyenKey), Encoding.UTF8.GetBytes($"{psp}::TestMerchant:{reference}:{value}:EUR:AUTHORISATION:true"))),
        },
    };

    private static ReadOnlyMemory<byte> AdyenBody(params JsonObject[] items) => Encoding.UTF8.GetBytes(new JsonObject
    {
        ["live"] = "false",
        ["notificationItems"] = new JsonArray([.. items.Select(item => new JsonObject { ["NotificationRequestItem"] = item })]),
    }.ToJsonString());
}
