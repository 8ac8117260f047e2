namespace Payments.Domain.Payouts.BankFiles;

/// <summary>The company that payouts in USD are paid from, as its bank registered it.</summary>
/// <param name="Destination">Routing number of the bank that takes the file, nine digits.</param>
/// <param name="Origin">Ten characters agreed with the bank, often 1 and the employer identification number.</param>
/// <param name="Odfi">The first eight digits of the originating bank's routing number.</param>
public sealed record NachaOriginator(string Destination, string DestinationName, string Origin, string CompanyName, string CompanyId, string Odfi);

/// <summary>
/// Facts of the NACHA format (Nacha Operating Rules, appendix three): lines of 94 characters, ten to a block, numbers padded with zeros on the left,
/// text with blanks on the right.
/// </summary>
internal static class Nacha
{
    public const int LineLength = 94;
    public const int BlockLines = 10;
    public const long MaxAmount = 9_999_999_999;
    public const long MaxTotal = 999_999_999_999;
    public const int MaxEntries = 999_999;
    public const long MaxTrace = 9_999_999;

    /// <summary>File modifiers are A to Z, then 0 to 9.</summary>
    public const int MaxFilesOfADay = 36;

    public const long HashModulus = 10_000_000_000;
    public const string Digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

    /// <summary>Fifteen characters for a payout: the 75 lowest bits of its id, nearly all of them random, in base 32.</summary>
    public static string IndividualId(PayoutId payout)
    {
        var bits = (UInt128)new System.Numerics.BigInteger(payout.Value.ToByteArray(bigEndian: true), isUnsigned: true, isBigEndian: true);
        Span<char> text = stackalloc char[15];
        for (var i = text.Length - 1; i >= 0; i--)
        {
            text[i] = Digits[(int)(bits & 31)];
            bits >>= 5;
        }

        return new string(text);
    }

    /// <summary>The reference of one of our entries at a bank: trace number and identification.</summary>
    public static string Reference(string? trace, string? individualId) => $"{trace} {individualId}".Trim();
}
