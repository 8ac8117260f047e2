using Payments.Domain.Database;
using Payments.Domain.Messaging;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Domain.Disputes;

/// <summary>What a provider's webhook says about a dispute.</summary>
public sealed record DisputeTold(DisputeUpdate Update) : INeutralEvent;

/// <summary>
/// Brings webhooks about disputes into effect. Those that are handled at the same time share a transaction. An update of a charge that is not known
/// yet counts as applied: it is kept with the unmatched ones, which are looked for on their own.
/// </summary>
public sealed class DisputeEventApplier(GroupCommit<DisputeUpdate, DisputeIngestionResult> ingestion, OutboxSignal outbox) : IProviderEventApplier
{
    public bool Applies(INeutralEvent neutral) => neutral is DisputeTold;

    public async Task<ApplyResult> ApplyAsync(INeutralEvent neutral, CancellationToken ct)
    {
        var update = ((DisputeTold)neutral).Update;
        var result = await ingestion.SubmitAsync(update, ct);
        switch (result.Status)
        {
            case DisputeIngestionStatus.Applied:
                outbox.Set();
                return new ApplyResult(ApplyOutcome.Applied);
            case DisputeIngestionStatus.Unmatched:
                return new ApplyResult(ApplyOutcome.Applied, $"No charge is known as '{update.ChargeReference}'; the update is kept.");
            case DisputeIngestionStatus.Duplicate:
                return new ApplyResult(ApplyOutcome.Ignored);
            case DisputeIngestionStatus.Refused:
                return new ApplyResult(ApplyOutcome.Failed, result.Refusal.ToString());
            default:
                throw new InvalidOperationException($"Unknown status {result.Status}.");
        }
    }
}
