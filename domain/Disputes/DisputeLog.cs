using Microsoft.Extensions.Logging;

namespace Payments.Domain.Disputes;

internal static partial class DisputeLog
{
    [LoggerMessage(EventId = 6001, Level = LogLevel.Information, Message = "Another transaction was in the way of a batch of disputes; attempt {Attempt} is repeated.")]
    public static partial void Repeated(ILogger logger, int attempt, Exception exception);

    [LoggerMessage(EventId = 6002, Level = LogLevel.Information, Message = "{Matched} of {Looked} unmatched dispute updates found their charge.")]
    public static partial void Matched(ILogger logger, int matched, int looked);

    [LoggerMessage(EventId = 6003, Level = LogLevel.Information, Message = "The file {Name} of {Partner} came before.")]
    public static partial void FileKnown(ILogger logger, string partner, string name);

    [LoggerMessage(EventId = 6004, Level = LogLevel.Information, Message = "Another run is at work on the file {Name} of {Partner}.")]
    public static partial void FileTaken(ILogger logger, string partner, string name);

    [LoggerMessage(EventId = 6005, Level = LogLevel.Information, Message = "The file {Name} of {Partner} is {Status}: {Applied} applied, {Duplicate} known, {Unmatched} unmatched, {Rejected} rejected.")]
    public static partial void FileDone(ILogger logger, string partner, string name, Files.DisputeFileStatus status, long applied, long duplicate, long unmatched, long rejected);

    [LoggerMessage(EventId = 6006, Level = LogLevel.Warning, Message = "The file {Name} is of no partner that is configured; it stays in the inbox.")]
    public static partial void PartnerUnknown(ILogger logger, string name);

    [LoggerMessage(EventId = 6007, Level = LogLevel.Error, Message = "The file {Name} could not be handled and is tried again.")]
    public static partial void FileFailed(ILogger logger, string name, Exception exception);

    [LoggerMessage(EventId = 6008, Level = LogLevel.Information, Message = "Reminded of {Reminded} disputes and expired {Expired}.")]
    public static partial void ClockStruck(ILogger logger, int reminded, int expired);

    [LoggerMessage(EventId = 6009, Level = LogLevel.Information, Message = "The early warning {Dispute} was refunded by {Refund}, as the merchant's rule says.")]
    public static partial void WarningRefunded(ILogger logger, DisputeId dispute, RefundId refund);

    [LoggerMessage(EventId = 6010, Level = LogLevel.Error, Message = "The early warning {Dispute} could not be seen to and is tried again.")]
    public static partial void WarningNotRefunded(ILogger logger, DisputeId dispute, Exception exception);
}
