using System.Net;
using Payments.Domain.Messaging;
using Payments.Domain.Webhooks.Outbound;

namespace Payments.Domain.Tests.Webhooks;

public sealed class OutboundRulesTests
{
    [Theory]
    [InlineData(1, 5)]
    [InlineData(2, 300)]
    [InlineData(3, 1800)]
    [InlineData(4, 7200)]
    [InlineData(5, 18000)]
    [InlineData(6, 36000)]
    [InlineData(7, 50400)]
    [InlineData(8, 72000)]
    [InlineData(9, 86400)]
    public void WaitAfter_EachAttempt_IsTheScheduleGiveOrTakeAFifth(int attempts, int seconds)
    {
        Assert.Equal(0.8 * seconds, DeliveryRules.WaitAfter(attempts, null, 0).TotalSeconds, 3);
        Assert.Equal(seconds, DeliveryRules.WaitAfter(attempts, null, 0.5).TotalSeconds, 3);
        Assert.Equal(1.2 * seconds, DeliveryRules.WaitAfter(attempts, null, 1).TotalSeconds, 3);
    }

    [Theory]
    [InlineData(1, 120, 120)]
    [InlineData(1, 1, 5)]
    [InlineData(1, -50, 5)]
    [InlineData(1, 1_000_000, 86400)]
    [InlineData(9, 1_000_000, 86400)]
    public void WaitAfter_EndpointAsksForATime_WaitsThatLongAndADayAtMost(int attempts, int asked, int expected) =>
        Assert.Equal(expected, DeliveryRules.WaitAfter(attempts, TimeSpan.FromSeconds(asked), 0.5).TotalSeconds, 3);

    [Theory]
    [InlineData(200, AttemptOutcome.Delivered)]
    [InlineData(204, AttemptOutcome.Delivered)]
    [InlineData(299, AttemptOutcome.Delivered)]
    [InlineData(301, AttemptOutcome.Rejected)]
    [InlineData(308, AttemptOutcome.Rejected)]
    [InlineData(400, AttemptOutcome.Rejected)]
    [InlineData(404, AttemptOutcome.Rejected)]
    [InlineData(410, AttemptOutcome.Gone)]
    [InlineData(429, AttemptOutcome.Throttled)]
    [InlineData(500, AttemptOutcome.ServerError)]
    [InlineData(502, AttemptOutcome.Throttled)]
    [InlineData(503, AttemptOutcome.ServerError)]
    [InlineData(504, AttemptOutcome.Throttled)]
    public void Read_StatusCode_MeansItsOutcome(int status, AttemptOutcome expected) => Assert.Equal(expected, DeliveryRules.Read(status));

    [Fact]
    public void Next_EveryOutcomeAtEveryAttempt_EndsOrHasAWait()
    {
        foreach (var outcome in Enum.GetValues<AttemptOutcome>())
        {
            for (var attempts = 1; attempts <= DeliveryRules.MaxAttempts; attempts++)
            {
                var expected = outcome switch
                {
                    AttemptOutcome.Delivered => DeliveryStep.Done,
                    AttemptOutcome.Gone => DeliveryStep.Disable,
                    _ => attempts == 10 ? DeliveryStep.GiveUp : DeliveryStep.Retry,
                };
                Assert.Equal(expected, DeliveryRules.Next(outcome, attempts));
                if (expected == DeliveryStep.Retry)
                    Assert.True(DeliveryRules.WaitAfter(attempts, null, 0) > TimeSpan.Zero);
            }
        }
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(2, 0)]
    [InlineData(3, 5)]
    [InlineData(4, 10)]
    [InlineData(8, 160)]
    [InlineData(9, 300)]
    [InlineData(int.MaxValue, 300)]
    public void PauseAfter_FailuresInARow_Grows(int failures, int seconds) => Assert.Equal(seconds, DeliveryRules.PauseAfter(failures).TotalSeconds);

