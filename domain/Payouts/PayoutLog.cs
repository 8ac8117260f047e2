using Microsoft.Extensions.Logging;

namespace Payments.Domain.Payouts;

internal static partial class PayoutLog
{
    [LoggerMessage(5001, LogLevel.Information,
        "Payout run {Date} {Currency} is {Status}: {MerchantCount} merchants considered, {PayoutCount} payouts of {Amount} minor units, "
        + "{RefusedCount} refused by the ledger")]
    public static partial void RunEnded(ILogger logger, DateOnly date, string currency, PayoutRunStatus status, long merchantCount,
        long payoutCount, long amount, long refusedCount);

    [LoggerMessage(5002, LogLevel.Error, "Payout run {Date} {Currency}: the ledger refused the payout of merchant {MerchantId}: {Reason}")]
    public static partial void Refused(ILogger logger, MerchantId merchantId, DateOnly date, string currency, string reason);

    [LoggerMessage(5003, LogLevel.Warning,
        "Payout {PayoutId} of merchant {MerchantId}: bank reported {ReportedStatus}, but the payout is already {Status}")]
    public static partial void OutOfOrder(
        ILogger logger, PayoutId payoutId, MerchantId merchantId, PayoutStatus reportedStatus, PayoutStatus status);

    [LoggerMessage(5004, LogLevel.Error,
        "Payout {PayoutId} of merchant {MerchantId}: bank reported {ReportedAmount}, expected {Amount}")]
    public static partial void AmountDiffers(
        ILogger logger, PayoutId payoutId, MerchantId merchantId, Money reportedAmount, Money amount);

    [LoggerMessage(5005, LogLevel.Error, "Bank reported payout {PayoutReference}, which does not exist")]
    public static partial void UnknownPayout(ILogger logger, string payoutReference);

    [LoggerMessage(5006, LogLevel.Warning,
        "Payout {PayoutId} of merchant {MerchantId}: the outcome of the submission is unknown, the app asks the bank again: {Detail}")]
    public static partial void SubmissionUnknown(ILogger logger, PayoutId payoutId, MerchantId merchantId, string detail);

    [LoggerMessage(5007, LogLevel.Information,
        "Payout file {FileName} was written: {PayoutCount} payouts, {Amount} minor units, {ByteCount} bytes")]
    public static partial void FileWritten(ILogger logger, string fileName, int payoutCount, long amount, long byteCount);

    [LoggerMessage(5008, LogLevel.Information,
        "Bank report {ReportName}: {ResultCount} results, {AppliedCount} applied, {UnmatchedCount} unmatched")]
    public static partial void ReportApplied(ILogger logger, string reportName, int resultCount, int appliedCount, int unmatchedCount);

    [LoggerMessage(5009, LogLevel.Error,
        "Payout {PayoutId} of merchant {MerchantId}: the submission failed, the next sweep tries again")]
    public static partial void SubmissionFailed(ILogger logger, Exception exception, PayoutId payoutId, MerchantId merchantId);

    [LoggerMessage(5011, LogLevel.Error, "Bank report {ReportName} was rejected, nothing was applied: {Reason}")]
    public static partial void ReportRejected(ILogger logger, string reportName, string reason);

    [LoggerMessage(5013, LogLevel.Error, "Bank report {ReportName} failed, the next scan tries again")]
    public static partial void ReportFailed(ILogger logger, Exception exception, string reportName);

    [LoggerMessage(5014, LogLevel.Error, "Payout run {Date} {Currency} failed, the next timer run continues it")]
    public static partial void RunFailed(ILogger logger, Exception exception, DateOnly date, string currency);

    [LoggerMessage(5012, LogLevel.Critical, "Payout invariant {Rule} is broken by {RowCount} rows")]
    public static partial void InvariantBroken(ILogger logger, string rule, long rowCount);

    [LoggerMessage(5015, LogLevel.Error, "Bank report {ReportName}: item {Reference} is unmatched, {Reason}: {Detail}")]
    public static partial void Unmatched(ILogger logger, string reportName, string reason, string reference, string detail);

    [LoggerMessage(5041, LogLevel.Warning,
        "Payout {PayoutId} of merchant {MerchantId}: the receiving bank corrected the account with code {Code}, "
        + "the account is now {BankAccountId}")]
    public static partial void AccountCorrected(
        ILogger logger, PayoutId payoutId, MerchantId merchantId, string code, BankAccountId bankAccountId);
}
