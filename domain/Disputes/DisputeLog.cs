using Microsoft.Extensions.Logging;
using Payments.Domain.Disputes.Files;

namespace Payments.Domain.Disputes;

internal static partial class DisputeLog
{
    [LoggerMessage(EventId = 6001, Level = LogLevel.Information,
        Message = "A concurrent transaction made try {TryNumber} of a dispute transaction fail, this process tries again")]
    public static partial void TransactionRetried(ILogger logger, int tryNumber, Exception exception);

    [LoggerMessage(EventId = 6002, Level = LogLevel.Information,
        Message = "Found the charges of {MatchedCount} of {CheckedCount} unmatched dispute updates")]
    public static partial void Matched(ILogger logger, int matchedCount, int checkedCount);

    [LoggerMessage(EventId = 6003, Level = LogLevel.Information,
        Message = "Dispute file {FileName} of partner {Partner} was already processed, this run changes nothing")]
    public static partial void FileAlreadyProcessed(ILogger logger, string partner, string fileName);

    [LoggerMessage(EventId = 6004, Level = LogLevel.Information,
        Message = "Dispute file {FileName} of partner {Partner}: another run is processing it, this run stops")]
    public static partial void FileInUse(ILogger logger, string partner, string fileName);

    [LoggerMessage(EventId = 6005, Level = LogLevel.Information,
        Message = "Dispute file {FileName} of partner {Partner} is {Status}: {AppliedLines} lines applied, {DuplicateLines} duplicate, "
            + "{UnmatchedLines} unmatched, {RejectedLines} rejected")]
    public static partial void FileProcessed(ILogger logger, string partner, string fileName, DisputeFileStatus status,
        long appliedLines, long duplicateLines, long unmatchedLines, long rejectedLines);

    [LoggerMessage(EventId = 6006, Level = LogLevel.Warning,
        Message = "Dispute file {BlobName} stays in the inbox: its folder is not the name of a configured partner")]
    public static partial void PartnerUnknown(ILogger logger, string blobName);

    [LoggerMessage(EventId = 6007, Level = LogLevel.Error, Message = "Dispute file {BlobName} failed, the next scan tries again")]
    public static partial void FileFailed(ILogger logger, string blobName, Exception exception);

    [LoggerMessage(EventId = 6008, Level = LogLevel.Information,
        Message = "Dispute deadlines: {ReminderCount} reminders sent, {ExpiredCount} disputes expired")]
    public static partial void DeadlinesProcessed(ILogger logger, int reminderCount, int expiredCount);

    [LoggerMessage(EventId = 6009, Level = LogLevel.Information,
        Message = "Early warning {DisputeId}: refund {RefundId} returned the money, as the merchant's dispute settings require")]
    public static partial void WarningRefunded(ILogger logger, DisputeId disputeId, RefundId refundId);

    [LoggerMessage(EventId = 6010, Level = LogLevel.Error, Message = "Early warning {DisputeId} failed, the next run tries again")]
    public static partial void WarningFailed(ILogger logger, DisputeId disputeId, Exception exception);
}
