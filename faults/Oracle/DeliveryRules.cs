namespace Payments.Faults;

/// <summary>
/// Rules for messages between merchants, partners and the parts of the app: nothing is lost, and nothing stays open without a reason.
/// </summary>
internal static class DeliveryRules
{
    private const string Webhooks = "webhooks";
    private const string ProviderEvents = "provider_events";

    /// <summary>
    /// Events without a delivery to an endpoint that wants them. An endpoint that changed at about that time is left out:
    /// the instances' clocks differ, so its filters at the time of the event are not known.
    /// </summary>
    public const string Undelivered =
        """
        SELECT e.merchant_id AS merchant, e.id AS event, e.type, e.created_at, w.id AS endpoint
        FROM payments.events e
        JOIN payments.webhook_endpoints w ON w.merchant_id = e.merchant_id AND w.status = 'enabled' AND w.event_types && ARRAY['*', e.type, split_part(e.type, '.', 1) || '.*']
        WHERE w.updated_at < e.created_at - interval '20 minutes' AND e.type <> 'webhook_endpoint.test' AND e.created_at > (SELECT max(created_at) - interval '80 days' FROM payments.events)
            AND NOT EXISTS (SELECT FROM payments.webhook_deliveries d WHERE d.merchant_id = e.merchant_id AND d.event_id = e.id AND d.endpoint_id = w.id)
        """;

    /// <summary>Pending deliveries to enabled endpoints that no dispatcher will ever read.</summary>
    private const string Stranded =
        """
        SELECT d.merchant_id AS merchant, d.endpoint_id AS endpoint, count(*) AS deliveries, min(d.next_attempt_at) AS next_attempt_at, l.due_at AS lane_due_at
        FROM payments.webhook_deliveries d
        JOIN payments.webhook_endpoints w ON w.merchant_id = d.merchant_id AND w.id = d.endpoint_id AND w.status = 'enabled'
        LEFT JOIN payments.webhook_lanes l ON l.endpoint_id = d.endpoint_id
        WHERE d.status = 'pending' AND (l.endpoint_id IS NULL OR (l.due_at IS NULL AND l.lease IS NULL))
        GROUP BY 1, 2, 5
        """;

    /// <summary>Rules that hold at any time.</summary>
    public static IReadOnlyList<Rule> All { get; } =
    [
        new(Webhooks, "what counts as delivered was answered",
            """
            SELECT d.merchant_id AS merchant, d.id AS delivery, d.endpoint_id AS endpoint, d.event_id AS event, d.attempts, d.finished_at,
                (SELECT array_agg(a.outcome ORDER BY a.id) FROM payments.webhook_attempts a WHERE a.merchant_id = d.merchant_id AND a.delivery_id = d.id) AS outcomes
            FROM payments.webhook_deliveries d
            WHERE d.status = 'delivered' AND d.created_at > (SELECT max(created_at) - interval '80 days' FROM payments.webhook_deliveries)
                AND NOT EXISTS (SELECT FROM payments.webhook_attempts a WHERE a.merchant_id = d.merchant_id AND a.delivery_id = d.id AND a.outcome = 'delivered')
            """),
        new(Webhooks, "a delivery is given up after its last try, or where the endpoint has gone",
            """
            SELECT d.merchant_id AS merchant, d.id AS delivery, d.endpoint_id AS endpoint, d.event_id AS event, d.attempts, d.finished_at
            FROM payments.webhook_deliveries d
            WHERE d.status = 'failed' AND d.attempts < 10
                AND NOT EXISTS (SELECT FROM payments.webhook_attempts a WHERE a.merchant_id = d.merchant_id AND a.delivery_id = d.id AND a.outcome = 'gone')
            """),
        new(Webhooks, "a delivery is canceled where its endpoint is switched off or deleted",
            """
            SELECT d.merchant_id AS merchant, d.id AS delivery, d.endpoint_id AS endpoint, d.event_id AS event, d.finished_at, w.updated_at
            FROM payments.webhook_deliveries d
            JOIN payments.webhook_endpoints w ON w.merchant_id = d.merchant_id AND w.id = d.endpoint_id AND w.status = 'enabled'
            WHERE d.status = 'canceled' AND w.updated_at < d.finished_at - interval '1 hour'
            """),
        new(ProviderEvents, "a partner's event that failed has its reason",
            "SELECT provider, event_id, type FROM payments.provider_events WHERE status = 'failed' AND detail IS NULL"),
    ];

    /// <summary>Rules that hold once the faults are over and no work is open.</summary>
    public static IReadOnlyList<Rule> Settled { get; } =
    [
        new(Webhooks, "every event goes to every endpoint that wants it", Undelivered),
        new(Webhooks, "what is to be delivered will be", Stranded),
        new(ProviderEvents, "nothing that partners told failed", "SELECT provider, event_id, type, detail, received_at FROM payments.provider_events WHERE status = 'failed' ORDER BY received_at"),

        // Not checked during work: a snapshot from before cannot see payloads that move to a new week's partition.
        new(ProviderEvents, "a partner's event that is open has its payload",
            """
            SELECT e.provider, e.event_id, e.type, e.status, e.detail
            FROM payments.provider_events e
            LEFT JOIN payments.provider_event_payloads p ON p.received_at = e.received_at AND p.id = e.id
            WHERE e.status IN ('received', 'waiting', 'failed') AND COALESCE(p.payload, e.payload) IS NULL
            """),

        // If a bank never answers for a payout, the sweeper tries it again, whatever happened to its message.
        new("dead_letters", "no message was given up",
            "SELECT queue, type, message_id, reason, dead_at FROM payments.dead_letters WHERE replayed_at IS NULL AND type IS DISTINCT FROM 'payout.submit' ORDER BY dead_at"),
    ];
}
