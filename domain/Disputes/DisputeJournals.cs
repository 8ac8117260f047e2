using System.Globalization;
using Payments.Domain.Balances;
using Payments.Domain.Ledger;

namespace Payments.Domain.Disputes;

/// <summary>One journal of a dispute, and its balance transaction if it changes the merchant's balance.</summary>
public sealed record DisputeMovement(DisputeMovementKind Kind, Journal Journal, BalanceTransaction? BalanceTransaction);

public enum DisputeMovementKind
{
    /// <summary>A settlement is undone, because a verdict was overturned or its amount was corrected.</summary>
    Unsettled,
    Withdrawn,
    Reinstated,
    FeeCharged,
    FeeRefunded,

    /// <summary>The provider keeps the money. The dispute, or a part of it, is over.</summary>
    Settled,
}

/// <summary>The journals that lead from one position of a dispute to another.</summary>
public static class DisputeJournals
{
    /// <summary>
    /// The journals that the ledger is missing, in the order in which they must be posted. In this order <c>merchant/disputed</c> never
    /// falls below the held amount.
    /// </summary>
    /// <param name="dispute">
    /// Its <see cref="Dispute.Posted"/> is the current position, and its <see cref="Dispute.Journals"/> numbers the keys.
    /// </param>
    /// <param name="after">The position that the ledger must reach.</param>
    /// <param name="effectiveAt">UTC. When the change happened at the provider.</param>
    public static IReadOnlyList<DisputeMovement> For(Dispute dispute, DisputePosition after, DateTimeOffset effectiveAt, DateTimeOffset now)
    {
        var before = dispute.Posted;
        var merchant = dispute.Merchant;
        var currency = dispute.ChargeAmount.Currency;
        var available = ChartOfAccounts.MerchantAvailable(merchant, currency);
        var disputed = ChartOfAccounts.MerchantDisputed(merchant, currency);
        var fees = ChartOfAccounts.PlatformFees(currency);
        var movements = new List<DisputeMovement>(3);

        // The provider's amount is in the dispute's currency. If a correction changes that currency, the old settlement is undone as a
        // whole.
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

    /// <summary>Merchants see only what moves the available balance. A settlement moves money that was withdrawn before.</summary>
    private static BalanceTransactionType? Type(DisputeMovementKind kind) => kind switch
    {
        DisputeMovementKind.Withdrawn => BalanceTransactionType.Dispute,
        DisputeMovementKind.Reinstated => BalanceTransactionType.DisputeReversal,
        DisputeMovementKind.FeeCharged => BalanceTransactionType.DisputeFee,
        DisputeMovementKind.FeeRefunded => BalanceTransactionType.DisputeFeeRefund,
        DisputeMovementKind.Unsettled or DisputeMovementKind.Settled => null,
    };

    /// <summary>
    /// The provider has taken the money whether the merchant has it or not. The balance may fall below zero, and later funds fill it up.
    /// </summary>
    private static IReadOnlyList<Transfer> One(AccountRef debit, AccountRef credit, Money amount, string code = "dispute") =>
        amount.IsPositive ? [new Transfer(debit, credit, amount, code) { PastLimit = true }] : [];

    /// <summary>
    /// From the held money to the provider's clearing account. With two currencies, the merchant's side ends in one exchange account,
    /// and the provider's side starts from another. The balances of these accounts together are the exchange result.
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
