using System.Text.Json;
using System.Text.RegularExpressions;
using Payments.Domain.Disputes;
using Payments.Domain.Providers;
using Payments.Domain.Providers.Adyen;
using Payments.Domain.Providers.Stripe;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Domain.Tests.Providers;

/// <summary>Every type of event of Stripe and Adyen: the page says what becomes of it, and that becomes of it.</summary>
public sealed partial class EventTypesTests
{
    private static readonly string Page = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Providers", "providers.md"));

    public static TheoryData<string, string> Types() =>
        new(Rows("stripe", StripeEventTypes.All).Concat(Rows("adyen", AdyenEventTypes.All)));

    [Theory]
    [InlineData("Stripe", 266)]
    [InlineData("Adyen", 48)]
    public void Page_ListsEveryTypeAsTheCodeDoes(string provider, int count)
    {
        var start = Page.IndexOf($"### Event types of {provider}\n", StringComparison.Ordinal);
        var end = Page.IndexOf("\n#", start + 4, StringComparison.Ordinal);
        var rows = Page[start..end].Split('\n').Where(line => line.StartsWith("| `", StringComparison.Ordinal)).Select(line => line.Split('|', StringSplitOptions.TrimEntries)).ToList();

        var types = provider == "Stripe" ? StripeEventTypes.All : AdyenEventTypes.All;
        Assert.Equal(
            types.Groups.Select(treated => (string.Join(' ', treated.Types), treated.Treatment.ToString().ToLowerInvariant(), treated.Because)),
            rows.Select(row => (string.Join(' ', Quoted().Matches(row[1]).Select(m => m.Groups[1].Value)), row[2], row[3])));
        Assert.Equal(count, types.Groups.Sum(treated => treated.Types.Count));
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void Map_EveryType_DoesWhatItsListSays(string provider, string type)
    {
        var listed = (provider == "stripe" ? StripeEventTypes.All : AdyenEventTypes.All).Find(type)!;

        switch (listed.Treatment)
        {
            case EventTreatment.Applied:
                Assert.True(Map(provider, type) is PaymentReported or OperationReported or RefundedInAll or DisputeTold, $"{type} is not applied.");
                break;
            case EventTreatment.Ignored:
                Assert.Equal(new EventIgnored(listed.Because), Map(provider, type));
                break;
            case EventTreatment.Raised:
                Assert.Contains(listed.Because, Assert.Throws<FormatException>(() => Map(provider, type)).Message, StringComparison.Ordinal);
                break;
        }
    }

    [Theory]
    [InlineData("stripe", "payment_intent_of_tomorrow.created")]
    [InlineData("adyen", "REFUND_OF_TOMORROW")]
    public void Map_NewTypeThatNamesAPaymentOfOurs_IsRaised(string provider, string type)
    {
        Assert.Throws<FormatException>(() => Map(provider, type));
        Assert.IsType<EventIgnored>(Map(provider, type, "order 12"));
    }

    private static IEnumerable<(string, string)> Rows(string provider, ProviderEventTypes all) => all.Groups.SelectMany(treated => treated.Types, (_, type) => (provider, type));

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Quoted();

    private static INeutralEvent? Map(string provider, string type, string? reference = null)
    {
        reference ??= Some.Reference.ToString();
        var received = StripeProviderTests.Event(provider, type);
        var payload = JsonElement.Parse(provider == "stripe" ? Stripe(type, reference) : Adyen(type, reference));
        IEnumerable<INeutralEventMapper> mappers = provider == "stripe"
            ? [new StripeDisputeMapper(), new StripeEarlyWarningMapper(), new StripePaymentEvents("stripe")]
            : [new AdyenDisputeMapper(), new AdyenPaymentEvents("adyen")];
        return mappers.Select(mapper => mapper.Map(received, payload)).FirstOrDefault(neutral => neutral is not null);
    }

    private static string Stripe(string type, string reference)
    {
        var status = type switch
        {
            _ when type.StartsWith("charge.dispute.", StringComparison.Ordinal) => "needs_response",
            "payment_intent.canceled" => "canceled",
            _ => "succeeded",
        };
        return $$"""
            {"id":"evt_1","object":"event","created":1775001600,"type":"{{type}}","data":{"object":{"id":"obj_1","status":"{{status}}","amount":1050,"amount_refunded":1050,"currency":"eur",
             "payment_intent":"pi_1","charge":"ch_1","actionable":true,"metadata":{"reference":"{{reference}}"} } } }
            """;
    }

    private static string Adyen(string type, string reference) => $$"""
        {"additionalData":{"modification.action":"refund","disputeStatus":"{{(type == "INFORMATION_SUPPLIED" ? "Pending" : "Won")}}"},"amount":{"currency":"EUR","value":1050},"eventCode":"{{type}}",
         "eventDate":"2026-03-01T12:00:00+01:00","merchantAccountCode":"Shop","merchantReference":"{{reference}}","originalReference":"PSP1","pspReference":"MOD1","reason":"","success":"true"}
        """;
}
