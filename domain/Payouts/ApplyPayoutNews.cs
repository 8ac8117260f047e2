using Npgsql;
using Payments.Domain.Messaging;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Domain.Payouts;

/// <summary>Brings what providers' webhooks say of payouts into effect.</summary>
public sealed class ApplyPayoutNews(NpgsqlDataSource dataSource, PayoutResults results, OutboxSignal signal, TimeProvider time) : IProviderEventApplier
{
    public bool Applies(INeutralEvent neutral) => neutral is PayoutNews;

    public async Task<ApplyResult> ApplyAsync(INeutralEvent neutral, CancellationToken ct)
    {
        var word = ((PayoutNews)neutral).Word;
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        var effects = await results.ApplyAsync(connection, transaction, [word], time.GetUtcNow(), ct);
        await transaction.CommitAsync(ct);
        signal.Set();
        return effects[0] switch
        {
            PayoutWordEffect.Applied => new ApplyResult(ApplyOutcome.Applied),
            PayoutWordEffect.Held => new ApplyResult(ApplyOutcome.Applied),
            PayoutWordEffect.NothingNew => new ApplyResult(ApplyOutcome.Ignored, $"{word.Payout} is past {word.Said} already."),
            PayoutWordEffect.HeldStill => new ApplyResult(ApplyOutcome.Ignored, $"{word.Payout} is held already."),
            PayoutWordEffect.Contradicts => new ApplyResult(
                ApplyOutcome.Failed, $"The bank says {word.Said} of {word.Payout}, whose money was given back before."),
            PayoutWordEffect.UnknownPayout => new ApplyResult(ApplyOutcome.Waiting, $"There is no {word.Payout}."),
            PayoutWordEffect.AmountDiffers => new ApplyResult(ApplyOutcome.Failed, $"{word.Payout} is not of {word.Amount}."),
        };
    }
}
