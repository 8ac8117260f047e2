using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Balances;
using Payments.Domain.Database;
using Payments.Domain.Ledger;
using Payments.Domain.Messaging;

namespace Payments.Domain.Payouts;

/// <summary>A merchant whose balance a payout may take, with everything that the decision needs.</summary>
/// <param name="InstantReachable">Whether instant payments reach the account; null if unknown.</param>
internal sealed record PayoutCandidate(MerchantId Merchant, BankAccountId? Account, PayoutPosition Position, PayoutSchedule Schedule,
    PayoutBatchId Batch, bool? InstantReachable)
{
    internal static PayoutCandidate Read(NpgsqlDataReader row, Currency currency, PayoutsOptions options,
        PayoutMethod method = PayoutMethod.Standard) => new(
        new MerchantId(row.GetGuid(0)),
        row.IsDBNull(12) ? null : new BankAccountId(row.GetGuid(12)),
        new PayoutPosition(
            currency,
            row.GetInt64(1),
            row.GetInt64(2),
            row.GetInt64(3),
            row.IsDBNull(4) ? null : row.GetInt64(4),
            new PayoutReserve(row.GetInt32(5), row.GetInt32(6), row.GetInt64(7)),
            DbText.Parse<PayoutInterval>(row.GetString(8)),
            row.IsDBNull(9) ? null : row.GetFieldValue<DateOnly>(9),
            row.GetBoolean(10),
            row.GetBoolean(11),
            !row.IsDBNull(14),
            row.GetBoolean(13),
            row.IsDBNull(14) ? BankAccountState.Active : DbText.Parse<BankAccountState>(row.GetString(14)),
            row.IsDBNull(15) ? null : row.GetFieldValue<DateTimeOffset>(15),
            PayoutRails.Reaches(options.RailOf(currency, new MerchantId(row.GetGuid(0)).Mode, method), method, currency,
                row.IsDBNull(19) ? null : row.GetString(19)),
            options.Payee.Of(row.IsDBNull(20) ? null : DbText.Parse<PayeeResult>(row.GetString(20)), row.GetBoolean(21))),
        new PayoutSchedule(
            DbText.Parse<PayoutInterval>(row.GetString(8)),
            row.IsDBNull(16) ? null : DbText.Parse<DayOfWeek>(row.GetString(16)),
            row.IsDBNull(17) ? null : row.GetInt16(17)),
        new PayoutBatchId(row.GetGuid(18)),
        row.IsDBNull(22) ? null : row.GetBoolean(22));
}

/// <summary>The terms that payouts made together share.</summary>
internal sealed record PayoutTerms(PayoutRunId? Run, Currency Currency, PayoutRail Rail, PayoutMethod Method, DateOnly Date, DateOnly ArrivalDate);

/// <summary>The payouts that were made, and the merchants whose journal the ledger refused.</summary>
internal sealed record PayoutsWritten(IReadOnlyList<Payout> Payouts, IReadOnlyList<(MerchantId Merchant, string Reason)> Refused);

/// <summary>
/// Makes payouts, many at a time, in one transaction: their journals, rows, events and the messages that submit them. The caller has locked
/// the payout settings of the candidates, and with them the batches that the payouts take.
/// </summary>
internal sealed class PayoutWriter(LedgerPosting ledger)
{
    private const string AccountMissing = "account_missing";

