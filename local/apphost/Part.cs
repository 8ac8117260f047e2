
namespace Payments.AppHost;

/// <summary>A resource of the run, with what the user reads about it.</summary>
internal sealed record Part(IResourceBuilder<ExecutableResource> Builder, string Title, string Announcement)
{
    public IResource Resource => Builder.Resource;

    public string Name => Resource.Name;

    /// <summary>A server runs until it is stopped; anything else runs to its end and has to succeed.</summary>
    public bool IsServer { get; init; } = true;

    /// <summary>The start of the line that the user reads if the resource fails while the run starts.</summary>
    public string Failure { get; init; } = $"{Title} ended while it started";

    /// <summary>Generous, since a busy machine is slow. A process that fails ends, and ends the wait.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(180);

    /// <summary>The signal that asks the process to end, where it is not SIGTERM.</summary>
    public string? StopSignal { get; init; }
}
