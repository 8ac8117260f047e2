using Payments.Domain.Database;
using Payments.Domain.Providers;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Domain.Charges;

/// <summary>
/// Applies the reports of providers by the same rules as their responses. An operation that was made at the provider and not through this
/// platform is booked as made elsewhere.
/// </summary>
public sealed class ChargeEventApplier(AttemptOutcomes outcomes, AttemptReads attempts, OperationsElsewhere elsewhere)
    : IProviderEventApplier
{
    public bool Applies(INeutralEvent neutral) => neutral is PaymentReported or OperationReported or RefundedInAll;

    public Task<ApplyResult> ApplyAsync(INeutralEvent neutral, CancellationToken ct) => neutral switch
    {
        PaymentReported { Captured: { } captured } reported => ApplyAsync(reported, captured, ct),
        PaymentReported { Told: { } told } reported => ApplyAsync(reported, told, ct),
        PaymentReported reported => RecordAsync(reported, reported.Answer, ct),
        OperationReported reported => elsewhere.ApplyAsync(reported.Told, reported.Answer, ct),
        RefundedInAll refunded => elsewhere.CheckAsync(refunded, ct),
        _ => throw new ArgumentException("It is not an event of a payment.", nameof(neutral)),
    };

    /// <summary>First records the outcome of the attempt, then books captures that exceed those recorded here.</summary>
    private async Task<ApplyResult> ApplyAsync(PaymentReported reported, ReportedCapture captured, CancellationToken ct)
    {
        var answer = reported.Answer;
        if (reported.Reference == captured.Charge && answer.Result is PaymentResult.Succeeded
            && await attempts.FindAsync(captured.Charge, ct) is var (charge, attempt)
            && charge.CaptureMethod is CaptureMethod.Manual && attempt.Operation is PaymentOperation.Charge)
        {
            // With manual capture, the attempt of the charge ends with the authorization. A capture is an operation of its own.
            answer = answer with { Result = PaymentResult.Authorized };
        }

        var known = await RecordAsync(reported, answer, ct);
        if (known.Outcome is not (ApplyOutcome.Applied or ApplyOutcome.Ignored))
            return known;
        var more = await elsewhere.CaptureAsync(captured, ct);
        return more.Outcome is ApplyOutcome.Ignored ? known : more;
    }

    private async Task<ApplyResult> ApplyAsync(PaymentReported reported, ReportedOperation told, CancellationToken ct)
    {
        if (await attempts.FindAsync(reported.Reference, ct) is not var (charge, attempt))
            return NotThere(reported.Reference);
        if (attempt.Operation == told.Operation)
            return await RecordAsync(reported, reported.Answer, ct);
        return attempt.Operation is PaymentOperation.Charge
            ? await elsewhere.ApplyAsync(charge, told, reported.Answer, ct)
            : new ApplyResult(
                ApplyOutcome.Failed,
                $"The event is about a {DbText.Of(told.Operation)}, and the attempt {attempt.Id} that it names is a {DbText.Of(attempt.Operation)}.");
    }

    private async Task<ApplyResult> RecordAsync(PaymentReported reported, PaymentAnswer answer, CancellationToken ct) =>
        OperationsElsewhere.Result(
            await outcomes.RecordAsync(reported.Provider, reported.Reference, answer, ct), reported.Reference, answer);

    private static ApplyResult NotThere(AttemptReference reference) => new(ApplyOutcome.Waiting, $"There is no attempt {reference}.");
}
