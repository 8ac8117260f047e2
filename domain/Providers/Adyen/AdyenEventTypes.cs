namespace Payments.Domain.Providers.Adyen;

/// <summary>
/// Every event code of Adyen's webhooks and how this platform treats it. Source: Adyen's OpenAPI description of its webhooks, version 1.
/// </summary>
internal static class AdyenEventTypes
{
    public static ProviderEventTypes All { get; } = new(
        new(EventTreatment.Applied, "a payment, capture, cancel or refund, made here or elsewhere",
        [
            "AUTHORISATION", "CAPTURE", "CAPTURE_FAILED", "CANCELLATION", "TECHNICAL_CANCEL", "CANCEL_OR_REFUND", "EXPIRE",
            "REFUND", "REFUND_FAILED", "REFUNDED_REVERSED", "POSTPONED_REFUND",
        ]),
        new(EventTreatment.Applied, "a dispute, or the answer or verdict to one",
        [
            "NOTIFICATION_OF_FRAUD", "REQUEST_FOR_INFORMATION", "NOTIFICATION_OF_CHARGEBACK", "CHARGEBACK",
            "CHARGEBACK_REVERSED", "SECOND_CHARGEBACK", "INFORMATION_SUPPLIED", "ISSUER_RESPONSE_TIMEFRAME_EXPIRED",
            "DISPUTE_DEFENSE_PERIOD_ENDED", "PREARBITRATION_WON", "PREARBITRATION_LOST", "PREARBITRATION_ISSUER_WITHDRAWN",
            "SCHEME_ARBITRATION_WON", "SCHEME_ARBITRATION_LOST",
        ]),
        new(EventTreatment.Raised, "the amount that is held was changed elsewhere, and a charge here holds what it was made for",
        [
            "AUTHORISATION_ADJUSTMENT",
        ]),
        new(EventTreatment.Raised, "money was paid to a card without a payment of this platform, or such a payment was taken back",
        [
            "REFUND_WITH_DATA", "VOID_PENDING_REFUND",
        ]),
        new(EventTreatment.Raised, "the dispute goes on at the scheme, and whether money is taken meanwhile is for a person to see; the verdict has an event of its own",
        [
            "PREARBITRATION_OPEN", "PREARBITRATION_ACCEPTED", "PREARBITRATION_DECLINED", "SCHEME_ARBITRATION",
        ]),
        new(EventTreatment.Ignored, "it adds words to a dispute and changes neither its state nor money",
        [
            "ISSUER_COMMENTS",
        ]),
        new(EventTreatment.Ignored, "a review or a rescue decides about a payment, and the payment has events of its own",
        [
            "MANUAL_REVIEW_ACCEPT", "MANUAL_REVIEW_REJECT", "AUTORESCUE", "CANCEL_AUTORESCUE",
        ]),
        new(EventTreatment.Ignored, "an offer or an order groups payments, and each payment has events of its own",
        [
            "OFFER_CLOSED", "ORDER_OPENED", "ORDER_CLOSED",
        ]),
        new(EventTreatment.Ignored, "this platform takes cards by tokens and keeps no contracts or bank accounts of customers",
        [
            "RECURRING_CONTRACT", "ACH_NOTIFICATION_OF_CHANGE", "DIRECT_DEBIT_NOTICE_OF_CHANGE_NOTIFICATION",
        ]),
        new(EventTreatment.Ignored, "this platform makes no payouts through Adyen",
        [
            "PAIDOUT_REVERSED", "PAYOUT_DECLINE", "PAYOUT_EXPIRE", "PAYOUT_THIRDPARTY",
        ]),
        new(EventTreatment.Ignored, "it tells of a report, which this platform does not read",
        [
            "REPORT_AVAILABLE",
        ]));
}