    /// <summary>
    /// Completes the batches of the candidates and returns how much each batch holds. The sums stay true until the transaction ends.
    /// </summary>
    /// <param name="candidates">
    /// Sorted by merchant, in the database's order. An earlier statement of the transaction has locked their settings.
    /// </param>
    public static async Task<IReadOnlyList<PayoutCandidate>> CollectAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, Currency currency, IReadOnlyList<PayoutCandidate> candidates, CancellationToken ct)
    {
        if (candidates.Count == 0)
        {
            return candidates;
        }

        await using var collect = new NpgsqlCommand(PayoutSql.Collect, connection, transaction)
        {
            Parameters =
            {
                Columns.Of(candidates, c => c.Merchant.Value, NpgsqlDbType.Uuid),
                Columns.Of(candidates, c => c.Batch.Value, NpgsqlDbType.Uuid),
                new() { Value = currency.Code },
                new() { Value = candidates[0].Merchant.Value },
                new() { Value = candidates[^1].Merchant.Value },
            },
        };
        var collected = new Dictionary<MerchantId, (long Available, long NewIncome)>(candidates.Count);
        await using var reader = await collect.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
        {
            collected.Add(new MerchantId(reader.GetGuid(0)), (reader.GetInt64(1), reader.GetInt64(2)));
        }

        return [.. candidates.Select(candidate => candidate with
        {
            Position = candidate.Position with { Available = collected.GetValueOrDefault(candidate.Merchant).Available, NewIncome = collected.GetValueOrDefault(candidate.Merchant).NewIncome },
        })];
    }

    /// <param name="paying">Merchants with a bank account, and the decision about what <see cref="CollectAsync"/> found.</param>
    public async Task<PayoutsWritten> WriteAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, PayoutTerms terms, IReadOnlyList<(PayoutCandidate Candidate, PayoutDecision Decision)> paying, DateTimeOffset now, CancellationToken ct)
    {
        var planned = paying
            .Select(p => new Plan(
                p.Candidate, PayoutId.New(p.Candidate.Merchant, now), new PayoutBatchId(Guid.CreateVersion7(now)), p.Decision))
            .ToList();
        var (posted, refused) = await CreateAsync(connection, transaction, terms, planned, now, ct);
        await CompleteAsync(connection, transaction, terms, posted, now, ct);
        return new([.. posted.Select(p => p.Payout)], [.. refused.Select(r => (r.Plan.Candidate.Merchant, r.Reason))]);
    }

    /// <summary>Makes payouts and journals and opens the next batches in one statement.</summary>
    private async Task<(List<(Plan Plan, Payout Payout)> Posted, List<(Plan Plan, string Reason)> Refused)> CreateAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, PayoutTerms terms, List<Plan> planned, DateTimeOffset now, CancellationToken ct)
    {
        var posted = new List<(Plan, Payout)>(planned.Count);
        var refused = new List<(Plan, string)>();
        if (planned.Count == 0)
        {
            return (posted, refused);
        }

        int? traces = terms is { Rail: PayoutRail.File } && terms.Currency == Currency.Usd ? await TracesAsync(connection, transaction, planned.Count, ct) : null;
        var payouts = planned.Select((plan, i) => new Payout(
            plan.Candidate.Merchant, plan.Id, terms.Run, PayoutStatus.Pending, new Money(plan.Decision.Amount, terms.Currency), plan.Candidate.Account!.Value, terms.Rail, terms.Method,
            traces is { } first ? ((first + i) % 9_999_999) + 1 : null, null, null, null, terms.ArrivalDate, null, now, now)).ToList();
        var statuses = await CreateAsync(connection, transaction, terms, planned, payouts, now, ct);
        if (statuses.Contains(AccountMissing))
        {
            // A merchant gets its first payout. A separate transaction opens the accounts. Nothing was posted yet, so the call can be
            // repeated.
            await ledger.OpenAccountsAsync(
                planned.Where((_, i) => statuses[i] == AccountMissing).SelectMany(plan => Accounts(plan, terms.Currency).Select(account => (account, plan.Candidate.Merchant.Bucket))).ToList(), now, ct);
            statuses = await CreateAsync(connection, transaction, terms, planned, payouts, now, ct);
        }

        for (var i = 0; i < statuses.Length; i++)
        {
            if (statuses[i] == "posted")
            {
                posted.Add((planned[i], payouts[i]));
            }
            else
            {
                refused.Add((planned[i], statuses[i]));
            }
        }

        return (posted, refused);
    }

    private static async Task<string[]> CreateAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, PayoutTerms terms, List<Plan> planned, List<Payout> payouts, DateTimeOffset now, CancellationToken ct)
    {
        await using var create = new NpgsqlCommand(PayoutSql.Create, connection, transaction)
        {
            Parameters =
            {
                new() { Value = (object?)terms.Run?.Value ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Uuid },
                new() { Value = terms.Currency.Code },
                new() { Value = DbText.Of(terms.Rail) },
                new() { Value = DbText.Of(terms.Method) },
                new() { Value = terms.Date },
                new() { Value = terms.ArrivalDate },
                new() { Value = now },
                Columns.Of(payouts, p => p.Merchant.Bucket, NpgsqlDbType.Smallint),
                Columns.Of(payouts, p => p.Merchant.Value, NpgsqlDbType.Uuid),
                Columns.Of(payouts, p => p.Id.Value, NpgsqlDbType.Uuid),
                Columns.Of(payouts, p => p.Amount.MinorUnits, NpgsqlDbType.Bigint),
                Columns.Of(planned, p => p.Decision.Reserved, NpgsqlDbType.Bigint),
                Columns.Of(payouts, p => p.BankAccount.Value, NpgsqlDbType.Uuid),
                Columns.Of(payouts, p => p.Trace, NpgsqlDbType.Integer),
                Columns.Of(planned, p => p.Candidate.Batch.Value, NpgsqlDbType.Uuid),
                Columns.Of(planned, p => p.NextBatch.Value, NpgsqlDbType.Uuid),
            },
        };
        return (string[])(await create.ExecuteScalarAsync(ct))!;
    }

    private static IEnumerable<AccountRef> Accounts(Plan plan, Currency currency)
    {
        yield return ChartOfAccounts.MerchantAvailable(plan.Candidate.Merchant, currency);
        yield return ChartOfAccounts.MerchantInTransit(plan.Candidate.Merchant, currency);
        if (plan.Decision.Reserved > 0)
        {
            yield return ChartOfAccounts.MerchantReserve(plan.Candidate.Merchant, currency);
        }
    }

    private static async Task CompleteAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, PayoutTerms terms, List<(Plan Plan, Payout Payout)> posted, DateTimeOffset now, CancellationToken ct)
    {
        if (posted.Count == 0)
        {
            return;
        }

        await using var batch = new NpgsqlBatch(connection, transaction);
        var rows = posted.SelectMany(p => PayoutJournals.RestRows(
            p.Plan.Candidate.Merchant, p.Payout.Id, p.Plan.Candidate.Batch, p.Plan.NextBatch, terms.Currency, p.Plan.Decision, terms.Date, p.Plan.Candidate.Position.Reserve.Days, now)).ToList();
        if (rows.Count > 0)
        {
            batch.BatchCommands.Add(BalanceTransactionLog.Append(rows));
        }

        batch.BatchCommands.Add(EventLog.AppendFirst([.. posted.Select(p => PayoutEvents.Of("payout.created", p.Payout, now))]));
        if (terms.Rail == PayoutRail.Sandbox)
        {
            foreach (var command in Outbox.Enqueue([.. posted.Select(p => PayoutSubmission.Message(p.Payout, now))]))
            {
                batch.BatchCommands.Add(command);
            }
        }

        await batch.ExecuteNonQueryAsync(ct);
    }

    private static async Task<int> TracesAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, int count, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(PayoutSql.TakeTraces, connection, transaction) { Parameters = { new() { Value = count } } };
        return (int)(await command.ExecuteScalarAsync(ct))!;
    }

    private sealed record Plan(PayoutCandidate Candidate, PayoutId Id, PayoutBatchId NextBatch, PayoutDecision Decision);
}
