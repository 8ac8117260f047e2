namespace Payments.Faults;

/// <summary>A promise that was broken.</summary>
/// <param name="Invariant">Its short name, such as <c>ledger_replay</c>.</param>
/// <param name="Details">Which object, what was expected and what was found: enough to look it up in the database that is left behind.</param>
internal sealed record Violation(string Invariant, string Details)
{
    public override string ToString() => $"{Invariant}: {Details}";
}
