namespace Payments.Domain.Pricing;

/// <summary>A plan and the time from which it holds.</summary>
/// <param name="Version">Counts a merchant's versions from 1, which is the plan that it was taken on with.</param>
/// <param name="CreatedBy">The key that made it, or the platform.</param>
public sealed record FeePlanVersion(int Version, DateTimeOffset EffectiveFrom, FeePlan Plan, DateTimeOffset CreatedAt, string CreatedBy);

/// <summary>All versions of a merchant's plan. Versions are only added, and never for the past.</summary>
public sealed class FeePlanHistory
{
    /// <summary>
    /// How long before it takes effect a version has to be known. It is longer than any instance goes on with what it has read, so that every capture is priced by
    /// the version in force at its effective time, on every instance.
    /// </summary>
    public static readonly TimeSpan Lead = TimeSpan.FromSeconds(60);

    private readonly FeePlanVersion[] _versions;

    /// <param name="versions">In any order; at least the first.</param>
    public FeePlanHistory(IEnumerable<FeePlanVersion> versions)
    {
        _versions = [.. versions.OrderBy(version => version.EffectiveFrom).ThenBy(version => version.Version)];
        ArgumentOutOfRangeException.ThrowIfZero(_versions.Length, nameof(versions));
    }

    /// <summary>By the time from which they hold; of those with the same time the last one counts.</summary>
    public IReadOnlyList<FeePlanVersion> Versions => _versions;

    /// <summary>The version in force at a time; before the first one, that one.</summary>
    public FeePlanVersion At(DateTimeOffset time)
    {
        for (var i = _versions.Length - 1; i > 0; i--)
        {
            if (_versions[i].EffectiveFrom <= time)
                return _versions[i];
        }

        return _versions[0];
    }
}
