using System.Text.Json;
using Payments.Domain.Disputes;
using Payments.Domain.Providers.Adyen;
using Payments.Domain.Providers.Sandbox;
using Payments.Domain.Providers.Stripe;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Domain.Tests.Disputes;

public sealed class ProviderDisputesTests
{
    [Fact]
    public void Sandbox_PartlyWon_ReturnsWhatIsNoLongerHeld()
    {
        var update = SandboxDisputes.Read(
            Json("""
                {"object":"dispute","id":"dsp_1","payment_id":"pay_1","payment_reference":"pf_1","status":"won","stage":"chargeback","amount":1000,"currency":"EUR",
                 "reason_code":"10.4","network":"visa","evidence_due_by":"2026-04-01T00:00:00Z","has_evidence":true,"held_amount":400,"funds":[],"version":3,
                 "created_at":"2026-03-01T10:00:00Z","updated_at":"2026-03-20T10:00:00.1234567Z"}
                """),
            DisputeSource.Webhook,
            "aevt_1");
        Assert.Equal(
            new DisputeUpdate(
                "sandbox", "dsp_1", "pay_1", DisputeStage.Chargeback, DisputeStatus.Won, Any.Eur(1000), Any.Eur(600), null, "visa", "10.4", null,
                new DateTimeOffset(2026, 4, 1, 0, 0, 0, TimeSpan.Zero), DateTimeOffset.Parse("2026-03-20T10:00:00.1234567Z", null), DisputeSource.Webhook, "aevt_1"),
            update);
    }

    [Fact]
    public void Stripe_DisputeInAnotherCurrency_CarriesWhatTheBalanceLost()
    {
        var at = new DateTimeOffset(2026, 3, 2, 0, 0, 0, TimeSpan.Zero);
        var update = StripeDisputes.Read(
            Json("""
                {"id":"du_1","object":"dispute","amount":11000,"currency":"usd","charge":"ch_9","payment_intent":"pi_9","status":"needs_response","reason":"fraudulent",
                 "evidence_details":{"due_by":1775001600,"has_evidence":false},"payment_method_details":{"type":"card","card":{"brand":"visa","network_reason_code":"10.4"}},
                 "balance_transactions":[{"amount":-10210,"currency":"eur","fee":1500}]}
                """),
            at,
            DisputeSource.Webhook,
            "evt_1");
        Assert.Equal(
            new DisputeUpdate(
                "stripe", "du_1", "pi_9", DisputeStage.Chargeback, DisputeStatus.NeedsResponse, Any.Usd(11000), null, Any.Eur(10210), "visa", "10.4",
                DisputeReason.Fraudulent, DateTimeOffset.FromUnixTimeSeconds(1775001600), at, DisputeSource.Webhook, "evt_1"),
            update);
    }

