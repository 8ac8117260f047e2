using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http;
using NSec.Cryptography;
using Payments.Domain.Webhooks;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Domain.Tests.Webhooks;

public sealed class Ed25519Tests
{
    private const string Body = """{"type":"payment.captured","data":{"amount":100}}""";
    private static readonly DateTimeOffset Now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    /// <summary>RFC 8032, section 7.1: tests 1 to 3 and SHA(abc).</summary>
    public static TheoryData<string, string, string, string> Vectors => new()
    {
        {
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        },
        {
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        },
        {
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        },
        {
            "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42", "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"
        },
    };

    [Theory]
    [MemberData(nameof(Vectors))]
    public void Keys_OfTheRfc_GiveItsPublicKeysAndSignatures(string seed, string publicKey, string message, string signature)
    {
        var text = "whsk_" + Convert.ToBase64String(Convert.FromHexString(seed));
        Assert.Equal("whpk_" + Convert.ToBase64String(Convert.FromHexString(publicKey)), StandardWebhooksEd25519.PublicKeyOf(text));
        Assert.Equal(
            StandardWebhooksEd25519.PublicKeyOf(text), StandardWebhooksEd25519.PublicKeyOf("whsk_" + Convert.ToBase64String(Convert.FromHexString(seed + publicKey))));

        using var key = StandardWebhooksEd25519.PrivateKey(text)!;
        Assert.Equal(signature, Convert.ToHexStringLower(SignatureAlgorithm.Ed25519.Sign(key, Convert.FromHexString(message))));
    }

    [Fact]
    public void NewPrivateKey_EachTime_IsAnother() => Assert.NotEqual(StandardWebhooksEd25519.NewPrivateKey(), StandardWebhooksEd25519.NewPrivateKey());

    [Theory]
    [InlineData("")]
    [InlineData("whsk_")]
    [InlineData("whsk_!")]
    [InlineData("whsk_AAAA")]
    [InlineData("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    [InlineData("whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==")]
    public void PrivateKey_TextThatIsNone_IsNotTaken(string text)
    {
        Assert.Null(StandardWebhooksEd25519.PrivateKey(text));
        Assert.Throws<FormatException>(() => StandardWebhooksEd25519.PublicKeyOf(text));
    }

    [Theory]
    [InlineData("")]
    [InlineData("whpk_AAAA")]
    [InlineData("whpk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    [InlineData("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    public void PublicKey_TextThatIsNone_IsNotTaken(string text) => Assert.Null(StandardWebhooksEd25519.PublicKey(text));

    [Fact]
    public void Verify_SignedWithThePrivateKey_IsTakenAndAnythingElseIsNot()
    {
        var key = StandardWebhooksEd25519.NewPrivateKey();
        var verifier = new StandardWebhooksVerifier([StandardWebhooksEd25519.PublicKeyOf(key)]);
        var headers = Headers(key);

        Assert.Null(verifier.Verify(headers, Encoding.UTF8.GetBytes(Body), Now).Refusal);
        Assert.Equal(WebhookRefusal.TooOld, verifier.Verify(headers, Encoding.UTF8.GetBytes(Body), Now.AddSeconds(301)).Refusal);
        Assert.Equal(WebhookRefusal.BadSignature, verifier.Verify(Headers(StandardWebhooksEd25519.NewPrivateKey()), Encoding.UTF8.GetBytes(Body), Now).Refusal);
        for (var i = 0; i < Body.Length; i++)
        {
            var altered = Encoding.UTF8.GetBytes(Body);
            altered[i] ^= 1;
            Assert.Equal(WebhookRefusal.BadSignature, verifier.Verify(headers, altered, Now).Refusal);
        }

        var signature = Convert.FromBase64String(headers[StandardWebhooks.SignatureHeader].ToString()["v1a,".Length..]);
        for (var i = 0; i < signature.Length; i++)
        {
            var altered = signature.ToArray();
            altered[i] ^= 1;
            headers[StandardWebhooks.SignatureHeader] = "v1a," + Convert.ToBase64String(altered);
            Assert.Equal(WebhookRefusal.BadSignature, verifier.Verify(headers, Encoding.UTF8.GetBytes(Body), Now).Refusal);
        }
    }

    [Fact]
    public void Verify_PartnerChangingFromASecretToAKey_IsTakenEitherWay()
    {
        const string Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        var key = StandardWebhooksEd25519.NewPrivateKey();
        var verifier = new StandardWebhooksVerifier([StandardWebhooksEd25519.PublicKeyOf(key), Secret]);

        Assert.Null(verifier.Verify(Headers(key), Encoding.UTF8.GetBytes(Body), Now).Refusal);
        Assert.Null(verifier.Verify(Headers(Secret), Encoding.UTF8.GetBytes(Body), Now).Refusal);
        Assert.Equal(WebhookRefusal.BadSignature, verifier.Verify(Headers(StandardWebhooks.NewSecret()), Encoding.UTF8.GetBytes(Body), Now).Refusal);
    }

    [Fact]
    public void Verify_KeyOfSmallOrder_ProvesNothing()
    {
        // With the neutral element for a key, and for R, any message would pass where only the equation is checked.
        var neutral = new byte[32];
        neutral[0] = 1;
        if (StandardWebhooksEd25519.PublicKey("whpk_" + Convert.ToBase64String(neutral)) is not { } weak)
            return;
        Assert.False(StandardWebhooksEd25519.Verify([weak], "msg_1", 1, Encoding.UTF8.GetBytes(Body), "v1a," + Convert.ToBase64String([.. neutral, .. new byte[32]])));
    }

    [Theory]
    [InlineData(StandardWebhooks.MostSignatures - 1, true)]
    [InlineData(StandardWebhooks.MostSignatures, false)]
    public void Verify_SignatureBehindManyOthers_IsFoundAmongTheFirstSixteen(int others, bool found)
    {
        foreach (var key in new[] { StandardWebhooksEd25519.NewPrivateKey(), StandardWebhooks.NewSecret() })
        {
            var headers = Headers(key);
            headers[StandardWebhooks.SignatureHeader] = string.Concat(Enumerable.Repeat("v1,bm9uZQ== ", others)) + headers[StandardWebhooks.SignatureHeader];
            var verifier = new StandardWebhooksVerifier([key.StartsWith("whsk_", StringComparison.Ordinal) ? StandardWebhooksEd25519.PublicKeyOf(key) : key]);
            Assert.Equal(found ? null : WebhookRefusal.BadSignature, verifier.Verify(headers, Encoding.UTF8.GetBytes(Body), Now).Refusal);
        }
    }

    private static HeaderDictionary Headers(string signingKey)
    {
        using var key = SigningKey.Parse(signingKey);
        var time = Now.ToUnixTimeSeconds();
        return new HeaderDictionary
        {
            [StandardWebhooks.IdHeader] = "msg_1",
            [StandardWebhooks.TimestampHeader] = time.ToString(CultureInfo.InvariantCulture),
            [StandardWebhooks.SignatureHeader] = key.Sign("msg_1", time, Encoding.UTF8.GetBytes(Body)),
        };
    }
}
