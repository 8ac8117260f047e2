using Payments.Domain;

namespace Payments.Faults;

/// <summary>A merchant's server has received each delivery that the platform counts as delivered.</summary>
internal static class MerchantWebhooks
{
    private const string Delivered = "SELECT endpoint_id, event_id FROM payments.webhook_deliveries WHERE status = 'delivered'";

    public static async Task<IReadOnlyList<Violation>> CheckAsync(Snapshot snapshot, Observed observed, CancellationToken ct)
    {
        var delivered = await snapshot.ReadAsync(Delivered, row => (new WebhookEndpointId(row.GetGuid(0)).ToString(), new EventId(row.GetGuid(1)).ToString()), ct);
        return
        [
            .. from delivery in delivered
                where !observed.Received.Contains(delivery)
                select new Violation("webhooks", $"{delivery.Item2} counts as delivered to {delivery.Item1}, which has not received it"),
        ];
    }
}
