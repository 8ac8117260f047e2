using System.Text.Json.Nodes;
using Payments.Domain;

namespace Payments.Faults;

/// <summary>What the platform takes for delivered was received.</summary>
internal static class MerchantWebhooks
{
    private const string Delivered =
        """
        SELECT d.endpoint_id, d.event_id, w.url
        FROM payments.webhook_deliveries d LEFT JOIN payments.webhook_endpoints w ON w.merchant_id = d.merchant_id AND w.id = d.endpoint_id
        WHERE d.status = 'delivered'
        """;

    public static async Task<IReadOnlyList<Violation>> CheckAsync(Snapshot snapshot, Observed observed, CancellationToken ct)
    {
        // An endpoint that is deleted has its address only in the answer that made it.
        var addresses = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var request in observed.Requests)
        {
            if (request.Answer is JsonObject answer && Text(answer, "id") is { } id && id.StartsWith("we_", StringComparison.Ordinal) && Text(answer, "url") is { } url)
                addresses[id] = url;
        }

        var delivered = await snapshot.ReadAsync(
            Delivered, row => (Endpoint: new WebhookEndpointId(row.GetGuid(0)).ToString(), Event: new EventId(row.GetGuid(1)).ToString(), Url: row.IsDBNull(2) ? null : row.GetString(2)), ct);
        return
        [
            .. from delivery in delivered
                let url = delivery.Url ?? addresses.GetValueOrDefault(delivery.Endpoint)
                where !observed.Received.Contains((delivery.Endpoint, delivery.Event)) && !(url is not null && observed.Received.Contains((url, delivery.Event)))
                select new Violation("webhooks", $"{delivery.Event} counts as delivered to {delivery.Endpoint} ({url}), which has not received it"),
        ];
    }

    private static string? Text(JsonObject answer, string name) => answer[name] is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;
}
