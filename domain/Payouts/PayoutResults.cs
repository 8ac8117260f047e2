using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Balances;
using Payments.Domain.Database;
using Payments.Domain.Ledger;
using Payments.Domain.Messaging;

namespace Payments.Domain.Payouts;

/// <summary>A report about a payout, from the bank or from the request that cancels it.</summary>
/// <param name="Amount">The payout's amount as the report gives it; null if it gives none.</param>
public sealed record PayoutWord(MerchantId Merchant, PayoutId Payout, PayoutStatus Said, string? Code = null, string? Text = null, string? ProviderReference = null, Money? Amount = null)
{
    /// <summary>The bank holds the payout until a person decides. <see cref="Code"/> says why.</summary>
    public bool Held { get; init; }

    /// <summary>The rail of the reporting bank. The report counts only for payouts on this rail. Null: any rail.</summary>
    public PayoutRail? Rail { get; init; }
}

public enum PayoutWordEffect
{
    Applied,

    /// <summary>The report repeats an earlier one, or a later report was applied before it. The status did not change.</summary>
    NothingNew,

    UnknownPayout,

    /// <summary>The payout went to another bank than the one that reports it. Nothing changed.</summary>
    OtherRail,

    /// <summary>The payout has another amount. Nothing changed. An operator must decide.</summary>
    AmountDiffers,

    /// <summary>
    /// The payout has ended and its money was given back, but the bank reports that it moved the money. Nothing changed. An operator must
    /// decide.
    /// </summary>
    Contradicts,

    /// <summary>The bank holds the payout from now on. An operator must decide.</summary>
    Held,

    /// <summary>The bank repeats that it holds the payout. Nothing changed.</summary>
    HeldStill,
}

