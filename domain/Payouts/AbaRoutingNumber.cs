namespace Payments.Domain.Payouts;

/// <summary>Routing numbers of US banks have nine digits. The last digit makes the sum, weighted 3, 7, 1, a multiple of ten.</summary>
public static class AbaRoutingNumber
{
    public static bool IsValid(string? text)
    {
        if (text is not { Length: 9 } || !text.All(char.IsAsciiDigit) || !IsAssigned(((text[0] - '0') * 10) + (text[1] - '0')))
        {
            return false;
        }

        return Weighted(text) % 10 == 0;
    }

    /// <summary>The ninth digit for the eight before it.</summary>
    public static int CheckDigit(string eightDigits) => (10 - (Weighted(eightDigits) % 10)) % 10;

    private static int Weighted(string digits)
    {
        ReadOnlySpan<int> weights = [3, 7, 1];
        var sum = 0;
        for (var i = 0; i < digits.Length; i++)
        {
            sum += weights[i % 3] * (digits[i] - '0');
        }

        return sum;
    }

    // The first two digits name a Federal Reserve district (01-12), a thrift (21-32) or electronic use (61-72). 00 is the US government and
    // 80 is traveller's cheques. No merchant is paid there.
    private static bool IsAssigned(int prefix) => prefix is (>= 1 and <= 12) or (>= 21 and <= 32) or (>= 61 and <= 72);
}
