using Payments.Domain.Payouts.BankFiles;

namespace Payments.Domain.Payouts;

/// <summary>Settings under <c>Payouts</c>.</summary>
public sealed class PayoutsOptions
{
    /// <summary>Wall-clock time in the currency's zone from which a date's run may start.</summary>
    public TimeOnly RunAt { get; set; } = new(1, 0);

    /// <summary>How many merchants a run looks at in one transaction.</summary>
    public int ChunkSize { get; set; } = 2_000;

    /// <summary>How many lanes of a run work side by side. While one waits for the disk, others compute.</summary>
    public int Lanes { get; set; } = 4;

    /// <summary>The rail of each currency (<c>Payouts:Rails:EUR = file</c>). The default is the sandbox bank.</summary>
    public Dictionary<string, PayoutRail> Rails { get; } = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>How long payouts wait after a bank account was changed.</summary>
    public TimeSpan CoolingPeriod { get; set; } = TimeSpan.FromDays(3);

    /// <summary>The sweeper submits a payout that is not submitted after this long.</summary>
    public TimeSpan ResubmitAfter { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>The address of the bank's API. The default is that of the sandbox acquirer (<c>Providers:Sandbox</c>).</summary>
    public Uri? BankAddress { get; set; }

    public string? BankApiKey { get; set; }

    /// <summary>After this long without an answer the outcome of a call is unknown.</summary>
    public TimeSpan BankTimeout { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>The most payments in one file, as agreed with the bank.</summary>
    public int FilePayouts { get; set; } = 100_000;

    /// <summary>
    /// The folder for bank files, such as that of a bank's transfer gateway. The default is the blob container <c>payout-files</c>.
    /// </summary>
    public string? FileFolder { get; set; }

    /// <summary>Our name in bank files.</summary>
    public string? OriginatorName { get; set; }

    /// <summary>The IBAN that payouts in EUR are paid from.</summary>
    public string? OriginatorIban { get; set; }

    public string? OriginatorBic { get; set; }

    /// <summary>
    /// Our address in EUR files: at least <c>TownName</c> and <c>Country</c>. Payments to accounts outside the EEA must carry it.
    /// </summary>
    public PostalAddressRequest? OriginatorAddress { get; set; }

    /// <summary>
    /// Other identifications that the bank uses for the accounts that payouts are paid from. Statements of any other account are not
    /// applied.
    /// </summary>
    public List<string> StatementAccounts { get; } = [];

    /// <summary>The routing number of the bank that takes NACHA files (immediate destination).</summary>
    public string? NachaDestination { get; set; }

    public string? NachaDestinationName { get; set; }

    /// <summary>The number that the bank gave us as the sender of files (immediate origin): up to ten characters.</summary>
    public string? NachaOrigin { get; set; }

    /// <summary>The number that the bank gave us as the company of a batch: up to ten characters.</summary>
    public string? NachaCompanyId { get; set; }

    /// <summary>The first eight digits of our bank's routing number.</summary>
    public string? NachaOdfi { get; set; }

    /// <summary>How the bank's answer about an account's holder affects payouts.</summary>
    public PayeeOptions Payee { get; } = new();

    /// <summary>
    /// How long after sending the bank may still take an instant payout. The request tells the bank, and the bank refuses the payout after
    /// that time.
    /// </summary>
    public TimeSpan InstantWindow { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>
    /// Whether there is a bank API that checks accounts and makes instant payouts. The registration sets it: true if an address is
    /// configured.
    /// </summary>
    internal bool HasBankApi { get; set; } = true;

    /// <summary>A bank file moves real money, so payouts of test accounts always go to the sandbox bank.</summary>
    public PayoutRail RailOf(Currency currency, Mode mode) =>
        mode == Mode.Live && Rails.TryGetValue(currency.Code, out var rail) ? rail : PayoutRail.Sandbox;

    /// <summary>Instant payouts always use the bank's API, whatever the rail of the currency.</summary>
    public PayoutRail RailOf(Currency currency, Mode mode, PayoutMethod method) =>
        method == PayoutMethod.Instant ? PayoutRail.Sandbox : RailOf(currency, mode);

    /// <exception cref="InvalidOperationException">
    /// A rail is wrong, or settings that bank files need are missing or wrong. The message names each of them.
    /// </exception>
    public void Validate()
    {
        var wrong = new List<string>();
        foreach (var (code, rail) in Rails)
        {
            if (!Currency.TryParse(code, out var currency))
            {
                wrong.Add($"Payouts__Rails__{code} must be named by an ISO 4217 currency code.");
            }
            else if (rail == PayoutRail.File && currency.Code is not ("EUR" or "USD"))
            {
                wrong.Add($"Payouts__Rails__{code} must not be file: only EUR and USD have bank files.");
            }
        }

        var (euro, dollar) = (RailOf(Currency.Eur, Mode.Live) == PayoutRail.File, RailOf(Currency.Usd, Mode.Live) == PayoutRail.File);
        Require(euro || dollar, !string.IsNullOrWhiteSpace(OriginatorName), "Payouts__OriginatorName is missing.");
        Require(euro, Iban.TryParse(OriginatorIban, out var iban) && SepaArea.Contains(iban[..2]),
            "Payouts__OriginatorIban must be an IBAN in the SEPA area.");
        Require(euro, PostalAddress.TryCreate(OriginatorAddress ?? new(), out _, out var field),
            $"Payouts__OriginatorAddress must have TownName and Country: {field} is missing or wrong.");
        Require(dollar, AbaRoutingNumber.IsValid(NachaDestination), "Payouts__NachaDestination must be a routing number.");
        Require(dollar, !string.IsNullOrWhiteSpace(NachaDestinationName), "Payouts__NachaDestinationName is missing.");
        Require(dollar, NachaOrigin is { Length: > 0 and <= 10 }, "Payouts__NachaOrigin must have 1 to 10 characters.");
        Require(dollar, NachaCompanyId is { Length: > 0 and <= 10 }, "Payouts__NachaCompanyId must have 1 to 10 characters.");
        Require(dollar, NachaOdfi is { Length: 8 } odfi && odfi.All(char.IsAsciiDigit), "Payouts__NachaOdfi must be eight digits.");
        if (wrong.Count > 0)
        {
            throw new InvalidOperationException(
                $"Settings for bank files are missing or wrong, see docs/payouts.md. {string.Join(' ', wrong)}");
        }

        void Require(bool needed, bool given, string message)
        {
            if (needed && !given)
            {
                wrong.Add(message);
            }
        }
    }

    internal SepaOriginator SepaOriginator() => new(
        Given(OriginatorName), Iban.TryParse(OriginatorIban, out var iban) ? iban : Given(null), OriginatorBic,
        PostalAddress.TryCreate(OriginatorAddress ?? new(), out var address, out _) ? address : null);

    internal NachaOriginator NachaOriginator() => new(
        Given(NachaDestination), Given(NachaDestinationName), Given(NachaOrigin), Given(OriginatorName), Given(NachaCompanyId),
            Given(NachaOdfi));

    // The app does not start without them.
    private static string Given(string? setting) => setting ?? throw new InvalidOperationException("A setting for bank files is missing.");
}
