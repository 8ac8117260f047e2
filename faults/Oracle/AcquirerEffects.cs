using Payments.Domain;
using Payments.Domain.Providers;

namespace Payments.Faults;

/// <summary>
/// Compares the acquirer's journal with the platform's attempts. Each effect happened exactly once, the platform knows each of the
/// acquirer's effects, and the acquirer carried out each attempt that succeeded.
/// </summary>
internal static class AcquirerEffects
{
    private const string Invariant = "acquirer_effects";

    // Routing may know the acquirer by several names. It is one acquirer, so the attempts of all these names were made there.
    private const string Attempts =
        """
        SELECT a.merchant_id, a.id, a.charge_id, a.operation, a.status, a.amount, c.currency, c.capture_method, c.status, c.captured_amount, c.refunded_amount, c.refunding_amount, a.provider, a.refund_id
        FROM payments.all_attempts a JOIN payments.charges c ON c.merchant_id = a.merchant_id AND c.id = a.charge_id
        ORDER BY a.id
        """;

    private const string Contradictions =
        "SELECT merchant_id, attempt_id, result, detail FROM payments.attempt_contradictions WHERE acknowledged_at IS NULL ORDER BY first_at LIMIT 3";

    /// <param name="known">
    /// The last journal entry before the snapshot was taken. Every effect up to it has an attempt in the snapshot.
    /// <paramref name="journal"/> was read further since.
    /// </param>
    public static async Task<IReadOnlyList<Violation>> CheckAsync(Snapshot snapshot, AcquirerJournal journal, long known, bool settled, CancellationToken ct)
    {
        var attempts = await snapshot.ReadAsync(
            Attempts,
            row => new Attempt(
                new AttemptReference(new MerchantId(row.GetGuid(0)), new AttemptId(row.GetGuid(1))), row.GetGuid(2), row.GetString(3), row.GetString(4), row.GetInt64(5), row.GetString(6), row.GetString(7),
                row.GetString(8), row.GetInt64(9), row.GetInt64(10), row.GetInt64(11), row.GetString(12)),
            ct);
        var found = new List<Violation>();
        var byReference = attempts.ToDictionary(attempt => attempt.Reference.ToString(), StringComparer.Ordinal);
        foreach (var effect in journal.Effects.Values.Where(effect => effect.Kind != "payout" && effect.Seq <= known))
        {
            if (!byReference.TryGetValue(effect.Reference, out var attempt))
                Broken($"nobody here knows the {effect}");
            else if (attempt.Kind != effect.Kind || attempt.Amount != effect.Amount || attempt.Currency != effect.Currency)
                Broken($"the {effect} is here the {attempt}");
        }

        foreach (var (reference, attempt) in byReference)
        {
            if (Problem(attempt, journal.Effects.GetValueOrDefault(reference), settled) is { } problem)
                Broken(problem);
        }

        foreach (var tries in attempts.Where(attempt => attempt.Operation == "charge").GroupBy(attempt => (attempt.Reference.Merchant, attempt.Charge)))
            found.AddRange(Charge([.. tries], journal, settled).Select(problem => new Violation(Invariant, problem)));

        var contradictions = await snapshot.ReadAsync(Contradictions, row => $"{row.GetGuid(0):N}/att_{row.GetGuid(1):N}: {row.GetString(2)}, {(row.IsDBNull(3) ? "" : row.GetString(3))}", ct);
        found.AddRange(contradictions.Select(told => new Violation(Invariant, $"the acquirer's word cannot be reconciled with the attempt: {told}")));
        return found;

        void Broken(string problem) => found.Add(new Violation(Invariant, problem));
    }

    /// <summary>What is wrong between an attempt and the effect under its reference, or null.</summary>
    private static string? Problem(Attempt attempt, AcquirerEffect? effect, bool settled) => attempt switch
    {
        { IsOpen: true } => settled && effect is not null && effect is not { Kind: "payment", Status: "requires_action" } ? $"the {attempt} does not know how the {effect} ended" : null,
        { Status: "succeeded" } when effect is null => $"the {attempt} was never carried out",
        { Status: "succeeded", Operation: "charge", IsCapturedAtOnce: true } => effect.Captured == 0 ? $"the {attempt} captured nothing: {effect}" : null,
        { Status: "succeeded", Operation: "charge" } => effect.IsApproved ? null : $"the {attempt} was not approved: {effect}",
        { Status: "succeeded", Operation: "refund" } => effect.Status == "succeeded" || (!settled && effect.Status == "failed") ? null : $"the {attempt} did not succeed: {effect}",
        { Status: "succeeded" } => null,
        _ when effect is null => null,
        { Operation: "charge" } => effect.Captured > 0 || (settled && effect.Status is "authorized" or "requires_action") ? $"the {attempt} was carried out after all: {effect}" : null,
        { Operation: "refund" } => effect.Status == "succeeded" || (settled && effect.Status == "pending") ? $"the {attempt} was carried out after all: {effect}" : null,
        _ => $"the {attempt} was carried out after all: {effect}",
    };

    private static IEnumerable<string> Charge(List<Attempt> tries, AcquirerJournal journal, bool settled)
    {
        var charge = tries[^1];
        var payments = tries.Select(attempt => journal.Effects.GetValueOrDefault(attempt.Reference.ToString())).OfType<AcquirerEffect>().ToList();
        if (payments.Count(payment => payment.IsApproved) > 1)
            yield return $"{charge.ChargeName} is charged more than once: {string.Join("; ", payments)}";
        foreach (var earlier in tries.SkipLast(1).Where(attempt => attempt.Status is not ("declined" or "failed")))
            yield return $"{charge.ChargeName} was tried again while the {earlier} was open";
        if (!settled)
            yield break;
        var (captured, refunded, pending) = (payments.Sum(payment => payment.Captured), payments.Sum(payment => payment.Refunded), payments.Sum(payment => payment.RefundsPending));
        if (captured != charge.Captured || refunded != charge.Refunded || pending != charge.Refunding)
            yield return $"of {charge.ChargeName} {charge.Captured} is captured, {charge.Refunded} refunded and {charge.Refunding} under way, at the acquirer {captured}, {refunded} and {pending}";
        if (payments.Find(payment => payment.Status == "authorized") is { } held && charge.ChargeStatus is not ("authorized" or "partially_captured"))
            yield return $"{charge.ChargeName} is {charge.ChargeStatus}, and the acquirer still holds money for it: {held}";
    }

    private sealed record Attempt(
        AttemptReference Reference, Guid Charge, string Operation, string Status, long Amount, string Currency, string CaptureMethod, string ChargeStatus, long Captured, long Refunded, long Refunding,
        string Provider)
    {
        public string Kind => Operation == "charge" ? "payment" : Operation;

        public bool IsOpen => Status is not ("succeeded" or "declined" or "failed");

        public bool IsCapturedAtOnce => CaptureMethod == "automatic";

        public string ChargeName => $"the charge {new ChargeId(Charge)} of {Reference.Merchant}";

        public override string ToString() => $"{Operation} {Reference.Attempt} of {Amount} {Currency} for {new ChargeId(Charge)} of {Reference.Merchant}, {Status} here";
    }
}
