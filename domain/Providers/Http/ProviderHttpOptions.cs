namespace Payments.Domain.Providers.Http;

/// <summary>The settings of calls to a provider's API: <c>Providers:NAME:Http</c>.</summary>
public sealed class ProviderHttpOptions
{
    /// <summary>The time limit of a call. Without a whole answer by then, the outcome is unknown.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>The time limit of a connection. Without a connection by then, nothing was sent.</summary>
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How often a call is repeated if a repeat is safe. 0 disables repeats.</summary>
    public int Repeats { get; set; } = 2;

    /// <summary>
    /// The longest pause before a repeat. If the provider asks for a longer one (<c>Retry-After</c>), the call is not repeated.
    /// </summary>
    public TimeSpan LongestPause { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>
    /// The share of failed calls within <see cref="CircuitWindow"/> that opens the circuit. There must be at least
    /// <see cref="CircuitMinimumCalls"/> calls.
    /// </summary>
    public double CircuitFailureRatio { get; set; } = 0.5;

    public int CircuitMinimumCalls { get; set; } = 20;

    public TimeSpan CircuitWindow { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long the circuit stays open. After it, one call tests whether the provider works again.</summary>
    public TimeSpan CircuitBreak { get; set; } = TimeSpan.FromSeconds(15);
}
