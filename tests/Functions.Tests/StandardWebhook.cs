using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Payments.Functions.Tests;

/// <summary>Signs as the Standard Webhooks specification 1.0 says, independently of the app's code.</summary>
internal static class StandardWebhook
{
    public static (string Name, string Value)[] Headers(string secret, string id, string body, DateTimeOffset at)
    {
        var timestamp = at.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        return [("webhook-id", id), ("webhook-timestamp", timestamp), ("webhook-signature", "v1," + Sign(secret, id, timestamp, body))];
    }

    public static string Sign(string secret, string id, string timestamp, string body)
    {
        var key = Convert.FromBase64String(secret["whsec_".Length..]);
        return Convert.ToBase64String(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes($"{id}.{timestamp}.{body}")));
    }
}
