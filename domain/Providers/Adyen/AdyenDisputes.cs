using System.Globalization;
using System.Text.Json;
using Payments.Domain.Disputes;

namespace Payments.Domain.Providers.Adyen;

/// <summary>
/// Reads disputes from Adyen's notification items in neutral words. Source: Adyen's list of dispute webhooks and dispute statuses.
/// </summary>
public static class AdyenDisputes
{
    public const string Provider = "adyen";

    public static bool IsDisputeEvent(string eventCode) => eventCode is
        "NOTIFICATION_OF_FRAUD" or "REQUEST_FOR_INFORMATION" or "NOTIFICATION_OF_CHARGEBACK" or "CHARGEBACK" or "CHARGEBACK_REVERSED" or "SECOND_CHARGEBACK"
        or "PREARBITRATION_WON" or "PREARBITRATION_LOST" or "PREARBITRATION_ISSUER_WITHDRAWN" or "SCHEME_ARBITRATION_WON" or "SCHEME_ARBITRATION_LOST"
        or "DISPUTE_DEFENSE_PERIOD_ENDED" or "INFORMATION_SUPPLIED" or "ISSUER_RESPONSE_TIMEFRAME_EXPIRED";

    /// <param name="item">One <c>NotificationRequestItem</c>.</param>
    /// <exception cref="FormatException">It is not a dispute of Adyen.</exception>
    public static DisputeUpdate Read(JsonElement item, DisputeSource source, string sourceReference)
    {
        try
        {
            var code = item.GetProperty("eventCode").GetString()!;
            var amount = item.GetProperty("amount");
            var data = item.TryGetProperty("additionalData", out var d) && d.ValueKind == JsonValueKind.Object ? d : (JsonElement?)null;
            var (stage, status) = Place(code, Text(data, "disputeStatus"));
            return new DisputeUpdate(
                Provider,
                item.GetProperty("pspReference").GetString()!,
                item.TryGetProperty("originalReference", out var original) ? original.GetString() : null,
                stage,
                status,
                AdyenAmounts.FromUnits(amount.GetProperty("value").GetInt64(), Currency.Of(amount.GetProperty("currency").GetString()!)),
                Returned: null,
                MerchantAmount: null,
                Network(Text(data, "chargebackSchemeCode")),
                Text(data, "chargebackReasonCode"),
                Reason: null,
                Time(Text(data, "defensePeriodEndsAt")),
                Time(item.GetProperty("eventDate").GetString()) ?? throw new FormatException("eventDate is no date."),
                source,
                sourceReference);
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or ArgumentException or FormatException)
        {
            throw new FormatException($"Not a dispute of Adyen: {e.Message}", e);
        }
    }

    private static (DisputeStage, DisputeStatus) Place(string eventCode, string? disputeStatus) => eventCode switch
    {
        "NOTIFICATION_OF_FRAUD" => (DisputeStage.EarlyWarning, DisputeStatus.WarningNeedsResponse),
        "REQUEST_FOR_INFORMATION" => (DisputeStage.Inquiry, disputeStatus is "Responded" ? DisputeStatus.WarningUnderReview : DisputeStatus.WarningNeedsResponse),
        "NOTIFICATION_OF_CHARGEBACK" or "CHARGEBACK" => (DisputeStage.Chargeback, Status(disputeStatus) ?? DisputeStatus.NeedsResponse),
        // The money is back. If the issuer takes it again, Adyen sends a second chargeback.
        "CHARGEBACK_REVERSED" => (DisputeStage.Chargeback, Status(disputeStatus) is DisputeStatus.Lost ? DisputeStatus.Lost : DisputeStatus.Won),
        // The issuer declined the defence, and the merchant cannot answer it.
        "SECOND_CHARGEBACK" => (DisputeStage.PreArbitration, Status(disputeStatus) ?? DisputeStatus.Lost),
        "PREARBITRATION_WON" or "PREARBITRATION_ISSUER_WITHDRAWN" => (DisputeStage.PreArbitration, DisputeStatus.Won),
        "PREARBITRATION_LOST" => (DisputeStage.PreArbitration, DisputeStatus.Lost),
        "SCHEME_ARBITRATION_WON" => (DisputeStage.Arbitration, DisputeStatus.Won),
        "SCHEME_ARBITRATION_LOST" => (DisputeStage.Arbitration, DisputeStatus.Lost),

        // The merchant responded in the Customer Area. Responded is a status of requests for information, Pending one of chargebacks.
        "INFORMATION_SUPPLIED" when disputeStatus is "Responded" => (DisputeStage.Inquiry, DisputeStatus.WarningUnderReview),
        "INFORMATION_SUPPLIED" when disputeStatus is "Pending" => (DisputeStage.Chargeback, DisputeStatus.UnderReview),
        "INFORMATION_SUPPLIED" => throw new FormatException($"The dispute status '{disputeStatus}' does not say what was answered."),

        // If the issuer does not respond in time, the merchant wins, unless the status says otherwise.
        "ISSUER_RESPONSE_TIMEFRAME_EXPIRED" => (DisputeStage.Chargeback, Status(disputeStatus) ?? DisputeStatus.Won),
        "DISPUTE_DEFENSE_PERIOD_ENDED" => (DisputeStage.Chargeback, DisputeStatus.Expired),
        _ => throw new FormatException($"'{eventCode}' is no dispute event."),
    };

    private static DisputeStatus? Status(string? disputeStatus) => disputeStatus switch
    {
        "Undefended" or "Unresponded" => DisputeStatus.NeedsResponse,
        "Pending" or "Responded" => DisputeStatus.UnderReview,
        "Accepted" => DisputeStatus.Accepted,
        "Expired" => DisputeStatus.Expired,
        "Lost" => DisputeStatus.Lost,
        "Won" => DisputeStatus.Won,
        _ => null,
    };

    private static string? Network(string? scheme) => scheme?.ToLowerInvariant();

    private static string? Text(JsonElement? parent, string name) =>
        parent is { } p && p.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static DateTimeOffset? Time(string? text) =>
        DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var value) ? value : null;
}
