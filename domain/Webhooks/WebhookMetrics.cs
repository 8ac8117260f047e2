namespace Payments.Domain.Webhooks;

/// <summary>The meter and the activity source of webhooks, in and out.</summary>
public static class WebhookMetrics
{
    public const string Name = "Payments.Webhooks";
}
