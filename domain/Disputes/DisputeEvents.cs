using Payments.Domain.Database;
using Payments.Domain.Messaging;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Domain.Disputes;

/// <summary>A dispute update that a provider's webhook reported.</summary>
public sealed record DisputeTold(DisputeUpdate Update) : INeutralEvent;

/// <summary>
/// Applies dispute updates from webhooks. Updates that are handled at the same time share a transaction. An update of an unknown charge
/// counts as applied: it is kept as unmatched, and a timer looks for its charge.
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
