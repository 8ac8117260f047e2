using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Payments.Domain.Providers;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Domain.Tests.Webhooks;

/// <summary>The worked example of docs/webhooks.md, "Adding a partner": what would be the folder domain/Providers/Acme, and nothing outside it.</summary>
public sealed class PartnerIntegrationTests
{
    private static readonly DateTimeOffset Now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void AddPartnerIntegrations_OfAnAssemblyWithOne_VerifiesAndMapsItsEvents()
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Webhooks:Inbound:acme:Scheme"] = "acme",
            ["Webhooks:Inbound:acme:Secret"] = "shared",
        }).Build();
        using var services = new ServiceCollection()
            .AddSingleton<IConfiguration>(configuration)
            .AddSingleton<InboundProviders>()
            .AddPartnerIntegrations(configuration, typeof(PartnerIntegrationTests).Assembly)
            .BuildServiceProvider();
        var body = """{"case":"c_7","state":"closed"}"""u8.ToArray();
        var headers = new HeaderDictionary { ["X-Acme-Signature"] = Convert.ToHexString(HMACSHA256.HashData("shared"u8, body)), ["X-Acme-Event"] = "evt_1" };

        var verifier = services.GetRequiredService<InboundProviders>().Find("acme")!;
        var verified = Assert.Single(verifier.Verify(headers, body, Now).Events);
        var received = new ProviderEvent(Guid.Empty, "acme", verified.Id, verified.Type, ProviderEventStatus.Received, 0, null, verified.Payload, Now, null);
        var mapper = Assert.Single(services.GetServices<INeutralEventMapper>());

        Assert.Equal(("evt_1", "case"), (verified.Id, verified.Type));
        Assert.Equal(new CaseClosed("c_7"), mapper.Map(received, JsonElement.Parse(verified.Payload.Span)));
        Assert.Equal(WebhookRefusal.BadSignature, verifier.Verify(headers, "{}"u8.ToArray(), Now).Refusal);
    }

    [Fact]
    public void AddProviders_WithAndWithoutSections_BringsTheMappersOfEveryProvider()
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Providers:Stripe_Test:Type"] = "stripe",
            ["Providers:Stripe_Test:SecretKey"] = "sk_test_1",
        }).Build();
        using var services = new ServiceCollection().AddProviders(configuration).BuildServiceProvider();

        var mappers = services.GetServices<INeutralEventMapper>().Select(mapper => mapper.Provider).ToList();

        Assert.Superset(new HashSet<string> { "sandbox", "stripe", "adyen", "stripe_test" }, mappers.ToHashSet());
        Assert.Equal(3, mappers.Count(name => name == "stripe_test"));
    }

    private sealed record CaseClosed(string Case) : INeutralEvent;

    private sealed class AcmeIntegration : IPartnerIntegration
    {
        public void Register(IServiceCollection services, IConfiguration configuration)
        {
            services.AddProviderEvents<AcmeMapper>();
            services.AddWebhookScheme("acme", secrets => new AcmeVerifier(secrets));
        }
    }

    private sealed class AcmeMapper : INeutralEventMapper
    {
        public string Provider => "acme";

        public INeutralEvent? Map(ProviderEvent received, JsonElement payload)
        {
            if (received.Type != "case")
                return null;
            return payload.TryGetProperty("case", out var id) && id.ValueKind is JsonValueKind.String ? new CaseClosed(id.GetString()!) : throw new FormatException("The case has no id.");
        }
    }

    private sealed class AcmeVerifier(IReadOnlyList<string> secrets) : IWebhookVerifier
    {
        public string Acknowledgement => "OK";

        public WebhookVerification Verify(IHeaderDictionary headers, ReadOnlyMemory<byte> body, DateTimeOffset now)
        {
            var given = new byte[HMACSHA256.HashSizeInBytes];
            if (headers["X-Acme-Event"].ToString() is not { Length: > 0 and <= 255 } id
                || Convert.FromHexString(headers["X-Acme-Signature"].ToString(), given, out _, out var length) != System.Buffers.OperationStatus.Done || length != given.Length)
            {
                return WebhookVerification.Refused(WebhookRefusal.MissingSignature);
            }

            var matches = false;
            foreach (var secret in secrets)
                matches |= CryptographicOperations.FixedTimeEquals(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), body.Span), given);
            return matches ? WebhookVerification.Of(new VerifiedEvent(id, "case", body)) : WebhookVerification.Refused(WebhookRefusal.BadSignature);
        }
    }
}
