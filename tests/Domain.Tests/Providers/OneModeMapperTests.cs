using System.Text.Json;
using Payments.Domain.Providers;
using Payments.Domain.Providers.Adyen;
using Payments.Domain.Providers.Stripe;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Domain.Tests.Providers;

/// <summary>Stripe sends test events of connected accounts to live endpoints, validly signed.</summary>
public sealed class OneModeMapperTests
{
    [Theory]
    [InlineData(Mode.Live, "true", true)]
    [InlineData(Mode.Live, "false", false)]
    [InlineData(Mode.Test, "true", false)]
    [InlineData(Mode.Test, "false", true)]
    public void Map_EventOfAMode_CountsForAProviderOfThisModeAlone(Mode mode, string livemode, bool counts)
    {
        var received = new ProviderEvent(
            Guid.Empty, "stripe", "evt_1", "radar.early_fraud_warning.created", ProviderEventStatus.Received, 0, null, null,
            DateTimeOffset.UnixEpoch, null);
        var payload = JsonDocument.Parse(
            $$$"""{"livemode":{{{livemode}}},"created":1,"data":{"object":{"id":"issfr_1","charge":"ch_1","actionable":true}} }""")
            .RootElement;
        var mapper = new OneModeMapper(new StripeEarlyWarningMapper(), mode, StripeType.Type.ModeOfEvent);

        Assert.Equal(counts, mapper.Map(received, payload) is not EventIgnored);
    }

    [Theory]
    [InlineData("https://checkout-test.adyen.com/v71/", Mode.Test)]
    [InlineData("https://1797a841fbb37ca7-Shop-checkout-live.adyenpayments.com/checkout/v71/", Mode.Live)]
    [InlineData("http://127.0.0.1:7090/", null)]
    public void ModeOfAddress_OfAdyen_IsItsEnvironment(string address, Mode? expected) =>
        Assert.Equal(expected, AdyenType.Type.ModeOfAddress(new Uri(address)));
}
