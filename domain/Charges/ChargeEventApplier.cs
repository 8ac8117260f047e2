using Payments.Domain.Providers;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Domain.Charges;

/// <summary>Brings what a provider reports of an attempt into effect, by the same rules as its response.</summary>
public sealed class ChargeEventApplier(AttemptOutcomes outcomes) : IProviderEventApplier
{
    public bool Applies(INeutralEvent neutral) => neutral is PaymentReported;

    public async Task<ApplyResult> ApplyAsync(INeutralEvent neutral, CancellationToken ct)
    {
        var reported = (PaymentReported)neutral;
        var outcome = await outcomes.RecordAsync(reported.Reference, reported.Answer, ct);
        return outcome switch
        {
            { Found: false } => new ApplyResult(ApplyOutcome.Waiting, $"There is no attempt {reported.Reference}."),
            { Contradicts: true } => new ApplyResult(ApplyOutcome.Failed, $"The attempt {reported.Reference.Attempt} has ended otherwise."),
            { Changed: false } => new ApplyResult(ApplyOutcome.Ignored, "It was known."),
            _ => new ApplyResult(ApplyOutcome.Applied),
        };
    }
}
