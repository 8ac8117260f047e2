namespace Payments.Domain.Webhooks.Outbound;

/// <summary>Settings of outbound webhooks, from the section <c>Webhooks</c>.</summary>
public sealed record WebhookOptions
{
    /// <summary>For development: endpoints may be on this machine, over http. Off by default.</summary>
    public bool AllowLoopback { get; init; }

    /// <summary>How many endpoints one instance serves at a time.</summary>
    public int Lanes { get; init; } = 128;

    /// <summary>How many of these may be endpoints in trouble, which take long to fail.</summary>
    public int TroubledLanes { get; init; } = 32;

    /// <summary>How long an endpoint may take to answer, connecting included.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>
    /// How long an instance has an endpoint to itself; what it leaves behind when it dies is delivered after that. A turn starts deliveries for a third of it, so the
    /// time-out has to be less than two thirds, or an endpoint that is slow gets deliveries twice.
    /// </summary>
    public TimeSpan Lease { get; init; } = TimeSpan.FromSeconds(60);
}
