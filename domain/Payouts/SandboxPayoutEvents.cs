using System.Text.Json;
using Payments.Domain.Database;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Domain.Payouts;

/// <summary>A report of a provider event about one of our payouts.</summary>
public sealed record PayoutNews(PayoutWord Word) : INeutralEvent;

/// <summary>The payout events of the sandbox acquirer in neutral words.</summary>
public sealed class SandboxPayoutEvents : INeutralEventMapper
{
    public string Provider => "sandbox";

    public INeutralEvent? Map(ProviderEvent received, JsonElement payload)
    {
        if (!received.Type.StartsWith("payout.", StringComparison.Ordinal) || !DbText.TryParse<PayoutStatus>(received.Type["payout.".Length..], out var said))
        {
            return null;
        }

        try
        {
            var data = payload.GetProperty("data").Deserialize(SandboxBankJson.Default.SandboxPayout);

            // Other platforms may share the acquirer, and their payouts cause events too.
            return data is { Amount: { } amount, Currency: { } code } && PayoutReference.TryParse(data.Reference, out var merchant, out var payout)
                ? new PayoutNews(new PayoutWord(merchant, payout, said, data.FailureCode, null, data.Id, new Money(amount, Currency.Of(code))))
                : null;
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or JsonException or ArgumentException)
        {
            throw new FormatException($"Not a payout of the sandbox acquirer: {e.Message}", e);
        }
    }
}
