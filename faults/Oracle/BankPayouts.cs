using Payments.Domain;
using Payments.Domain.Payouts;

namespace Payments.Faults;

/// <summary>
/// Compares the journal of the sandbox bank with the platform's payouts: each is paid once, and each payment of the bank is one of them.
/// Payouts by file go to the other bank.
/// </summary>
internal static class BankPayouts
{
    private const string Invariant = "bank_payouts";

    private const string Payouts = "SELECT merchant_id, id, status, amount, currency FROM payments.payouts WHERE rail = 'sandbox'";

    /// <inheritdoc cref="AcquirerEffects.CheckAsync" path="/param"/>
    public static async Task<IReadOnlyList<Violation>> CheckAsync(Snapshot snapshot, AcquirerJournal journal, long known, bool settled, CancellationToken ct)
    {
        var payouts = await snapshot.ReadAsync(
            Payouts, row => new Paid(new MerchantId(row.GetGuid(0)), new PayoutId(row.GetGuid(1)), row.GetString(2), row.GetInt64(3), row.GetString(4)), ct);
        var byReference = payouts.ToDictionary(payout => PayoutReference.Of(payout.Merchant, payout.Id), StringComparer.Ordinal);
        var problems = new List<string>();
        foreach (var effect in journal.Effects.Values.Where(effect => effect.Kind == "payout" && effect.Seq <= known))
        {
            if (!byReference.TryGetValue(effect.Reference, out var payout))
                problems.Add($"nobody here knows the {effect}");
            else if (payout.Amount != effect.Amount || payout.Currency != effect.Currency)
                problems.Add($"the {effect} is here the {payout}");
        }

        problems.AddRange(byReference.Select(pair => Problem(pair.Value, journal.Effects.GetValueOrDefault(pair.Key), settled)).OfType<string>());
        return [.. problems.Select(problem => new Violation(Invariant, problem))];
    }

    private static string? Problem(Paid payout, AcquirerEffect? effect, bool settled)
    {
        var agrees = payout.Status switch
        {
            "pending" => !settled || effect is null or { Status: "pending" },
            "in_transit" => effect is not null && (!settled || effect.Status is "pending" or "in_transit"),
            "paid" => effect is { WasPaid: true } && (!settled || effect.Status == "paid"),
            "failed" => effect is null or { Status: "failed" },
            "returned" => effect is { Status: "returned" } or { Status: "failed", WasPaid: true },
            "canceled" => effect is null,
            _ => false,
        };
        return agrees ? null : $"the {payout} is at the bank {effect?.ToString() ?? "unknown"}";
    }

    private sealed record Paid(MerchantId Merchant, PayoutId Id, string Status, long Amount, string Currency)
    {
        public override string ToString() => $"payout {Id} of {Merchant}, {Amount} {Currency}, {Status} here,";
    }
}
