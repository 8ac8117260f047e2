using System.Text;
using System.Text.Json;

namespace Payments.Domain.Webhooks.Inbound;

/// <summary>Masks a partner's payload before it is shown: secrets and card data are replaced, and the rest is unchanged.</summary>
public static class PayloadMask
{
    private const string Masked = "***";

    private static readonly string[] SecretWords =
        ["secret", "password", "token", "signature", "api_key", "apikey", "authorization", "cvc", "cvv", "securitycode", "pin", "iban", "account_number", "accountnumber", "ssn"];

    /// <returns>JSON, or null if the payload is not JSON or cannot be searched.</returns>
    public static string? Apply(ReadOnlyMemory<byte> payload)
    {
        if (InboundRules.ParseObject(payload) is not { } root)
            return null;
        using var buffer = new MemoryStream();
        try
        {
            using var writer = new Utf8JsonWriter(buffer);
            Write(writer, root, hide: false);
        }
        catch (InvalidOperationException)
        {
            // Half a surrogate pair is valid JSON, but not a text that can be searched.
            return null;
        }

        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    private static void Write(Utf8JsonWriter writer, JsonElement element, bool hide)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                writer.WriteStartObject();
                foreach (var property in element.EnumerateObject())
                {
                    writer.WritePropertyName(property.Name);
                    Write(writer, property.Value, hide || IsSecret(property.Name));
                }

                writer.WriteEndObject();
                break;
            case JsonValueKind.Array:
                writer.WriteStartArray();
                foreach (var item in element.EnumerateArray())
                    Write(writer, item, hide);
                writer.WriteEndArray();
                break;
            case JsonValueKind.String or JsonValueKind.Number when hide || HoldsCardNumber(element.GetRawText()):
                writer.WriteStringValue(Masked);
                break;
            default:
                element.WriteTo(writer);
                break;
        }
    }

    private static bool IsSecret(string name) =>
        name.Equals("number", StringComparison.OrdinalIgnoreCase)
        || SecretWords.Any(word => word.Length <= 3 ? name.Equals(word, StringComparison.OrdinalIgnoreCase) : name.Contains(word, StringComparison.OrdinalIgnoreCase));

    // 13 to 19 digits that pass the Luhn check count as a card number wherever they are. They may be grouped.
    private static bool HoldsCardNumber(string text)
    {
        Span<char> digits = stackalloc char[20];
        var count = 0;
        foreach (var c in text)
        {
            if (char.IsAsciiDigit(c))
            {
                if (count < digits.Length)
                    digits[count] = c;
                count++;
            }
            else if (c is not (' ' or '-') && count > 0)
            {
                if (IsCardNumber(digits, count))
                    return true;
                count = 0;
            }
        }

        return IsCardNumber(digits, count);
    }

    private static bool IsCardNumber(ReadOnlySpan<char> digits, int count)
    {
        if (count is < 13 or > 19)
            return false;
        var sum = 0;
        for (var i = 0; i < count; i++)
        {
            var digit = digits[count - 1 - i] - '0';
            sum += i % 2 == 0 ? digit : digit * 2 - (digit > 4 ? 9 : 0);
        }

        return sum % 10 == 0;
    }
}
