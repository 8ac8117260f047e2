using System.Text.Json;
using Npgsql;
using Payments.Domain.Audit;
using Payments.Domain.Database;
using Payments.Domain.Idempotency;
using Payments.Domain.Providers;

namespace Payments.Domain.Charges;

/// <summary>The outcome of an attempt that an operator found at the provider.</summary>
public enum SettledOutcome
{
    /// <summary>The provider carried it out. A charge is captured.</summary>
    Succeeded,

    /// <summary>For a charge with manual capture: the amount is held.</summary>
    Authorized,

    /// <summary>The provider or the issuer refused. No money moved.</summary>
    Declined,

    /// <summary>The provider never carried it out.</summary>
    NotCarriedOut,
}

/// <param name="Outcome">A <see cref="SettledOutcome"/>.</param>
/// <param name="Reason">How the operator found the outcome, in 10 to 1000 characters. The audit log keeps it.</param>
/// <param name="ProviderReference">
/// The provider's id of the payment or operation. Required for a charge that was carried out and has no such id yet.
/// </param>
/// <param name="DeclineCode">Why it was declined. <c>do_not_honor</c> if omitted.</param>
public sealed record SettleAttemptRequest(string? Outcome, string? Reason, string? ProviderReference, string? DeclineCode);

/// <param name="Reason">What the operator found out and did about it, in 10 to 1000 characters. The audit log keeps it.</param>
public sealed record AcknowledgeRequest(string? Reason);

/// <summary>An operator's decision about an attempt, with the request that it answers.</summary>
public sealed record ManualSettlement(Actor Actor, string Reason, IdempotentRequest Request);

/// <summary>
/// Lets an operator settle an attempt by hand, by the same rules as a provider's answer, and acknowledge the contradictions of a settled
/// one. The audit log keeps the actor, the time, the reason, and the attempt before and after.
/// </summary>
public sealed class SettleAttempt(AttemptReads reads, AttemptOutcomes outcomes, IdempotencyStore idempotency, TimeProvider time)
{
    public async Task<Result<StoredResponse>> SettleAsync(IdempotentRequest request, AttemptReference reference, SettleAttemptRequest input, Actor actor, CancellationToken ct)
    {
        if (!Answer(input).TryGet(out var answer, out var refusal))
            return refusal;
        if (BadReason(input.Reason) is { } badReason)
            return badReason;
        if (await idempotency.FindAsync(request.Merchant, request.Key.Value, ct) is not null)
            return await idempotency.RecallAsync(request, ct);
        if (await reads.FindAsync(reference, ct) is not var (charge, attempt))
            return Refusal.NotFound(reference.ToString());
        if (Unfit(charge, attempt, answer) is { } unfit)
            return unfit;
        try
        {
            var outcome = await outcomes.SettleAsync(reference, answer, new ManualSettlement(actor, input.Reason!.Trim(), request), ct);
            return outcome is { Changed: true, Settlement: { } response } ? response
                : outcome.Contradicts ? new Refusal(RefusalCode.StateConflict, $"The charge is {DbText.Of(outcome.Charge!.Status)}. The attempt cannot have this outcome.")
                : await idempotency.FindAsync(request.Merchant, request.Key.Value, ct) is not null ? await idempotency.RecallAsync(request, ct)
                : new Refusal(RefusalCode.StateConflict, "The attempt is settled. Acknowledge its contradictions instead.");
        }
        catch (PostgresException e) when (DatabaseErrors.IsUniqueViolation(e, "idempotency_keys_pkey"))
        {
            // Another request with the same key committed first. Its response counts.
            return await idempotency.RecallAsync(request, ct);
        }
    }

