namespace Payments.Domain.Webhooks.Outbound;

/// <summary>Settings of outbound webhooks, from the section <c>Webhooks</c>.</summary>
public sealed record WebhookOptions
{
    /// <summary>For development: endpoints may be on this machine, over http. Off by default.</summary>
    public bool AllowLoopback { get; init; }

    /// <summary>The number of healthy endpoints that one instance serves at a time.</summary>
    public int Lanes { get; init; } = 128;

    /// <summary>
    /// The number of endpoints in trouble that one instance serves at a time, beside the others. Such endpoints take long to fail.
    /// </summary>
    public int TroubledLanes { get; init; } = 32;

    /// <summary>How long an endpoint may take to answer, including the connection.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>
    /// How long an instance has an endpoint to itself. If the instance dies, another one delivers after that. A turn starts deliveries for
    /// a third of this time. So the timeout must be less than two thirds of it: otherwise a slow endpoint gets deliveries twice.
    /// </summary>
    public TimeSpan Lease { get; init; } = TimeSpan.FromSeconds(60);
}
