using System.Text.Json;
using Payments.Domain.Database;
using Payments.Domain.Disputes;

namespace Payments.Domain.Providers.Sandbox;

/// <summary>
/// Reads the sandbox acquirer's disputes in neutral words. Each of its dispute events carries the whole dispute as it was then.
/// </summary>
public static class SandboxDisputes
{
    public const string Provider = "sandbox";

    public static bool IsDisputeEvent(string type) => type.StartsWith("dispute.", StringComparison.Ordinal);

    /// <param name="data">The dispute: <c>data</c> of an event, or the answer of the API.</param>
    /// <exception cref="FormatException">It is not a dispute of the sandbox.</exception>
    public static DisputeUpdate Read(JsonElement data, DisputeSource source, string sourceReference)
    {
        try
        {
            var currency = Currency.Of(data.GetProperty("currency").GetString()!);
            var amount = new Money(data.GetProperty("amount").GetInt64(), currency);
            var status = DbText.Parse<DisputeStatus>(data.GetProperty("status").GetString()!);
            var held = data.TryGetProperty("held_amount", out var h) ? h.GetInt64() : 0;
            return new DisputeUpdate(
                Provider,
                data.GetProperty("id").GetString()!,
                data.GetProperty("payment_id").GetString(),
                DbText.Parse<DisputeStage>(data.GetProperty("stage").GetString()!),
                status,
                amount,
                // If a won dispute still holds an amount, that part was not won.
                status == DisputeStatus.Won && held > 0 ? amount - new Money(held, currency) : null,
                MerchantAmount: null,
                Text(data, "network"),
                Text(data, "reason_code"),
                Reason: null,
                data.TryGetProperty("evidence_due_by", out var due) && due.ValueKind == JsonValueKind.String ? due.GetDateTimeOffset() : null,
                data.GetProperty("updated_at").GetDateTimeOffset(),
                source,
                sourceReference);
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or ArgumentException or FormatException
            or OverflowException)
        {
            throw new FormatException($"Not a dispute of the sandbox acquirer: {e.Message}", e);
        }
    }

    private static string? Text(JsonElement data, string name) =>
        data.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
