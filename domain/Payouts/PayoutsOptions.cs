namespace Payments.Domain.Payouts;

/// <summary>Settings under <c>Payouts</c>.</summary>
public sealed class PayoutsOptions
{
    /// <summary>Wall-clock time in the currency's zone from which a date's run may start.</summary>
    public TimeOnly RunAt { get; set; } = new(1, 0);

    /// <summary>Merchants looked at in one transaction.</summary>
    public int ChunkSize { get; set; } = 2_000;

    /// <summary>How many chunks of a run are worked on side by side: while one waits for the disk, others compute.</summary>
    public int Lanes { get; set; } = 4;

    /// <summary>How each currency gets to the bank (<c>Payouts:Rails:EUR = file</c>); the sandbox bank where nothing is set.</summary>
    public Dictionary<string, PayoutRail> Rails { get; } = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>How long payouts wait after a bank account was changed.</summary>
    public TimeSpan CoolingPeriod { get; set; } = TimeSpan.FromDays(3);

    /// <summary>A payout that is not submitted after this long is submitted by the sweeper.</summary>
    public TimeSpan ResubmitAfter { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>The bank API; that of the sandbox acquirer where nothing is set (<c>Providers:Sandbox</c>).</summary>
    public Uri? BankAddress { get; set; }

    public string? BankApiKey { get; set; }

    /// <summary>After this long without an answer the outcome of a call is unknown.</summary>
    public TimeSpan BankTimeout { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>Most payments in one file; banks agree on a number.</summary>
    public int FilePayouts { get; set; } = 100_000;

    /// <summary>Where files are written when it is a folder, such as that of a bank's transfer gateway; else the blob container <c>payout-files</c>.</summary>
    public string? FileFolder { get; set; }

    public string OriginatorName { get; set; } = "Payment Functions";

    /// <summary>The IBAN that payouts in EUR are paid from. The default is the example of the IBAN registry.</summary>
    public string OriginatorIban { get; set; } = "DE89370400440532013000";

    public string? OriginatorBic { get; set; }

    /// <summary>What else the bank calls the accounts that payouts are paid from: statements of any other account are not applied.</summary>
    public List<string> StatementAccounts { get; } = [];

    /// <summary>The bank that takes NACHA files.</summary>
    public string NachaDestination { get; set; } = "091000019";

    public string NachaDestinationName { get; set; } = "SANDBOX BANK";

    public string NachaOrigin { get; set; } = "1000000000";

    public string NachaCompanyId { get; set; } = "1000000000";

    public string NachaOdfi { get; set; } = "09100001";

    public PayoutRail RailOf(Currency currency) => Rails.TryGetValue(currency.Code, out var rail) ? rail : PayoutRail.Sandbox;
}
