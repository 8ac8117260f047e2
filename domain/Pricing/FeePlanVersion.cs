namespace Payments.Domain.Pricing;

/// <summary>A plan and the time from which it holds.</summary>
/// <param name="Version">Counts a merchant's versions from 1. Version 1 is the plan that the merchant began with.</param>
/// <param name="CreatedBy">The actor that made it: a key, or the platform.</param>
public sealed record FeePlanVersion(int Version, DateTimeOffset EffectiveFrom, FeePlan Plan, DateTimeOffset CreatedAt, string CreatedBy);

/// <summary>All versions of a merchant's plan. Versions are only added, and never for the past.</summary>
public sealed class FeePlanHistory
{
    /// <summary>
    /// A version must be stored at least this long before it takes effect. Every instance reads a plan again after a shorter time. So every
    /// instance prices a capture by the version in force at the capture's effective time.
    /// </summary>
    public static readonly TimeSpan Lead = TimeSpan.FromSeconds(60);

    private readonly FeePlanVersion[] _versions;

    /// <param name="versions">In any order. There must be at least one.</param>
    public FeePlanHistory(IEnumerable<FeePlanVersion> versions)
    {
        _versions = [.. versions.OrderBy(version => version.EffectiveFrom).ThenBy(version => version.Version)];
        ArgumentOutOfRangeException.ThrowIfZero(_versions.Length, nameof(versions));
    }

    /// <summary>Sorted by the time from which they hold. Of versions with the same time, the last one counts.</summary>
    public IReadOnlyList<FeePlanVersion> Versions => _versions;

    /// <summary>The version in force at a time. Before the first version holds, it is the first.</summary>
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
