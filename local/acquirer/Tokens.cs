using System.Globalization;

namespace Payments.Acquirer;

/// <summary>What a card token makes of a payment. Everything else about it behaves as an approved card.</summary>
internal sealed record CardOutcome(string Brand, string Last4, string Country)
{
    /// <summary>Null approves.</summary>
    public string? DeclineCode { get; init; }

    /// <summary>Null needs no cardholder; otherwise whether the cardholder can pass.</summary>
    public bool? AuthenticationPasses { get; init; }

    /// <summary>Whether the issuer no longer honours the authorization when it is captured.</summary>
    public bool RefusesCapture { get; init; }

    public OperationStatus RefundStatus { get; init; } = OperationStatus.Succeeded;

    /// <summary>How a pending refund ends.</summary>
    public bool RefundEndsWell { get; init; } = true;

    /// <summary>The stage of the dispute that opens by itself after a capture.</summary>
    public DisputeStage? DisputeStage { get; init; }

    /// <summary>What happens to the call itself, and to which kind of call.</summary>
    public TokenFault? Fault { get; init; }
}

/// <summary>A fault that a token brings along.</summary>
internal sealed record TokenFault(string Operation, FaultKind Kind, int DelayMilliseconds = 0);

/// <summary>The outcome tokens of cards and bank accounts.</summary>
internal static class Tokens
{
    public static readonly string[] DeclineCodes =
    [
        "insufficient_funds", "do_not_honor", "generic", "lost_card", "stolen_card", "expired_card", "incorrect_cvc", "incorrect_number", "fraudulent",
        "processing_error", "card_velocity_exceeded", "authentication_required", "card_not_supported", "currency_not_supported", "invalid_account",
        "issuer_not_available", "restricted_card", "transaction_not_allowed", "try_again_later", "withdrawal_count_limit_exceeded",
    ];

    public static readonly string[] PayoutFailureCodes =
    [
        "account_closed", "account_frozen", "bank_account_restricted", "could_not_process", "declined", "incorrect_account_holder_name",
        "invalid_account_number", "invalid_currency", "no_account",
    ];

    private const int DefaultSlowMilliseconds = 2000;

    private static readonly CardOutcome Visa = new("visa", "4242", "US");

    private static readonly Dictionary<string, CardOutcome> Cards = MakeCards();

    private static readonly Dictionary<string, FaultKind> FaultNames = new()
    {
        ["timeout_after"] = FaultKind.TimeoutAfter,
        ["timeout_before"] = FaultKind.TimeoutBefore,
        ["fail_after"] = FaultKind.FailAfter,
        ["fail_before"] = FaultKind.FailBefore,
        ["drop_after"] = FaultKind.DropAfter,
        ["drop_before"] = FaultKind.DropBefore,
    };

    /// <summary>Null for a token that nobody knows.</summary>
    public static CardOutcome? Card(string token)
    {
        if (Cards.TryGetValue(token, out var known))
            return known;
        if (Tail(token, "tok_slow_") is { } slow && int.TryParse(slow, NumberStyles.None, CultureInfo.InvariantCulture, out var delay) && delay <= 60_000)
            return Visa with { Fault = new("payment", FaultKind.Delay, delay) };
        foreach (var operation in (string[])["capture", "cancel", "refund"])
        {
            if (Tail(token, $"tok_{operation}_") is not { } name)
                continue;
            if (name == "webhook_first")
                return Visa with { Fault = new(operation, FaultKind.WebhookFirst) };
            if (FaultNames.TryGetValue(name, out var kind))
                return Visa with { Fault = new(operation, kind) };
        }
        return null;
    }

    /// <summary>The token of a bank account: its own, or what the last four digits of its number stand for.</summary>
    public static string? BankToken(BankAccount account)
    {
        if (account.Token is { } token)
            return IsBankToken(token) ? token : null;
        var number = account.Iban ?? account.AccountNumber ?? "";
        return number.Length < 4 ? "ba_paid" : number[^4..] switch
        {
            "0001" => "ba_fails_account_closed",
            "0002" => "ba_fails_invalid_account_number",
            "0003" => "ba_fails_account_frozen",
            "0004" => "ba_returned_account_closed",
            "0005" => "ba_hold_in_transit",
            "0006" => "ba_hold_pending",
            "0007" => "ba_timeout_after",
            "0008" => "ba_fail_after",
            "0009" => "ba_timeout_before",
            _ => "ba_paid",
        };
    }