/// <summary>
/// Applies reports about payouts, many at a time, in the caller's transaction: status, ledger, balance, bank account and event together.
/// Reports may repeat and come in any order. Each report changes a payout's status at most once.
/// </summary>
public sealed class PayoutResults(LedgerPosting ledger, ILogger<PayoutResults> logger)
{
    /// <returns>One effect for each report, in order.</returns>
    public async Task<IReadOnlyList<PayoutWordEffect>> ApplyAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyList<PayoutWord> words, DateTimeOffset now, CancellationToken ct)
    {
        var before = await LockAsync(connection, transaction, words, ct);
        var after = new Dictionary<PayoutId, Payout>(before);
        var effects = new PayoutWordEffect[words.Count];
        var changes = new Changes();
        for (var i = 0; i < words.Count; i++)
        {
            effects[i] = Apply(words[i], after, changes, now);
        }

        await WriteAsync(connection, transaction, before, after, changes, now, ct);
        return effects;
    }

    private PayoutWordEffect Apply(PayoutWord word, Dictionary<PayoutId, Payout> payouts, Changes changes, DateTimeOffset now)
    {
        if (!payouts.TryGetValue(word.Payout, out var payout) || payout.Merchant != word.Merchant)
        {
            PayoutLog.UnknownPayout(logger, word.Payout.ToString());
            return PayoutWordEffect.UnknownPayout;
        }

        if (word.Rail is { } rail && rail != payout.Rail)
            return PayoutWordEffect.OtherRail;
        if (word.Amount is { } said && said != payout.Amount)
        {
            PayoutLog.AmountDiffers(logger, payout.Id, payout.Merchant, said, payout.Amount);
            return PayoutWordEffect.AmountDiffers;
        }

        if (word.Held)
        {
            return Hold(word, payout, payouts, changes, now);
        }

        if (PayoutTransitions.Outcome(payout.Status, word.Said) is not { } to)
            return KeepStatus(word, payout, payouts, now);

        var code = to is PayoutStatus.Failed or PayoutStatus.Returned ? word.Code ?? BankFailure.Unknown : null;
        if (PayoutJournals.Changed(payout, to, now) is { } journal)
        {
            changes.Journals.Add(journal);
        }

        if (PayoutTransitions.IsReversed(to))
        {
            changes.Rows.Add(PayoutJournals.ReversedRow(payout, to, now));
        }

        payout = payout with
        {
            Status = to,
            FailureCode = code,
            FailureMessage = code is null ? null : word.Text,
            HoldCode = null,
            HoldMessage = null,
            ProviderReference = word.ProviderReference ?? payout.ProviderReference,
            UpdatedAt = now,
        };
        payouts[payout.Id] = payout;
        if (code is not null && BankFailure.IsOfTheAccount(code))
        {
            changes.Accounts.Add((payout.Merchant, payout.BankAccount, code));
        }

        // No event for in_transit: the merchant got one when the payout was created, and gets one when it ends.
        if (to != PayoutStatus.InTransit)
        {
            changes.Events.Add(PayoutEvents.Of($"payout.{DbText.Of(to)}", payout, now));
        }

        return PayoutWordEffect.Applied;
    }

    /// <summary>What the bank says does not change the payout's status.</summary>
    private PayoutWordEffect KeepStatus(PayoutWord word, Payout payout, Dictionary<PayoutId, Payout> payouts, DateTimeOffset now)
    {
        if (word.Said == PayoutStatus.Paid && PayoutTransitions.IsReversed(payout.Status))
        {
            PayoutLog.OutOfOrder(logger, payout.Id, payout.Merchant, word.Said, payout.Status);
        }

        if (PayoutTransitions.Contradicts(payout.Status, word.Said))
        {
            return PayoutWordEffect.Contradicts;
        }

        if (payout is { Status: PayoutStatus.InTransit, HoldCode: not null } && word.Said == PayoutStatus.InTransit)
        {
            payouts[payout.Id] = payout with { HoldCode = null, HoldMessage = null, UpdatedAt = now };
            return PayoutWordEffect.Applied;
        }

        if (word.ProviderReference is { } late && payout.ProviderReference is null)
        {
            payouts[payout.Id] = payout with { ProviderReference = late };
        }

        return PayoutWordEffect.NothingNew;
    }

    private static PayoutWordEffect Hold(PayoutWord word, Payout payout, Dictionary<PayoutId, Payout> payouts, Changes changes, DateTimeOffset now)
    {
        if (payout.Status is not (PayoutStatus.Pending or PayoutStatus.InTransit))
        {
            return PayoutTransitions.Contradicts(payout.Status, word.Said) ? PayoutWordEffect.Contradicts : PayoutWordEffect.NothingNew;
        }

        var code = word.Code ?? BankFailure.Unknown;
        if (payout.HoldCode == code)
        {
            return PayoutWordEffect.HeldStill;
        }

        payout = payout with { Status = PayoutStatus.InTransit, HoldCode = code, HoldMessage = word.Text, UpdatedAt = now };
        payouts[payout.Id] = payout;
        changes.Events.Add(PayoutEvents.Of("payout.held", payout, now));
        return PayoutWordEffect.Held;
    }

    private static async Task<Dictionary<PayoutId, Payout>> LockAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyList<PayoutWord> words, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(PayoutSql.Lock, connection, transaction)
        {
            Parameters = { Columns.Of(words, w => w.Merchant.Value, NpgsqlDbType.Uuid), Columns.Of(words, w => w.Payout.Value, NpgsqlDbType.Uuid) },
        };
        var payouts = new Dictionary<PayoutId, Payout>(words.Count);
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
        {
            var payout = Payout.Read(reader);
            payouts.Add(payout.Id, payout);
        }

        return payouts;
    }

    private async Task WriteAsync(
        NpgsqlConnection connection,
        NpgsqlTransaction transaction,
        Dictionary<PayoutId, Payout> before,
        Dictionary<PayoutId, Payout> after,
        Changes changes,
        DateTimeOffset now,
        CancellationToken ct)
    {
        var changed = after.Values.Where(p => before[p.Id] != p).ToList();
        if (changed.Count == 0)
        {
            return;
        }

        var results = changes.Journals.Count == 0 ? [] : await ledger.PostAsync(connection, transaction, changes.Journals, now, ct);
        for (var i = 0; i < results.Count; i++)
        {
            if (results[i].Status != PostingStatus.Posted)
            {
                throw new InvalidOperationException($"The ledger refused {changes.Journals[i].ExternalKey}: {results[i].Status} {results[i].Detail}");
            }
        }

        await using var batch = new NpgsqlBatch(connection, transaction);
        var apply = new NpgsqlBatchCommand(PayoutSql.Apply)
        {
            Parameters =
            {
                Columns.Of(changed, p => p.Merchant.Value, NpgsqlDbType.Uuid),
                Columns.Of(changed, p => p.Id.Value, NpgsqlDbType.Uuid),
                Columns.Of(changed, p => DbText.Of(before[p.Id].Status), NpgsqlDbType.Text),
                Columns.Of(changed, p => DbText.Of(p.Status), NpgsqlDbType.Text),
                Columns.Of(changed, p => p.ProviderReference, NpgsqlDbType.Text),
                Columns.Of(changed, p => p.FailureCode, NpgsqlDbType.Text),
                Columns.Of(changed, p => p.FailureMessage, NpgsqlDbType.Text),
                new() { Value = now },
                Columns.Of(changed, p => p.HoldCode, NpgsqlDbType.Text),
                Columns.Of(changed, p => p.HoldMessage, NpgsqlDbType.Text),
            },
        };
        batch.BatchCommands.Add(apply);
        var released = changed.Where(p => p.HoldCode is null && before[p.Id].HoldCode is not null).Select(p => p.Id.Value).ToArray();
        if (released.Length > 0)
        {
            batch.BatchCommands.Add(UnmatchedBankItems.EndHolds(released, now));
        }

        if (changes.Rows.Count > 0)
        {
            batch.BatchCommands.Add(BalanceTransactionLog.Append(changes.Rows));
        }

        if (changes.Accounts.Count > 0)
        {
            var accounts = changes.Accounts.DistinctBy(a => a.Account).OrderBy(a => a.Account.Value).ToList();
            batch.BatchCommands.Add(new NpgsqlBatchCommand(PayoutSql.MarkAccounts)
            {
                Parameters =
                {
                    Columns.Of(accounts, a => a.Merchant.Value, NpgsqlDbType.Uuid),
                    Columns.Of(accounts, a => a.Account.Value, NpgsqlDbType.Uuid),
                    Columns.Of(accounts, a => a.Code, NpgsqlDbType.Text),
                    new() { Value = now },
                },
            });
        }

        if (changes.Events.Count > 0)
        {
            batch.BatchCommands.Add(EventLog.Append(changes.Events));
        }

        await batch.ExecuteNonQueryAsync(ct);
        if (apply.RecordsAffected != changed.Count)
        {
            throw new InvalidOperationException("A locked payout changed its status under the lock.");
        }
    }

    private sealed class Changes
    {
        public List<Journal> Journals { get; } = [];

        public List<BalanceTransaction> Rows { get; } = [];

        public List<(MerchantId Merchant, BankAccountId Account, string Code)> Accounts { get; } = [];

        public List<DomainEvent> Events { get; } = [];
    }
}
