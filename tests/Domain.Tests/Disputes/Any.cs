using Payments.Domain.Disputes;
using Payments.Domain.Ledger;
using Payments.Domain.Pricing;

namespace Payments.Domain.Tests.Disputes;

/// <summary>Disputes for tests: one charge of EUR 100.00, and updates told by what matters in the case.</summary>
internal static class Any
{
    public static readonly DateTimeOffset Start = new(2026, 3, 1, 9, 0, 0, TimeSpan.Zero);

    public static readonly MerchantId Merchant = new(Guid.Parse("01980000-0000-7000-8000-000000000001"));

    public static readonly DisputeFees Fees = new(Chargeback: 1500, PreArbitration: 2000, Arbitration: 50000, RefundedWhenWon: true);

    public static Money Eur(long minorUnits) => new(minorUnits, Currency.Eur);

    public static Money Usd(long minorUnits) => new(minorUnits, Currency.Usd);

    public static DisputeUpdate Update(
        DisputeStage stage,
        DisputeStatus status,
        int day = 0,
        Money? amount = null,
        Money? returned = null,
        Money? merchantAmount = null,
        DateTimeOffset? due = null,
        string? code = null,
        string? network = null,
        DisputeReason? reason = null,
        DisputeSource source = DisputeSource.Webhook) =>
        new(
            "sandbox",
            "d_1",
            "p_1",
            stage,
            status,
            amount ?? Eur(10000),
            returned,
            merchantAmount,
            network,
            code,
            reason,
            due,
            Start.AddDays(day),
            source,
            "evt_1");

    public static Dispute Opened(IEnumerable<DisputeUpdate> updates, DisputeFees? fees = null, Money? chargeAmount = null) =>
        DisputeDecider.Open(
            new DisputeId(Guid.Parse("01980000-0000-7000-8000-00000000d15b")),
            Merchant,
            new ChargeId(Guid.Parse("01980000-0000-7000-8000-0000000000c4")),
            chargeAmount ?? Eur(10000),
            fees ?? Fees,
            "sandbox",
            "d_1",
            DisputeHistory.Fold(updates)!,
            Start);

    /// <summary>Applies the updates one at a time, each on top of all before it, as they would arrive.</summary>
    public static (Dispute Dispute, List<DisputeMovement> Movements, List<DisputeEventKind> Events) Play(
        IReadOnlyList<DisputeUpdate> arrivals, DisputeFees? fees = null, Money? chargeAmount = null)
    {
        var first = Enumerable.Range(1, arrivals.Count).First(count => DisputeHistory.Fold(arrivals.Take(count)) is not null);
        var dispute = Opened(arrivals.Take(first), fees, chargeAmount);
        var movements = new List<DisputeMovement>();
        var events = new List<DisputeEventKind>();
        for (var i = first; i <= arrivals.Count; i++)
        {
            var decision = DisputeDecider.Decide(dispute, DisputeHistory.Fold(arrivals.Take(i))!, Start.AddDays(100));
            dispute = decision.After;
            movements.AddRange(decision.Movements);
            events.AddRange(decision.Events);
        }

        return (dispute, movements, events);
    }

    /// <summary>What the journals leave on each account: credits less debits, in minor units, zeros left out.</summary>
    public static SortedDictionary<string, long> Balances(IEnumerable<DisputeMovement> movements)
    {
        var balances = new SortedDictionary<string, long>(StringComparer.Ordinal);
        foreach (var transfer in movements.SelectMany(m => m.Journal.Transfers))
        {
            Add(transfer.Debit, -transfer.Amount.MinorUnits);
            Add(transfer.Credit, transfer.Amount.MinorUnits);
        }

        return balances;

        void Add(AccountRef account, long minorUnits)
        {
            var name = $"{account.Name.Replace($"merchant/{Merchant}/", "", StringComparison.Ordinal)} {account.Currency}";
            var balance = balances.GetValueOrDefault(name) + minorUnits;
            if (balance == 0)
            {
                balances.Remove(name);
            }
            else
            {
                balances[name] = balance;
            }
        }
    }

    public static string Lines(IEnumerable<DisputeMovement> movements) =>
        string.Join("; ", movements.SelectMany(m => m.Journal.Transfers.Select(t => $"{Short(t.Debit)} -> {Short(t.Credit)} {t.Amount}")));

    private static string Short(AccountRef account) => account.Name.Replace($"merchant/{Merchant}/", "", StringComparison.Ordinal);
}
