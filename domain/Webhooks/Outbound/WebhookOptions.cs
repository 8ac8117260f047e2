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
}