    /// <summary>What the bank of an account says of its holder, by the number's last four digits.</summary>
    public static PayeeCheckView CheckPayee(BankAccount account)
    {
        var reachable = ReachesInstantly(account);
        return Ending(account) switch
        {
            "0021" => new("close_match", $"{account.HolderName} Ltd", reachable),
            "0022" => new("no_match", null, reachable),
            "0023" => new("not_possible", null, reachable),

            // There is no such service for accounts that have no IBAN.
            _ => new(account.Iban is null ? "not_possible" : "match", null, reachable),
        };
    }

    public static bool ReachesInstantly(BankAccount account) => Ending(account) != "0024";

    private static string Ending(BankAccount account) =>
        (account.Iban ?? account.AccountNumber) is { Length: >= 4 } number ? number[^4..] : "";

    public static FaultKind? BankFault(string token) =>
        Tail(token, "ba_") is { } name && FaultNames.TryGetValue(name, out var kind) ? kind : null;

    public static string? Tail(string text, string prefix) => text.StartsWith(prefix, StringComparison.Ordinal) ? text[prefix.Length..] : null;

    private static bool IsBankToken(string token) =>
        token is "ba_paid" or "ba_hold_in_transit" or "ba_hold_pending"
        || BankFault(token) is not null
        || ((Tail(token, "ba_fails_") ?? Tail(token, "ba_returned_")) is { } code && PayoutFailureCodes.Contains(code));

    private static Dictionary<string, CardOutcome> MakeCards()
    {
        var cards = new Dictionary<string, CardOutcome>
        {
            ["tok_visa"] = Visa,
            ["tok_visa_debit"] = new("visa", "5556", "US"),
            ["tok_mastercard"] = new("mastercard", "4444", "DE"),
            ["tok_amex"] = new("amex", "0005", "US"),
            ["tok_3ds_required"] = new("visa", "3155", "FR") { AuthenticationPasses = true },
            ["tok_3ds_failed"] = new("visa", "1629", "FR") { AuthenticationPasses = false },
            ["tok_capture_refused"] = Visa with { RefusesCapture = true },
            ["tok_refund_pending"] = Visa with { RefundStatus = OperationStatus.Pending },
            ["tok_refund_pending_fails"] = Visa with { RefundStatus = OperationStatus.Pending, RefundEndsWell = false },
            ["tok_refund_fails"] = Visa with { RefundStatus = OperationStatus.Failed },
            ["tok_refund_pending_drop_after"] = Visa with { RefundStatus = OperationStatus.Pending, Fault = new("refund", FaultKind.DropAfter) },
            ["tok_refund_fails_drop_after"] = Visa with { RefundStatus = OperationStatus.Failed, Fault = new("refund", FaultKind.DropAfter) },
            ["tok_dispute"] = Visa with { DisputeStage = DisputeStage.Chargeback },
            ["tok_dispute_early_warning"] = Visa with { DisputeStage = DisputeStage.EarlyWarning },
            ["tok_dispute_inquiry"] = Visa with { DisputeStage = DisputeStage.Inquiry },
            ["tok_timeout_after_charging"] = Visa with { Fault = new("payment", FaultKind.TimeoutAfter) },
            ["tok_timeout_before_charging"] = Visa with { Fault = new("payment", FaultKind.TimeoutBefore) },
            ["tok_fail_after_charging"] = Visa with { Fault = new("payment", FaultKind.FailAfter) },
            ["tok_fail_before_charging"] = Visa with { Fault = new("payment", FaultKind.FailBefore) },
            ["tok_drop_after_charging"] = Visa with { Fault = new("payment", FaultKind.DropAfter) },
            ["tok_drop_before_charging"] = Visa with { Fault = new("payment", FaultKind.DropBefore) },
            ["tok_malformed"] = Visa with { Fault = new("payment", FaultKind.Malformed) },
            ["tok_rate_limited"] = Visa with { Fault = new("payment", FaultKind.RateLimit) },
            ["tok_slow"] = Visa with { Fault = new("payment", FaultKind.Delay, DefaultSlowMilliseconds) },
            ["tok_flaky"] = Visa with { Fault = new("payment", FaultKind.Flaky) },
            ["tok_webhook_first"] = Visa with { Fault = new("payment", FaultKind.WebhookFirst) },
        };
        foreach (var code in DeclineCodes)
            cards[$"tok_decline_{code}"] = Visa with { Last4 = "0002", DeclineCode = code };
        return cards;
    }
}
