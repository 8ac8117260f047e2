namespace Payments.Acquirer;

internal static partial class Log
{
    [LoggerMessage(1, LogLevel.Information,
        "Read {LineCount} journal lines: {PaymentCount} payments, {WebhookCount} webhooks to deliver")]
    public static partial void JournalRead(this ILogger logger, long lineCount, int paymentCount, int webhookCount);

    [LoggerMessage(2, LogLevel.Warning,
        "Removed {ByteCount} bytes after the last complete line of the journal: a write was interrupted")]
    public static partial void JournalCut(this ILogger logger, long byteCount);

    [LoggerMessage(3, LogLevel.Critical, "Writing the journal failed, the acquirer stops")]
    public static partial void JournalFailed(this ILogger logger, Exception exception);

    [LoggerMessage(4, LogLevel.Error, "A scheduled step failed")]
    public static partial void StepFailed(this ILogger logger, Exception exception);

    [LoggerMessage(5, LogLevel.Debug, "Webhook {WebhookId}: the receiver did not acknowledge try {TryNumber}: {Reason}")]
    public static partial void WebhookFailed(this ILogger logger, string webhookId, int tryNumber, string reason);

    [LoggerMessage(6, LogLevel.Error, "Webhook {WebhookId}: the acquirer failed to prepare it")]
    public static partial void WebhookBroken(this ILogger logger, Exception exception, string webhookId);
}
