using System.Collections.Frozen;
using System.Diagnostics.CodeAnalysis;

namespace Payments.Domain;

/// <summary>
/// An ISO 4217 currency and its exponent: the number of decimal digits of its minor unit (JPY 0, EUR 2, KWD 3).
/// There is one instance per currency, so reference equality is equality.
/// </summary>
public sealed class Currency
{
    private static readonly FrozenDictionary<string, Currency> ByCode = Load();

    private Currency(string code, int exponent)
    {
        Code = code;
        Exponent = exponent;
    }

    /// <summary>The alphabetic code, three upper-case letters.</summary>
    public string Code { get; }

    /// <summary>Decimal digits of the minor unit: one major unit is 10^Exponent minor units.</summary>
    public int Exponent { get; }

    /// <summary>Every supported currency, in the order of codes.</summary>
    public static IReadOnlyList<Currency> All { get; } = [.. ByCode.Values.OrderBy(c => c.Code, StringComparer.Ordinal)];

    public static Currency Eur { get; } = Of("EUR");

    public static Currency Usd { get; } = Of("USD");

    public static Currency Jpy { get; } = Of("JPY");

    public static Currency Kwd { get; } = Of("KWD");

    /// <summary>The currency of a code that is known to be valid.</summary>
    /// <exception cref="ArgumentException">The code is not an ISO 4217 code in use.</exception>
    public static Currency Of(string code) =>
        TryParse(code, out var currency) ? currency : throw new ArgumentException($"'{code}' is not an ISO 4217 currency code.", nameof(code));

    /// <summary>Reads a code in either case. Funds codes, metals and test codes are not currencies that can be charged.</summary>
    public static bool TryParse([NotNullWhen(true)] string? code, [NotNullWhen(true)] out Currency? currency)
    {
        currency = null;
        return code is { Length: 3 } && ByCode.TryGetValue(code, out currency);
    }

    public override string ToString() => Code;

    private static FrozenDictionary<string, Currency> Load()
    {
        // ISO 4217 list one, active national currencies, by exponent.
        (int Exponent, string Codes)[] active =
        [
            (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"),
            (2, """
                AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP CVE
                CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR
                KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB
                PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY
                TTD TWD TZS UAH USD UYU UZS VES WST XCD XCG YER ZAR ZMW ZWG
                """),
            (3, "BHD IQD JOD KWD LYD OMR TND"),
        ];
        return active
            .SelectMany(group => group.Codes.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries), (group, code) => new Currency(code, group.Exponent))
            .ToFrozenDictionary(currency => currency.Code, StringComparer.OrdinalIgnoreCase);
    }
}
