namespace Payments.Domain.Providers;

/// <summary>How this platform treats a type of event.</summary>
public enum EventTreatment
{
    /// <summary>It is applied.</summary>
    Applied,

    /// <summary>It is stored and has no effect.</summary>
    Ignored,

    /// <summary>
    /// It is stored as failed and alerts the platform's operators, because a person has to decide what it does to the money.
    /// </summary>
    Raised,
}

/// <summary>Types of events with the same treatment, and the reason for it.</summary>
public sealed record EventTypeGroup(EventTreatment Treatment, string Because, IReadOnlyList<string> Types);

/// <summary>Every type of event of one kind of provider. docs/providers.md has the same list, and a test compares the two.</summary>
public sealed class ProviderEventTypes
{
    private readonly Dictionary<string, EventTypeGroup> _byType;

    /// <exception cref="ArgumentException">A type is in two groups.</exception>
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
