namespace Payments.Domain.Ledger;

/// <summary>What posting has to know to open an account.</summary>
/// <param name="CreditNormal">The balance is credits minus debits: what is owed or earned. Otherwise debits minus credits: what others owe, costs.</param>
/// <param name="MinBalance">The limit in minor units, or null for none.</param>
/// <param name="Merchant">Whose account it is; null for the platform's, which are striped by bucket.</param>
public sealed record AccountRules(bool CreditNormal, long? MinBalance, MerchantId? Merchant);

/// <summary>
/// The accounts there are. A merchant's stop at zero: a transfer that would take more than there is is refused unless it is marked
/// <see cref="Transfer.PastLimit"/>. The platform's have no limit and are kept once per bucket; reading one adds its stripes.
/// </summary>
public static class ChartOfAccounts
{
    /// <summary>Captured, not yet free to be paid out. Positive: owed to the merchant.</summary>
    public static AccountRef MerchantPending(MerchantId merchant, Currency currency) => Merchant(merchant, "pending", currency);

    /// <summary>Free to be paid out or refunded from. Negative after a dispute of money that is gone.</summary>
    public static AccountRef MerchantAvailable(MerchantId merchant, Currency currency) => Merchant(merchant, "available", currency);

    /// <summary>Held back against disputes to come.</summary>
    public static AccountRef MerchantReserve(MerchantId merchant, Currency currency) => Merchant(merchant, "reserve", currency);

    /// <summary>The amounts of open disputes.</summary>
    public static AccountRef MerchantDisputed(MerchantId merchant, Currency currency) => Merchant(merchant, "disputed", currency);

    /// <summary>Sent to the merchant's bank and not yet confirmed.</summary>
    public static AccountRef MerchantInTransit(MerchantId merchant, Currency currency) => Merchant(merchant, "in_transit", currency);

    /// <summary>What a processor owes the platform; positive until it settles.</summary>
    public static AccountRef ProcessorClearing(string provider, Currency currency) => new($"processor/{provider}/clearing", currency);

    /// <summary>Fees earned of merchants.</summary>
    public static AccountRef PlatformFees(Currency currency) => new("platform/fees", currency);

    /// <summary>What processors charge.</summary>
    public static AccountRef PlatformProcessingCosts(Currency currency) => new("platform/processing_costs", currency);

    /// <summary>Disputes that the platform bears because the merchant cannot.</summary>
    public static AccountRef PlatformDisputeLosses(Currency currency) => new("platform/dispute_losses", currency);

    public static AccountRef PlatformWriteOffs(Currency currency) => new("platform/write_offs", currency);

    /// <summary>Money that nobody has explained yet; it should be zero, and each remainder has an owner.</summary>
    public static AccountRef PlatformSuspense(Currency currency) => new("platform/suspense", currency);

    /// <summary>The platform's bank account.</summary>
    public static AccountRef BankSettlement(Currency currency) => new("bank/settlement", currency);

    /// <summary>The platform's position in one currency of an exchange; an exchange is one transfer through each currency's position.</summary>
    public static AccountRef ForeignExchange(Currency currency) => new("fx/position", currency);

    /// <summary>How an account of this name behaves; decided by the name alone, so that every process opens it alike.</summary>
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
