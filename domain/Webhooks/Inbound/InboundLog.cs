using Microsoft.Extensions.Logging;

namespace Payments.Domain.Webhooks.Inbound;

internal static partial class InboundLog
{
    [LoggerMessage(2101, LogLevel.Warning,
        "Refused a webhook of provider {Provider}: {Refusal}. This instance logs the same refusal at most once in 10 seconds.")]
    public static partial void Refused(ILogger logger, string provider, WebhookRefusal refusal);

    [LoggerMessage(2102, LogLevel.Error, "Provider event {EventId} ({EventType}) of provider {Provider} failed: {Detail}")]
    public static partial void EventFailed(ILogger logger, string provider, string eventId, string eventType, string? detail);
}
