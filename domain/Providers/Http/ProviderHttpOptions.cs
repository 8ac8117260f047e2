namespace Payments.Domain.Providers.Http;

/// <summary>How a provider's API is called: setting <c>Providers:NAME:Http</c>.</summary>
public sealed class ProviderHttpOptions
{
    /// <summary>After this long without a whole answer the outcome of a call is unknown.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>A connection that takes longer than this is not made: nothing was sent.</summary>
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How often a call is repeated where a repeat is safe. 0 repeats nothing.</summary>
    public int Repeats { get; set; } = 2;

    /// <summary>The longest pause before a repeat. A provider that asks for a longer one (<c>Retry-After</c>) is not called again.</summary>
    public TimeSpan LongestPause { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>The share of failed calls that opens the circuit, of at least <see cref="CircuitMinimumCalls"/> within <see cref="CircuitWindow"/>.</summary>
    public double CircuitFailureRatio { get; set; } = 0.5;

    public int CircuitMinimumCalls { get; set; } = 20;

    public TimeSpan CircuitWindow { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long the circuit stays open before one call is let through to see.</summary>
    public TimeSpan CircuitBreak { get; set; } = TimeSpan.FromSeconds(15);
}
