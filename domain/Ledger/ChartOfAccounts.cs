namespace Payments.Domain.Ledger;

/// <summary>What posting must know to open an account.</summary>
/// <param name="CreditNormal">
/// True: the balance is credits minus debits, for what the platform owes or earned. False: debits minus credits, for costs and for what
/// others owe.
/// </param>
/// <param name="MinBalance">The limit in minor units, or null for none.</param>
/// <param name="Merchant">The merchant that has the account. Null for an account of the platform, which exists once per bucket.</param>
public sealed record AccountRules(bool CreditNormal, long? MinBalance, MerchantId? Merchant);

/// <summary>
/// All accounts of the ledger. A merchant's accounts stop at zero: a transfer that takes more than there is is refused, unless it is marked
/// <see cref="Transfer.PastLimit"/>. The platform's accounts have no limit. They exist once per bucket, and reading one adds up its
/// stripes.
/// </summary>
public static class ChartOfAccounts
{
    /// <summary>Captured, not yet free to be paid out. Positive: owed to the merchant.</summary>
    public static AccountRef MerchantPending(MerchantId merchant, Currency currency) => Merchant(merchant, "pending", currency);

    /// <summary>Free to be paid out or refunded from. Negative after a dispute over money that was already paid out.</summary>
    public static AccountRef MerchantAvailable(MerchantId merchant, Currency currency) => Merchant(merchant, "available", currency);

    /// <summary>Held back against disputes to come.</summary>
    public static AccountRef MerchantReserve(MerchantId merchant, Currency currency) => Merchant(merchant, "reserve", currency);

    /// <summary>The amounts of open disputes.</summary>
    public static AccountRef MerchantDisputed(MerchantId merchant, Currency currency) => Merchant(merchant, "disputed", currency);

    /// <summary>Sent to the merchant's bank and not yet confirmed.</summary>
    public static AccountRef MerchantInTransit(MerchantId merchant, Currency currency) => Merchant(merchant, "in_transit", currency);

    /// <summary>What a provider owes the platform. Positive until the provider settles.</summary>
    public static AccountRef ProcessorClearing(string provider, Currency currency) => new($"processor/{provider}/clearing", currency);

    /// <summary>Fees earned from merchants.</summary>
    public static AccountRef PlatformFees(Currency currency) => new("platform/fees", currency);

    /// <summary>What providers charge.</summary>
    public static AccountRef PlatformProcessingCosts(Currency currency) => new("platform/processing_costs", currency);

    /// <summary>Disputes that the platform bears because the merchant cannot.</summary>
    public static AccountRef PlatformDisputeLosses(Currency currency) => new("platform/dispute_losses", currency);

    public static AccountRef PlatformWriteOffs(Currency currency) => new("platform/write_offs", currency);

    /// <summary>Money without an explanation yet. It should be zero, and an operator looks after each remainder.</summary>
    public static AccountRef PlatformSuspense(Currency currency) => new("platform/suspense", currency);

    /// <summary>The platform's bank account.</summary>
    public static AccountRef BankSettlement(Currency currency) => new("bank/settlement", currency);

    /// <summary>
    /// The platform's position in one currency of an exchange. An exchange makes one transfer through the position of each currency.
    /// </summary>
    public static AccountRef ForeignExchange(Currency currency) => new("fx/position", currency);

    /// <summary>The rules of the account with this name. The name alone decides, so that every process opens the account alike.</summary>
    /// <exception cref="ArgumentException">No account of the chart has this name.</exception>
    public static AccountRules RulesOf(string name)
    {
        var parts = name.Split('/');
        return parts switch
        {
            ["merchant", var id, "pending" or "available" or "reserve" or "disputed" or "in_transit"] when PrefixedId.TryParse<MerchantId>(id, out var merchant)
                => new AccountRules(CreditNormal: true, MinBalance: 0, merchant),
            ["processor", { Length: > 0 }, "clearing"] or ["bank", "settlement"] => DebitNormal,
            ["platform", "processing_costs" or "dispute_losses" or "write_offs"] => DebitNormal,
            ["platform", "fees" or "suspense"] or ["fx", "position"] => CreditNormal,
            _ => throw new ArgumentException($"The chart has no account '{name}'.", nameof(name)),
        };
    }

    private static readonly AccountRules CreditNormal = new(true, null, null);
    private static readonly AccountRules DebitNormal = new(false, null, null);

    private static AccountRef Merchant(MerchantId merchant, string part, Currency currency) => new($"merchant/{merchant}/{part}", currency);
}