    [Theory]
    [InlineData("stripe-dispute-same-currency.json", "GBP", 6_630)]
    [InlineData("stripe-dispute-other-currency.json", "GBP", 6_530)]
    public void Stripe_SeveralBalanceTransactions_AllCount(string file, string currency, long expected)
    {
        var payload = Json(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Providers", "Cases", file)));
        var received = new ProviderEvent(Guid.Empty, "stripe", "evt_1", "charge.dispute.created", ProviderEventStatus.Received, 0, null, null, Any.Start, null);

        var update = Assert.IsType<DisputeTold>(new StripeDisputeMapper().Map(received, payload)).Update;

        Assert.Equal(new Money(expected, Currency.Of(currency)), update.MerchantAmount);
        var charged = new Money(6_500, Currency.Of("GBP"));
        Assert.Equal(expected, DisputePosition.Target(DisputeHistory.Fold([update])!, charged, Payments.Domain.Pricing.DisputeFees.None).Withdrawn.MinorUnits);
    }

    [Theory]
    [InlineData("""[{"amount":-5000,"currency":"eur"}]""", null)]
    [InlineData("""[{"amount":-5000,"currency":"eur"},{"amount":5000,"currency":"eur"}]""", null)]
    [InlineData("""[{"amount":-5000,"currency":"eur"},{"amount":-1,"currency":"eur"},{"amount":5001,"currency":"eur"}]""", 5001L)]
    [InlineData("[]", null)]
    public void Stripe_BalanceTransactions_OnlyWhatWasTakenCounts(string transactions, long? expected)
    {
        var update = StripeDisputes.Read(
            Json($$$"""{"id":"du_1","amount":5000,"currency":"eur","charge":"ch_9","status":"needs_response","balance_transactions":{{{transactions}}}}"""), Any.Start, DisputeSource.Webhook, "evt_1");

        Assert.Equal(expected, update.MerchantAmount?.MinorUnits);
    }

    [Theory]
    [InlineData("true", DisputeStatus.WarningNeedsResponse)]
    [InlineData("false", DisputeStatus.WarningClosed)]
    public void Stripe_EarlyFraudWarning_IsAWarningAboutTheWholeCharge(string actionable, DisputeStatus status)
    {
        var payload = Json("""
            {"id":"evt_1","type":"radar.early_fraud_warning.created","created":1775001600,"data":{"object":{"id":"issfr_1","object":"radar.early_fraud_warning","actionable":ACTIONABLE,
             "charge":"ch_9","payment_intent":"pi_9","created":1775001500,"fraud_type":"unauthorized_use_of_card","livemode":false}}}
            """.Replace("ACTIONABLE", actionable, StringComparison.Ordinal));
        var received = new ProviderEvent(Guid.Empty, "stripe", "evt_1", "radar.early_fraud_warning.created", ProviderEventStatus.Received, 0, null, null, Any.Start, null);
        var update = Assert.IsType<DisputeTold>(new StripeEarlyWarningMapper().Map(received, payload)).Update;
        Assert.Equal(
            new DisputeUpdate(
                "stripe", "issfr_1", "pi_9", DisputeStage.EarlyWarning, status, null, null, null, null, null, DisputeReason.Fraudulent, null,
                DateTimeOffset.FromUnixTimeSeconds(1775001600), DisputeSource.Webhook, "evt_1"),
            update);
        Assert.Equal(Any.Eur(5000), DisputeHistory.Fold([update], Any.Eur(5000))!.Amount);
        Assert.Null(DisputeHistory.Fold([update]));
        Assert.Throws<FormatException>(() => new StripeEarlyWarningMapper().Map(received, Json("""{"created":1,"data":{"object":{"id":"issfr_1"}}}""")));
    }

    [Theory]
    [InlineData("warning_needs_response", DisputeStage.Inquiry, DisputeStatus.WarningNeedsResponse)]
    [InlineData("warning_closed", DisputeStage.Inquiry, DisputeStatus.WarningClosed)]
    [InlineData("prevented", DisputeStage.EarlyWarning, DisputeStatus.Prevented)]
    [InlineData("lost", DisputeStage.Chargeback, DisputeStatus.Lost)]
    public void Stripe_Status_NamesItsStage(string status, DisputeStage stage, DisputeStatus expected)
    {
        var update = StripeDisputes.Read(
            Json($$$"""{"id":"du_1","amount":1,"currency":"eur","charge":"ch_9","payment_intent":null,"status":"{{{status}}}","reason":"something_new","evidence_details":{"due_by":null},"balance_transactions":[]}"""),
            Any.Start, DisputeSource.Webhook, "evt_1");
        Assert.Equal((stage, expected, "ch_9"), (update.Stage, update.Status, update.ChargeReference));
        Assert.Null(update.Reason);
        Assert.Null(update.Check());
    }

    [Theory]
    [InlineData("NOTIFICATION_OF_FRAUD", null, DisputeStage.EarlyWarning, DisputeStatus.WarningNeedsResponse)]
    [InlineData("REQUEST_FOR_INFORMATION", null, DisputeStage.Inquiry, DisputeStatus.WarningNeedsResponse)]
    [InlineData("NOTIFICATION_OF_CHARGEBACK", "Undefended", DisputeStage.Chargeback, DisputeStatus.NeedsResponse)]
    [InlineData("CHARGEBACK", "Pending", DisputeStage.Chargeback, DisputeStatus.UnderReview)]
    [InlineData("CHARGEBACK", "Lost", DisputeStage.Chargeback, DisputeStatus.Lost)]
    [InlineData("CHARGEBACK_REVERSED", "Pending", DisputeStage.Chargeback, DisputeStatus.Won)]
    [InlineData("SECOND_CHARGEBACK", "Lost", DisputeStage.PreArbitration, DisputeStatus.Lost)]
    [InlineData("PREARBITRATION_WON", null, DisputeStage.PreArbitration, DisputeStatus.Won)]
    [InlineData("DISPUTE_DEFENSE_PERIOD_ENDED", "Expired", DisputeStage.Chargeback, DisputeStatus.Expired)]
    [InlineData("INFORMATION_SUPPLIED", "Responded", DisputeStage.Inquiry, DisputeStatus.WarningUnderReview)]
    [InlineData("INFORMATION_SUPPLIED", "Pending", DisputeStage.Chargeback, DisputeStatus.UnderReview)]
    [InlineData("ISSUER_RESPONSE_TIMEFRAME_EXPIRED", "Won", DisputeStage.Chargeback, DisputeStatus.Won)]
    [InlineData("PREARBITRATION_ISSUER_WITHDRAWN", null, DisputeStage.PreArbitration, DisputeStatus.Won)]
    [InlineData("SCHEME_ARBITRATION_WON", null, DisputeStage.Arbitration, DisputeStatus.Won)]
    [InlineData("SCHEME_ARBITRATION_LOST", null, DisputeStage.Arbitration, DisputeStatus.Lost)]
    public void Adyen_EventCode_NamesItsPlace(string code, string? disputeStatus, DisputeStage stage, DisputeStatus status)
    {
        var update = AdyenDisputes.Read(
            Json($$$"""
                {"eventCode":"{{{code}}}","pspReference":"D1","originalReference":"P1","eventDate":"2026-03-02T09:00:00+01:00","amount":{"value":500,"currency":"EUR"},
                 "additionalData":{"disputeStatus":{{{(disputeStatus is null ? "null" : $"\"{disputeStatus}\"")}}},"chargebackReasonCode":"4837","chargebackSchemeCode":"mc","defensePeriodEndsAt":"2026-04-01T00:00:00+02:00"}}
                """),
            DisputeSource.Webhook, "n1");
        Assert.Equal((stage, status, "D1", "P1"), (update.Stage, update.Status, update.ProviderDisputeId, update.ChargeReference));
        Assert.Equal(new DateTimeOffset(2026, 3, 31, 22, 0, 0, TimeSpan.Zero), update.EvidenceDueBy);
        Assert.Equal(DisputeReason.Fraudulent, DisputeReasons.FromNetwork(update.Network, update.NetworkReasonCode));
        Assert.Null(update.Check());
    }

    [Fact]
    public void Read_SomethingElse_IsAFormatError()
    {
        var payment = Json("""{"object":"payment","id":"pay_1","status":"captured"}""");
        Assert.Throws<FormatException>(() => SandboxDisputes.Read(payment, DisputeSource.Webhook, "x"));
        Assert.Throws<FormatException>(() => StripeDisputes.Read(payment, Any.Start, DisputeSource.Webhook, "x"));
        Assert.Throws<FormatException>(() => AdyenDisputes.Read(payment, DisputeSource.Webhook, "x"));
    }

    /// <summary>The reader refuses an amount that overflows, so that the event is kept as failed instead of being retried.</summary>
    [Fact]
    public void Read_AmountBeyondAllBounds_IsAFormatError()
    {
        var adyen = Json($$$"""
            {"eventCode":"CHARGEBACK","pspReference":"D1","originalReference":"P1","eventDate":"2026-03-02T09:00:00+01:00",
             "amount":{"value":{{{long.MaxValue}}},"currency":"IDR"}}
            """);
        Assert.Throws<FormatException>(() => AdyenDisputes.Read(adyen, DisputeSource.Webhook, "x"));
        var sandbox = Json($$"""
            {"object":"dispute","id":"d","payment_id":"p","stage":"chargeback","status":"won","amount":{{long.MinValue}},"held_amount":{{long.MaxValue}},
             "currency":"EUR","updated_at":"2026-03-02T09:00:00+01:00"}
            """);
        Assert.Throws<FormatException>(() => SandboxDisputes.Read(sandbox, DisputeSource.Webhook, "x"));
    }

    private static JsonElement Json(string text) => JsonDocument.Parse(text).RootElement;
}
