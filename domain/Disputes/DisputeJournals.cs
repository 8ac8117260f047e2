using System.Globalization;
using Payments.Domain.Balances;
using Payments.Domain.Ledger;

namespace Payments.Domain.Disputes;

/// <summary>One journal of a dispute and, where it changes the merchant's balance, the balance transaction that goes with it.</summary>
public sealed record DisputeMovement(DisputeMovementKind Kind, Journal Journal, BalanceTransaction? BalanceTransaction);

public enum DisputeMovementKind
{
    /// <summary>A settlement is taken back, because a verdict was overturned or its amount corrected.</summary>
    Unsettled,
    Withdrawn,
    Reinstated,
    FeeCharged,
    FeeRefunded,

    /// <summary>The processor keeps the money: the dispute is over, or partly so.</summary>
    Settled,
}

/// <summary>The journals that lead from one position of a dispute to another.</summary>
public static class DisputeJournals
{
    /// <summary>
    /// The journals that are missing in the ledger, in the order in which they must be posted: <c>merchant/disputed</c> never falls below what is held.
    /// </summary>
    /// <param name="dispute">The dispute; its <see cref="Dispute.Posted"/> is what stands now, its <see cref="Dispute.Journals"/> numbers the keys.</param>
    /// <param name="after">What must stand.</param>
    /// <param name="effectiveAt">UTC, when the change happened at the provider.</param>
    public static IReadOnlyList<DisputeMovement> For(Dispute dispute, DisputePosition after, DateTimeOffset effectiveAt, DateTimeOffset now)
    {
        var before = dispute.Posted;
        var merchant = dispute.Merchant;
        var currency = dispute.ChargeAmount.Currency;
        var available = ChartOfAccounts.MerchantAvailable(merchant, currency);
        var disputed = ChartOfAccounts.MerchantDisputed(merchant, currency);
        var fees = ChartOfAccounts.PlatformFees(currency);
        var movements = new List<DisputeMovement>(3);

        // What the processor takes is in the dispute's currency. Should a correction change that currency, the old settlement is undone whole.
        var sameCurrency = before.TakenAtProcessor.Currency == after.TakenAtProcessor.Currency;
        var settled = sameCurrency ? after.Taken - before.Taken : after.Taken;
        var settledAtProcessor = sameCurrency ? after.TakenAtProcessor - before.TakenAtProcessor : after.TakenAtProcessor;
        var undone = sameCurrency ? Positive(-settled) : before.Taken;
        var undoneAtProcessor = sameCurrency ? Positive(-settledAtProcessor) : before.TakenAtProcessor;

        Move(DisputeMovementKind.Unsettled, Settlement(dispute.Provider, disputed, undoneAtProcessor, undone, undo: true));
        var withdrawn = after.Withdrawn - before.Withdrawn;
        Move(DisputeMovementKind.Withdrawn, One(available, disputed, withdrawn), -withdrawn);
        Move(DisputeMovementKind.Reinstated, One(disputed, available, -withdrawn), -withdrawn);
        var fee = after.Fee - before.Fee;
        Move(DisputeMovementKind.FeeCharged, One(available, fees, fee, "fee"), fee: fee);
        Move(DisputeMovementKind.FeeRefunded, One(fees, available, -fee, "fee"), fee: fee);
        Move(DisputeMovementKind.Settled, Settlement(dispute.Provider, disputed, Positive(settledAtProcessor), Positive(settled), undo: false));
        return movements;

        void Move(DisputeMovementKind kind, IReadOnlyList<Transfer> transfers, Money? amount = null, Money? fee = null)
        {
            if (transfers.Count == 0)
            {
                return;
            }

            var key = string.Create(CultureInfo.InvariantCulture, $"{dispute.Id}:{dispute.Journals + movements.Count + 1}");
            var journal = new Journal(merchant, key, Name(kind), effectiveAt, transfers);
            movements.Add(new DisputeMovement(kind, journal, Type(kind) is { } type
                ? new BalanceTransaction(
                    PrefixedId.New<BalanceTransactionId>(now),
                    merchant,
                    type,
                    dispute.Id.ToString(),
                    key,
                    amount ?? Money.Zero(currency),
                    fee ?? Money.Zero(currency),
                    DateOnly.FromDateTime(now.UtcDateTime),
                    ReleasedAt: now,
                    Batch: null,
                    CreatedAt: now)
                : null));
        }
    }

    private static string Name(DisputeMovementKind kind) => kind switch
    {
        DisputeMovementKind.Unsettled => "dispute_unsettled",
        DisputeMovementKind.Withdrawn => "dispute_withdrawn",
        DisputeMovementKind.Reinstated => "dispute_reinstated",
        DisputeMovementKind.FeeCharged => "dispute_fee",
        DisputeMovementKind.FeeRefunded => "dispute_fee_refunded",
        DisputeMovementKind.Settled => "dispute_settled",
    };

    /// <summary>Only what moves the available balance is the merchant's to see; a settlement moves what was already withdrawn.</summary>
    private static BalanceTransactionType? Type(DisputeMovementKind kind) => kind switch
    {
        DisputeMovementKind.Withdrawn => BalanceTransactionType.Dispute,
        DisputeMovementKind.Reinstated => BalanceTransactionType.DisputeReversal,
        DisputeMovementKind.FeeCharged => BalanceTransactionType.DisputeFee,
        DisputeMovementKind.FeeRefunded => BalanceTransactionType.DisputeFeeRefund,
        DisputeMovementKind.Unsettled or DisputeMovementKind.Settled => null,
    };

    /// <summary>The money is gone at the processor whether the merchant has it or not: the balance may fall below zero and recovers from later funds.</summary>
    private static IReadOnlyList<Transfer> One(AccountRef debit, AccountRef credit, Money amount, string code = "dispute") =>
        amount.IsPositive ? [new Transfer(debit, credit, amount, code) { PastLimit = true }] : [];

    /// <summary>
    /// From what is held to the processor's clearing. In two currencies the merchant's side ends in, and the processor's side starts
    /// from, the exchange accounts, whose balances together are the exchange result.
    /// </summary>
    private static List<Transfer> Settlement(string provider, AccountRef disputed, Money atProcessor, Money share, bool undo)
    {
        var clearing = ChartOfAccounts.ProcessorClearing(provider, atProcessor.Currency);
        var transfers = new List<Transfer>(2);
        if (share.Currency == atProcessor.Currency)
        {
            Add(disputed, clearing, share);
        }
        else
        {
            Add(disputed, ChartOfAccounts.ForeignExchange(share.Currency), share);
            Add(ChartOfAccounts.ForeignExchange(atProcessor.Currency), clearing, atProcessor);
        }

        return transfers;

        void Add(AccountRef from, AccountRef to, Money amount)
        {
            if (amount.IsPositive)
            {
                transfers.Add(undo ? new Transfer(to, from, amount, "dispute") : new Transfer(from, to, amount, "dispute"));
            }
        }
    }

    private static Money Positive(Money amount) => amount.IsPositive ? amount : Money.Zero(amount.Currency);
}