    [Theory]
    [InlineData("93.184.216.34", true)]
    [InlineData("8.8.8.8", true)]
    [InlineData("2606:2800:220:1:248:1893:25c8:1946", true)]
    [InlineData("0.0.0.0", false)]
    [InlineData("10.1.2.3", false)]
    [InlineData("100.64.0.1", false)]
    [InlineData("127.0.0.1", false)]
    [InlineData("127.8.8.8", false)]
    [InlineData("169.254.169.254", false)]
    [InlineData("168.63.129.16", false)]
    [InlineData("172.16.0.1", false)]
    [InlineData("172.31.255.255", false)]
    [InlineData("172.32.0.1", true)]
    [InlineData("192.168.1.1", false)]
    [InlineData("198.18.0.1", false)]
    [InlineData("224.0.0.1", false)]
    [InlineData("255.255.255.255", false)]
    [InlineData("::", false)]
    [InlineData("::1", false)]
    [InlineData("::ffff:127.0.0.1", false)]
    [InlineData("::ffff:10.0.0.1", false)]
    [InlineData("::ffff:8.8.8.8", true)]
    [InlineData("::7f00:1", false)]
    [InlineData("64:ff9b::a00:1", false)]
    [InlineData("fe80::1", false)]
    [InlineData("fec0::1", false)]
    [InlineData("fc00::1", false)]
    [InlineData("fd12:3456::1", false)]
    [InlineData("ff02::1", false)]
    [InlineData("2001::1", false)]
    [InlineData("2001:db8::1", false)]
    [InlineData("2002:7f00:1::", false)]
    public void IsPublic_Address_IsJudgedByItsRange(string address, bool expected) => Assert.Equal(expected, AddressGuard.IsPublic(IPAddress.Parse(address)));

    [Theory]
    [InlineData("https://example.com/hooks?a=1", null)]
    [InlineData("https://example.com:8443/", null)]
    [InlineData("http://example.com/", EndpointRefusal.UrlNotSecure)]
    [InlineData("https://localhost/", EndpointRefusal.UrlNotPublic)]
    [InlineData("https://LOCALHOST./", EndpointRefusal.UrlNotPublic)]
    [InlineData("https://intranet/", EndpointRefusal.UrlNotPublic)]
    [InlineData("https://127.0.0.1/", EndpointRefusal.UrlNotPublic)]
    [InlineData("https://2130706433/", EndpointRefusal.UrlNotPublic)]
    [InlineData("https://0x7f.1/", EndpointRefusal.UrlNotPublic)]
    [InlineData("https://[::1]/", EndpointRefusal.UrlNotPublic)]
    [InlineData("https://[::ffff:10.0.0.1]/", EndpointRefusal.UrlNotPublic)]
    [InlineData("https://169.254.169.254/metadata", EndpointRefusal.UrlNotPublic)]
    [InlineData("https://user:pass@example.com/", EndpointRefusal.UrlInvalid)]
    [InlineData("https://example.com/#x", EndpointRefusal.UrlInvalid)]
    [InlineData("ftp://example.com/", EndpointRefusal.UrlInvalid)]
    [InlineData("/hooks", EndpointRefusal.UrlInvalid)]
    [InlineData("", EndpointRefusal.UrlInvalid)]
    [InlineData(null, EndpointRefusal.UrlInvalid)]
    public void CheckUrl_Address_IsTakenOnlyIfPublicAndSecure(string? url, EndpointRefusal? expected) => Assert.Equal(expected, EndpointRules.CheckUrl(url, allowLoopback: false));

    [Theory]
    [InlineData("http://localhost:5000/hooks", null)]
    [InlineData("http://127.0.0.1:5000/", null)]
    [InlineData("http://10.0.0.1/", EndpointRefusal.UrlNotSecure)]
    [InlineData("https://10.0.0.1/", EndpointRefusal.UrlNotPublic)]
    public void CheckUrl_LoopbackAllowed_OpensNothingElse(string url, EndpointRefusal? expected) => Assert.Equal(expected, EndpointRules.CheckUrl(url, allowLoopback: true));

    [Theory]
    [InlineData("*", true)]
    [InlineData("charge.*", true)]
    [InlineData("charge.captured", true)]
    [InlineData("webhook_endpoint.disabled", true)]
    [InlineData("refund.processing", true)]
    [InlineData("payment.succeeded", false)]
    [InlineData("payment.*", false)]
    [InlineData("charge.refunded", false)]
    [InlineData("dispute_file.completed", false)]
    [InlineData("charge", false)]
    [InlineData("*.captured", false)]
    [InlineData("Charge.Captured", false)]
    [InlineData("charge.captured ", false)]
    [InlineData("", false)]
    public void CheckEventTypes_Filter_IsATypeAFamilyOrEverything(string type, bool expected) =>
        Assert.Equal(expected, EndpointRules.CheckEventTypes([type]) is null);

    [Theory]
    [InlineData("EventType", false)]
    [InlineData("EventTypeFilter", true)]
    public void EventTypes_OfTheContract_AreThoseOfTheCode(string schema, bool filters)
    {
        var contract = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Webhooks", "openapi.yaml"));
        var start = contract.IndexOf($"    {schema}:\n", StringComparison.Ordinal);
        var list = contract[(contract.IndexOf('[', start) + 1)..contract.IndexOf(']', start)];

        IEnumerable<string> expected = filters ? EventTypes.Filters : [.. EventTypes.OfMerchants, .. EventTypes.OfThePlatform];
        Assert.Equal(expected, list.Split(',').Select(type => type.Trim().Trim('\'')));
    }
}
