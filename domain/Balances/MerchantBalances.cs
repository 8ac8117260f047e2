using System.Text.Json.Serialization;
using Payments.Domain.Ledger;

namespace Payments.Domain.Balances;

/// <summary>One currency of a merchant's balance, in minor units.</summary>
/// <param name="Pending">Captured and not yet due for payout.</param>
/// <param name="Available">Due for payout; negative when the merchant owes the platform.</param>
/// <param name="Reserve">Kept back by the platform.</param>
/// <param name="Disputed">Withheld until a dispute ends.</param>
/// <param name="InTransit">On its way to the bank account.</param>
public sealed record CurrencyBalance(string Currency, long Pending, long Available, long Reserve, long Disputed, long InTransit);

public sealed record BalanceResource(string Object, string Merchant, IReadOnlyList<CurrencyBalance> Balances);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, Converters = [typeof(UtcTimeJson)])]
[JsonSerializable(typeof(BalanceResource))]
public sealed partial class BalanceJson : JsonSerializerContext;

/// <summary>Reads merchants' balances from the ledger's accounts. There is no second copy that could differ.</summary>
public sealed class MerchantBalances(LedgerReads ledger)
{
    // More accounts than a merchant can have: five in each currency.
    private const int Limit = 2_000;

    /// <summary>One entry for each currency the merchant ever used, by code.</summary>
    public async Task<BalanceResource> GetAsync(MerchantId merchant, CancellationToken ct)
    {
        var prefix = $"merchant/{merchant}/";
        var accounts = await ledger.AccountsAsync(prefix, null, Limit, ct, merchant.Mode);
        var balances = accounts
            .GroupBy(account => account.Currency, StringComparer.Ordinal)
            .OrderBy(group => group.Key, StringComparer.Ordinal)
            .Select(group => new CurrencyBalance(group.Key, Of(group, "pending"), Of(group, "available"), Of(group, "reserve"), Of(group, "disputed"), Of(group, "in_transit")));
        return new BalanceResource("balance", merchant.ToString(), [.. balances]);

        long Of(IEnumerable<AccountBalance> group, string part) => group.FirstOrDefault(account => account.Name == prefix + part)?.Balance ?? 0;
    }
}
