namespace Payments.Domain.Providers;

/// <summary>What this platform does with a type of event.</summary>
public enum EventTreatment
{
    /// <summary>It is brought into effect.</summary>
    Applied,

    /// <summary>It is kept and has no effect.</summary>
    Ignored,

    /// <summary>It is kept as failed and alerts the platform's operators, since a person has to decide what it does to the money.</summary>
    Raised,
}

/// <summary>Types of events that are treated alike, and why.</summary>
public sealed record EventTypeGroup(EventTreatment Treatment, string Because, IReadOnlyList<string> Types);

/// <summary>Every type of event of one kind of provider. docs/providers.md has the same list, and a test holds the two together.</summary>
public sealed class ProviderEventTypes
{
    private readonly Dictionary<string, EventTypeGroup> _byType;

    /// <exception cref="ArgumentException">A type stands in two groups.</exception>
    public ProviderEventTypes(params IReadOnlyList<EventTypeGroup> groups)
    {
        Groups = groups;
        _byType = groups.SelectMany(treated => treated.Types, (treated, type) => (type, treated))
            .ToDictionary(pair => pair.type, pair => pair.treated, StringComparer.Ordinal);
    }

    public IReadOnlyList<EventTypeGroup> Groups { get; }

    /// <summary>Null for a type that is not on the list.</summary>
    public EventTypeGroup? Find(string type) => _byType.GetValueOrDefault(type);
}
