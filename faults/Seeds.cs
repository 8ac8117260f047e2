namespace Payments.Faults;

/// <summary>Seeds of the parts of a run, each from the run's own.</summary>
internal static class Seeds
{
    /// <summary>The seed of one part. Every seed of a run will do: what goes beyond the range of the type wraps around.</summary>
    /// <param name="factor">Keeps the parts of one seed apart from those of the next: one prime for each kind of part.</param>
    public static int Of(int seed, int factor, int part) => unchecked((seed * factor) + part);
}
