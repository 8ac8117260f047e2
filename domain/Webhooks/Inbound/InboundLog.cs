using Microsoft.Extensions.Logging;

namespace Payments.Domain.Webhooks.Inbound;

internal static partial class InboundLog
{
    [LoggerMessage(2101, LogLevel.Warning, "A webhook of {Provider} was refused: {Refusal} (more of this kind within ten seconds are only counted)")]
    public static partial void Refused(ILogger logger, string provider, WebhookRefusal refusal);

    [LoggerMessage(2102, LogLevel.Error, "Event {EventId} ({Type}) of {Provider} failed: {Detail}")]
    public static partial void Failed(ILogger logger, string provider, string eventId, string type, string? detail);
}
