namespace Payments.Faults;

/// <summary>A broken promise.</summary>
/// <param name="Invariant">Its short name, such as <c>ledger_replay</c>.</param>
/// <param name="Details">The object, the expected and the actual value: enough to look it up in the database, which is kept.</param>
internal sealed record Violation(string Invariant, string Details)
{
    public override string ToString() => $"{Invariant}: {Details}";
}
