namespace Payments.Faults;

/// <summary>Derives the seeds of a run's parts from the run's own seed.</summary>
internal static class Seeds
{
    /// <summary>The seed of one part. Every seed of a run is valid, because a result beyond the range of the type wraps around.</summary>
    /// <param name="factor">Keeps the parts of one seed apart from those of the next. Each kind of part has its own prime.</param>
    public static int Of(int seed, int factor, int part) => unchecked((seed * factor) + part);
}
