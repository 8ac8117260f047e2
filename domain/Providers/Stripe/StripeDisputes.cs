using System.Text.Json;
using Payments.Domain.Database;
using Payments.Domain.Disputes;

namespace Payments.Domain.Providers.Stripe;

/// <summary>Reads Stripe's disputes (<c>charge.dispute.*</c> events and the dispute object) in neutral words.</summary>
public static class StripeDisputes
{
    public const string Provider = "stripe";

    public static bool IsDisputeEvent(string type) => type.StartsWith("charge.dispute.", StringComparison.Ordinal);

    /// <param name="dispute"><c>data.object</c> of the event.</param>
    /// <param name="occurredAt">UTC: <c>created</c> of the event. The dispute's own <c>created</c> never changes.</param>
    /// <exception cref="FormatException">It is not a dispute of Stripe.</exception>
    public static DisputeUpdate Read(JsonElement dispute, DateTimeOffset occurredAt, DisputeSource source, string sourceReference)
    {
        try
        {
            var amount = StripeAmounts.FromUnits(dispute.GetProperty("amount").GetInt64(), Currency.Of(dispute.GetProperty("currency").GetString()!));
            var status = DbText.Parse<DisputeStatus>(dispute.GetProperty("status").GetString()!);
            var card = Object(Object(dispute, "payment_method_details"), "card");
            return new DisputeUpdate(
                Provider,
                dispute.GetProperty("id").GetString()!,
                Text(dispute, "payment_intent") ?? Text(dispute, "charge"),
                Stage(status),
                status,
                amount,
                Returned: null,
                Taken(dispute, amount),
                Text(card, "brand"),
                Text(card, "network_reason_code") ?? Text(dispute, "network_reason_code"),
                DbText.TryParse<DisputeReason>(Text(dispute, "reason"), out var reason) ? reason : null,
                Object(dispute, "evidence_details") is { } details && details.TryGetProperty("due_by", out var due) && due.ValueKind == JsonValueKind.Number
                    ? DateTimeOffset.FromUnixTimeSeconds(due.GetInt64())
                    : null,
                occurredAt,
                source,
                sourceReference);
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or ArgumentException or FormatException
            or OverflowException)
        {
            throw new FormatException($"Not a dispute of Stripe: {e.Message}", e);
        }
    }

    /// <summary>
    /// Stripe has no stages. A status that begins with <c>warning</c> is an inquiry, and <c>prevented</c> ends an early warning.
    /// </summary>
    private static DisputeStage Stage(DisputeStatus status) => status switch
    {
        DisputeStatus.WarningNeedsResponse or DisputeStatus.WarningUnderReview or DisputeStatus.WarningClosed => DisputeStage.Inquiry,
        DisputeStatus.Prevented => DisputeStage.EarlyWarning,
        DisputeStatus.NeedsResponse or DisputeStatus.UnderReview or DisputeStatus.Expired or DisputeStatus.Accepted or DisputeStatus.Won or DisputeStatus.Lost =>
            DisputeStage.Chargeback,
    };

    /// <summary>
    /// The amount that Stripe took from the account's balance, in the currency of the balance: the sum of the negative balance
    /// transactions. Null if it equals the disputed amount, or if nothing was taken.
    /// </summary>
    private static Money? Taken(JsonElement dispute, Money disputed)
    {
        Currency? balance = null;
        var taken = 0L;
        foreach (var transaction in dispute.Items("balance_transactions"))
        {
            if (!Currency.TryParse(Text(transaction, "currency"), out var currency)
                || transaction.GetProperty("amount").GetInt64() is not (< 0 and var amount))
            {
                continue;
            }

            // Stripe takes all amounts of a dispute from one balance of the account.
            if ((balance ??= currency) != currency)
                throw new FormatException($"The balance transactions are in {balance} and {currency}.");
            taken = checked(taken - amount);
        }

        if (balance is null)
            return null;
        var all = StripeAmounts.FromUnits(taken, balance);
        return balance == disputed.Currency && all == disputed ? null : all;
    }

    private static JsonElement? Object(JsonElement? parent, string name) =>
        parent is { ValueKind: JsonValueKind.Object } p && p.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Object ? value : null;

    private static string? Text(JsonElement? parent, string name) =>
        parent is { ValueKind: JsonValueKind.Object } p && p.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
