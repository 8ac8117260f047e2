using Npgsql;
using Payments.Domain.Messaging;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Domain.Payouts;

/// <summary>Applies what providers' webhooks report about payouts.</summary>
public sealed class ApplyPayoutNews(
    NpgsqlDataSource dataSource, PayoutResults results, SandboxBank bank, OutboxSignal signal, TimeProvider time) : IProviderEventApplier
{
    public bool Applies(INeutralEvent neutral) => neutral is PayoutNews;

    public async Task<ApplyResult> ApplyAsync(INeutralEvent neutral, CancellationToken ct)
    {
        var word = ((PayoutNews)neutral).Word with { Rail = PayoutRail.Sandbox };
        var effect = await RecordAsync(word, ct);
        signal.Set();
        return effect switch
        {
            PayoutWordEffect.Applied => new ApplyResult(ApplyOutcome.Applied),
            PayoutWordEffect.Held => new ApplyResult(ApplyOutcome.Applied),
            PayoutWordEffect.NothingNew => new ApplyResult(ApplyOutcome.Ignored, $"{word.Payout} is past {word.Said} already."),
            PayoutWordEffect.HeldStill => new ApplyResult(ApplyOutcome.Ignored, $"{word.Payout} is held already."),
            PayoutWordEffect.Contradicts => await AskAsync(word, ct),
            PayoutWordEffect.UnknownPayout => new ApplyResult(ApplyOutcome.Waiting, $"There is no {word.Payout}."),
            PayoutWordEffect.OtherRail => new ApplyResult(ApplyOutcome.Failed, $"{word.Payout} did not go to the sandbox bank."),
            PayoutWordEffect.AmountDiffers => new ApplyResult(ApplyOutcome.Failed, $"{word.Payout} is not of {word.Amount}."),
        };
    }

    private async Task<PayoutWordEffect> RecordAsync(PayoutWord word, CancellationToken ct)
    {
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        var effects = await results.ApplyAsync(connection, transaction, [word], time.GetUtcNow(), ct);
        await transaction.CommitAsync(ct);
        return effects[0];
    }

    /// <summary>
    /// Events arrive in any order: the bank may have reported "paid" before the "failed" that was applied first. Only the bank knows which came last.
    /// </summary>
    private async Task<ApplyResult> AskAsync(PayoutWord word, CancellationToken ct)
    {
        var answer = await bank.AskAsync(PayoutReference.Of(word.Merchant, word.Payout), ct);
        return answer switch
        {
            { Kind: BankAnswerKind.Unknown } => new ApplyResult(ApplyOutcome.Waiting, $"The bank did not say how {word.Payout} stands: {answer.Text}"),
            { Kind: BankAnswerKind.Accepted, Said: PayoutStatus.Failed or PayoutStatus.Returned } => new ApplyResult(
                ApplyOutcome.Ignored, $"{word.Payout} was {word.Said} at the bank before it was {answer.Said}."),
            _ => new ApplyResult(ApplyOutcome.Failed, $"The bank reports {word.Said} for {word.Payout}, whose money was given back before."),
        };
    }
}
