namespace Payments.Acquirer;

internal static partial class Log
{
    [LoggerMessage(1, LogLevel.Information, "Read {Lines} journal lines: {Payments} payments, {Webhooks} webhooks to deliver")]
    public static partial void JournalRead(this ILogger logger, long lines, int payments, int webhooks);

    [LoggerMessage(2, LogLevel.Warning, "Cut {Bytes} bytes behind the last whole line of the journal: a write was interrupted")]
    public static partial void JournalCut(this ILogger logger, long bytes);

    [LoggerMessage(3, LogLevel.Critical, "The journal failed; nothing more is accepted")]
    public static partial void JournalFailed(this ILogger logger, Exception problem);

    [LoggerMessage(4, LogLevel.Error, "A step that was due failed")]
    public static partial void StepFailed(this ILogger logger, Exception problem);

    [LoggerMessage(5, LogLevel.Debug, "Webhook {Id} was not acknowledged on try {Attempt}: {Reason}")]
    public static partial void WebhookFailed(this ILogger logger, string id, int attempt, string reason);

    [LoggerMessage(6, LogLevel.Error, "Webhook {Id} could not be prepared")]
    public static partial void WebhookBroken(this ILogger logger, Exception problem, string id);
}
