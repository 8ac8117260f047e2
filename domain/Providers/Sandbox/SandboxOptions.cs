namespace Payments.Domain.Providers.Sandbox;

/// <summary>Where the sandbox acquirer is and how we prove who we are.</summary>
public sealed class SandboxOptions
{
    public Uri BaseAddress { get; set; } = new("http://127.0.0.1:7090");

    public string ApiKey { get; set; } = "";

    /// <summary>After this long without an answer the outcome of a call is unknown.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(20);
}
