using Microsoft.Extensions.Logging;

namespace Payments.Domain.Webhooks.Outbound;

internal static partial class OutboundLog
{
    [LoggerMessage(2201, LogLevel.Error, "Looking for due webhooks failed and is tried again")]
    public static partial void DispatchFailed(ILogger logger, Exception exception);

    [LoggerMessage(2202, LogLevel.Error, "A turn of webhook endpoint {Endpoint} failed; it comes round when its lease ends")]
    public static partial void TurnFailed(ILogger logger, Guid endpoint, Exception exception);

    [LoggerMessage(2203, LogLevel.Warning, "Webhook endpoint {Endpoint} of {Merchant} was disabled: {Reason}")]
    public static partial void Disabled(ILogger logger, WebhookEndpointId endpoint, MerchantId merchant, EndpointDisabledReason reason);
}