    /// <summary>
    /// Acknowledges the contradictions of an attempt, so that the list of contradicted attempts no longer shows it. Idempotent by the
    /// request's key.
    /// </summary>
    public async Task<Result<StoredResponse>> AcknowledgeAsync(IdempotentRequest request, AttemptReference reference, AcknowledgeRequest input, Actor actor, CancellationToken ct)
    {
        if (BadReason(input.Reason) is { } refusal)
            return refusal;
        return await idempotency.RunAsync(
            request,
            async (connection, transaction) =>
            {
                if (await reads.GetAsync(reference, ct) is not { } before)
                    return Refusal.NotFound(reference.ToString());
                var now = time.GetUtcNow();
                await using var command = new NpgsqlCommand(AttemptSql.Acknowledge, connection, transaction)
                {
                    Parameters = { new() { Value = reference.Merchant.Value }, new() { Value = reference.Attempt.Value }, new() { Value = now } },
                };
                if (await command.ExecuteNonQueryAsync(ct) == 0)
                    return new Refusal(RefusalCode.StateConflict, "The attempt has no contradiction to acknowledge.");
                var after = before with { Contradictions = [.. before.Contradictions!.Select(c => c with { AcknowledgedAt = c.AcknowledgedAt ?? now })] };
                var decision = new AttemptDecision(input.Reason!.Trim(), before, after);
                await AuditLog.WriteAsync(connection, transaction, decision.Entry(actor, "attempt.acknowledged", reference.Merchant), now, ct);
                return new StoredResponse(200, JsonSerializer.SerializeToUtf8Bytes(after, OperatorAttemptJson.Default.OperatorAttemptResource));
            },
            ct);
    }

    private static Result<PaymentAnswer> Answer(SettleAttemptRequest input)
    {
        if (!DbText.TryParse<SettledOutcome>(input.Outcome, out var outcome))
            return Refusal.Invalid("outcome", $"`outcome` must be one of {string.Join(", ", Enum.GetValues<SettledOutcome>().Select(DbText.Of))}.");
        if (input.ProviderReference is { Length: 0 or > 200 })
            return Refusal.Invalid("provider_reference", "`provider_reference` must have 1 to 200 characters.");
        DeclineCode? decline = null;
        if (input.DeclineCode is not null)
        {
            if (!DbText.TryParse<DeclineCode>(input.DeclineCode, out var code))
                return Refusal.Invalid("decline_code", $"`decline_code` must be one of {string.Join(", ", Enum.GetValues<DeclineCode>().Select(DbText.Of))}.");
            decline = code;
        }

        var detail = "Settled by hand.";
        return outcome switch
        {
            SettledOutcome.Succeeded => new PaymentAnswer(PaymentResult.Succeeded, input.ProviderReference, Detail: detail),
            SettledOutcome.Authorized => new PaymentAnswer(PaymentResult.Authorized, input.ProviderReference, Detail: detail),
            SettledOutcome.Declined => PaymentAnswer.Declined(decline ?? DeclineCode.DoNotHonor, detail, input.ProviderReference),
            SettledOutcome.NotCarriedOut => PaymentAnswer.NotSent(detail),
        };
    }

    private static Refusal? Unfit(Charge charge, Attempt attempt, PaymentAnswer answer)
    {
        var holds = attempt.Operation is PaymentOperation.Charge && charge.CaptureMethod is CaptureMethod.Manual;
        if (answer.Result is PaymentResult.Authorized && !holds)
            return Refusal.Invalid("outcome", "`outcome` can be authorized only for a charge with manual capture.");
        if (answer.Result is PaymentResult.Succeeded && holds)
            return Refusal.Invalid("outcome", "`outcome` must be authorized, not succeeded, for a charge with manual capture.");

        // Captures, cancels and refunds need the provider's id of the payment.
        if (attempt.Operation is PaymentOperation.Charge && answer.Result is PaymentResult.Succeeded or PaymentResult.Authorized && (answer.Reference ?? charge.ProviderReference) is null)
            return Refusal.Invalid("provider_reference", "`provider_reference` is required. Captures and refunds need it.");
        return null;
    }

    private static Refusal? BadReason(string? reason) => reason?.Trim() is { Length: >= 10 and <= 1000 } text && !text.Contains('\0', StringComparison.Ordinal)
        ? null
        : Refusal.Invalid("reason", "`reason` must say in 10 to 1000 characters how you found out. The audit log keeps it.");
}
