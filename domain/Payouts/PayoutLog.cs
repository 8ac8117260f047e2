using Microsoft.Extensions.Logging;

namespace Payments.Domain.Payouts;

internal static partial class PayoutLog
{
    [LoggerMessage(5001, LogLevel.Information, "Payout run {Date} {Currency}: {Status}, {Considered} merchants looked at, {Payouts} payouts of {Amount} minor units, {Refused} refused")]
    public static partial void RunEnded(ILogger logger, DateOnly date, string currency, PayoutRunStatus status, long considered, long payouts, long amount, long refused);

    [LoggerMessage(5002, LogLevel.Error, "The ledger refused the payout of {Merchant} in the run {Date} {Currency}: {Reason}")]
    public static partial void Refused(ILogger logger, MerchantId merchant, DateOnly date, string currency, string reason);

    [LoggerMessage(5003, LogLevel.Warning, "The bank says that {Payout} of {Merchant} is {Said}, which does not follow its state {Status}")]
    public static partial void OutOfOrder(ILogger logger, PayoutId payout, MerchantId merchant, PayoutStatus said, PayoutStatus status);

    [LoggerMessage(5004, LogLevel.Error, "Payout {Payout} of {Merchant}: bank reported {Said}, expected {Amount}")]
    public static partial void AmountDiffers(ILogger logger, PayoutId payout, MerchantId merchant, Money said, Money amount);

    [LoggerMessage(5005, LogLevel.Error, "The bank speaks of a payout that does not exist: {Reference}")]
    public static partial void UnknownPayout(ILogger logger, string reference);

    [LoggerMessage(5006, LogLevel.Warning, "The bank's answer to {Payout} of {Merchant} is unknown, it will be asked again: {Detail}")]
    public static partial void SubmissionUnknown(ILogger logger, PayoutId payout, MerchantId merchant, string detail);

    [LoggerMessage(5007, LogLevel.Information, "Payout file {Blob}: {Payouts} payouts, {Amount} minor units, {Bytes} bytes")]
    public static partial void FileWritten(ILogger logger, string blob, int payouts, long amount, long bytes);

    [LoggerMessage(5008, LogLevel.Information, "Bank report {Name}: {Results} results, {Applied} applied, {Unmatched} unmatched")]
    public static partial void ReportApplied(ILogger logger, string name, int results, int applied, int unmatched);

    [LoggerMessage(5009, LogLevel.Error, "A payout {Payout} of {Merchant} could not be submitted and will be tried again")]
    public static partial void SubmissionFailed(ILogger logger, Exception exception, PayoutId payout, MerchantId merchant);

    [LoggerMessage(5011, LogLevel.Error, "Bank report {Name} cannot be trusted and was not applied: {Reason}")]
    public static partial void ReportRejected(ILogger logger, string name, string reason);

    [LoggerMessage(5013, LogLevel.Error, "Bank report {Name} failed and will be tried again")]
    public static partial void ReportFailed(ILogger logger, Exception exception, string name);

    [LoggerMessage(5014, LogLevel.Error, "The payout run {Date} {Currency} was cut off; the next timer goes on where it stood")]
    public static partial void RunFailed(ILogger logger, Exception exception, DateOnly date, string currency);

    [LoggerMessage(5012, LogLevel.Critical, "The invariant {Rule} is broken by {Rows} rows")]
    public static partial void InvariantBroken(ILogger logger, string rule, long rows);

    [LoggerMessage(5015, LogLevel.Error, "Bank report {Name}: {Reason} for {Reference}. {Detail}")]
    public static partial void Unmatched(ILogger logger, string name, string reason, string reference, string detail);

    [LoggerMessage(5041, LogLevel.Warning,
        "The receiving bank of {Payout} of {Merchant} corrected the account by {Code}: the account is now {Account}")]
    public static partial void AccountCorrected(ILogger logger, PayoutId payout, MerchantId merchant, string code, BankAccountId account);
}
