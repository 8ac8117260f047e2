using Microsoft.Extensions.Logging;

namespace Payments.Domain.Webhooks.Outbound;

internal static partial class OutboundLog
{
    [LoggerMessage(2201, LogLevel.Error, "The webhook dispatcher failed to claim due deliveries, the next round tries again")]
    public static partial void DispatchFailed(ILogger logger, Exception exception);

    [LoggerMessage(2202, LogLevel.Error,
        "Webhook endpoint {EndpointId}: the dispatcher failed to deliver. It continues when the lease of the endpoint ends.")]
    public static partial void TurnFailed(ILogger logger, Guid endpointId, Exception exception);

    [LoggerMessage(2203, LogLevel.Warning, "Webhook endpoint {EndpointId} of merchant {MerchantId} was disabled: {Reason}")]
    public static partial void Disabled(
        ILogger logger, WebhookEndpointId endpointId, MerchantId merchantId, EndpointDisabledReason reason);
}
