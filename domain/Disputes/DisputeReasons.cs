using System.Collections.Frozen;

namespace Payments.Domain.Disputes;

/// <summary>The card networks whose codes and deadlines the platform knows.</summary>
public enum CardNetwork
{
    Visa,
    Mastercard,
    AmericanExpress,
    Discover,
    Other,
}

/// <summary>
/// Derives neutral reasons from network reason codes. Sources: the categories that Stripe publishes for Visa codes, Antom's list for
/// Mastercard, Braintree's for American Express, and Discover's published codes. A code that is not listed gives
/// <see cref="DisputeReason.General"/>.
/// </summary>
public static class DisputeReasons
{
    private static readonly FrozenDictionary<string, DisputeReason> Visa = Load(
        (DisputeReason.Fraudulent, "10.1 10.2 10.3 10.4 10.5"),
        (DisputeReason.General, "11.1 11.2 11.3 12.1 12.2 12.3 12.4 12.5 12.7 13.8"),
        (DisputeReason.Duplicate, "12.6 12.6.1 12.6.2"),
        (DisputeReason.ProductNotReceived, "13.1 13.9"),
        (DisputeReason.SubscriptionCanceled, "13.2"),
        (DisputeReason.ProductUnacceptable, "13.3 13.4 13.5"),
        (DisputeReason.CreditNotProcessed, "13.6 13.7"));

    // 4853 (cardholder dispute) and 4834 (point of interaction error) each cover several reasons. The code alone does not tell them apart.
    private static readonly FrozenDictionary<string, DisputeReason> Mastercard = Load(
        (DisputeReason.Fraudulent, "4837 4840 4849 4870 4871"),
        (DisputeReason.Unrecognized, "4863"),
        (DisputeReason.General, "4808 4834 4853"));

    private static readonly FrozenDictionary<string, DisputeReason> AmericanExpress = Load(
        (DisputeReason.Fraudulent, "F10 F14 F24 F29 F30 F31 FR2"),
        (DisputeReason.CreditNotProcessed, "C02 C04 C05"),
        (DisputeReason.ProductNotReceived, "C08"),
        (DisputeReason.SubscriptionCanceled, "C28"),
        (DisputeReason.ProductUnacceptable, "C31 C32"),
        (DisputeReason.Duplicate, "C14 P08"));

    private static readonly FrozenDictionary<string, DisputeReason> Discover = Load(
        (DisputeReason.Fraudulent, "UA01 UA02 UA05 UA06 UA10 UA11"),
        (DisputeReason.Unrecognized, "AA"),
        (DisputeReason.SubscriptionCanceled, "AP"),
        (DisputeReason.Duplicate, "DP"),
        (DisputeReason.ProductNotReceived, "RG NF"),
        (DisputeReason.ProductUnacceptable, "RM"),
        (DisputeReason.CreditNotProcessed, "RN2"),
        (DisputeReason.General, "AT CD IN LP 05"));

    public static CardNetwork Network(string? name) => name?.ToLowerInvariant() switch
    {
        "visa" => CardNetwork.Visa,
        "mastercard" or "mc" => CardNetwork.Mastercard,
        "amex" or "american_express" or "american express" => CardNetwork.AmericanExpress,
        "discover" or "diners" or "diners_club" => CardNetwork.Discover,
        _ => CardNetwork.Other,
    };

    public static DisputeReason FromNetwork(string? network, string? code)
    {
        if (string.IsNullOrWhiteSpace(code))
        {
            return DisputeReason.General;
        }

        var codes = Network(network) switch
        {
            CardNetwork.Visa => Visa,
            CardNetwork.Mastercard => Mastercard,
            CardNetwork.AmericanExpress => AmericanExpress,
            CardNetwork.Discover => Discover,
            // The codes of the four networks do not overlap, so a code identifies its network if the provider does not name one.
            CardNetwork.Other => null,
        };
        code = code.Trim();
        if (codes is not null)
        {
            return codes.GetValueOrDefault(code, DisputeReason.General);
        }

        return Visa.TryGetValue(code, out var reason) || Mastercard.TryGetValue(code, out reason)
            || AmericanExpress.TryGetValue(code, out reason) || Discover.TryGetValue(code, out reason)
            ? reason
            : DisputeReason.General;
    }

    private static FrozenDictionary<string, DisputeReason> Load(params (DisputeReason Reason, string Codes)[] groups) =>
        groups
            .SelectMany(group => group.Codes.Split(' '), (group, code) => (code, group.Reason))
            .ToFrozenDictionary(pair => pair.code, pair => pair.Reason, StringComparer.OrdinalIgnoreCase);
}
