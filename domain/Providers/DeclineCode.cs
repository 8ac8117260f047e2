namespace Payments.Domain.Providers;

/// <summary>Why a payment was declined, in one vocabulary for all providers.</summary>
public enum DeclineCode
{
    AuthenticationFailed,
    AuthenticationRequired,
    CardNotSupported,
    CurrencyNotSupported,
    DoNotHonor,
    ExpiredCard,
    Fraudulent,
    IncorrectCvc,
    InsufficientFunds,
    InvalidAccount,
    InvalidAmount,
    InvalidRequest,
    IssuerUnavailable,
    LimitExceeded,
    LostCard,
    NotPermitted,
    ProcessingError,
    ProviderUnavailable,
    RestrictedCard,
    StolenCard,
}

public static class DeclineCodes
{
    /// <summary>
    /// Whether a repeat of the payment may succeed, later or at another provider. Card schemes fine merchants who retry after a final
    /// refusal (the "do not retry" categories of Visa and Mastercard), so a doubtful code is not retryable.
    /// </summary>
    public static bool IsRetryable(this DeclineCode code) => code switch
    {
        DeclineCode.DoNotHonor or DeclineCode.InsufficientFunds or DeclineCode.IssuerUnavailable or DeclineCode.LimitExceeded
            or DeclineCode.ProcessingError or DeclineCode.ProviderUnavailable or DeclineCode.AuthenticationRequired => true,
        DeclineCode.AuthenticationFailed or DeclineCode.CardNotSupported or DeclineCode.CurrencyNotSupported or DeclineCode.ExpiredCard or DeclineCode.Fraudulent
            or DeclineCode.IncorrectCvc or DeclineCode.InvalidAccount or DeclineCode.InvalidAmount or DeclineCode.InvalidRequest or DeclineCode.LostCard
            or DeclineCode.NotPermitted or DeclineCode.RestrictedCard or DeclineCode.StolenCard => false,
    };

    /// <summary>A sentence for the merchant, who decides what to tell the customer.</summary>
    public static string Message(this DeclineCode code) => code switch
    {
        DeclineCode.AuthenticationFailed => "The cardholder did not pass authentication.",
        DeclineCode.AuthenticationRequired => "The issuer wants the cardholder to authenticate.",
        DeclineCode.CardNotSupported => "The card does not support this kind of payment.",
        DeclineCode.CurrencyNotSupported => "The card does not support the currency.",
        DeclineCode.DoNotHonor => "The issuer declined without a reason.",
        DeclineCode.ExpiredCard => "The card has expired.",
        DeclineCode.Fraudulent => "The payment was declined on suspicion of fraud.",
        DeclineCode.IncorrectCvc => "The security code is wrong.",
        DeclineCode.InsufficientFunds => "The account has insufficient funds.",
        DeclineCode.InvalidAccount => "The card or its account does not exist.",
        DeclineCode.InvalidAmount => "The amount is not valid for the card.",
        DeclineCode.InvalidRequest => "The processor refused the request as invalid.",
        DeclineCode.IssuerUnavailable => "The issuer could not be reached.",
        DeclineCode.LimitExceeded => "A limit of the card was exceeded.",
        DeclineCode.LostCard => "The card was reported lost.",
        DeclineCode.NotPermitted => "The issuer does not permit the payment.",
        DeclineCode.ProcessingError => "The processor failed before it carried the payment out.",
        DeclineCode.ProviderUnavailable => "The processor could not be reached; nothing was sent.",
        DeclineCode.RestrictedCard => "The card is restricted.",
        DeclineCode.StolenCard => "The card was reported stolen.",
    };
}
