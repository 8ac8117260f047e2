using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Database;

namespace Payments.Domain.Ledger;

/// <summary>
/// Posts journals inside the caller's transaction. One call takes any number of journals and answers each of them. A refusal is an answer,
/// not an exception. A caller with nothing else to write uses <see cref="LedgerWriter"/>.
/// </summary>
public sealed class LedgerPosting(NpgsqlDataSource dataSource)
{
    private readonly AccountDirectory _accounts = new(dataSource);

    /// <summary>
    /// Posts the journals in their order. Each journal sees the balances that the journals before it left. Accounts of the chart that do
    /// not exist yet are opened. A journal whose external key is in the ledger already, or earlier in the list, is not posted again.
    /// </summary>
    /// <param name="now">When the journals are recorded, UTC.</param>
    /// <exception cref="ArgumentException">
    /// A journal is malformed: no transfers, an amount that is not positive, one account on both sides, or two currencies in one transfer.
    /// </exception>
    public async Task<IReadOnlyList<PostingResult>> PostAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyList<Journal> journals, DateTimeOffset now, CancellationToken ct)
    {
        if (journals.Count == 0)
            return [];
        foreach (var journal in journals)
            Validate(journal);
        var accounts = await AccountsAsync(journals, now, ct);
        var results = new List<PostingResult>(journals.Count);
        for (var from = 0; from < journals.Count;)
        {
            // The second journal with a key waits for the answer to the first. All journals behind it wait too, so that the order is kept.
            var keys = new HashSet<(short, string)>(journals.Count - from);
            var to = from;
            while (to < journals.Count && keys.Add((journals[to].Merchant.Bucket, journals[to].ExternalKey)))
                to++;
            results.AddRange(await PostDistinctAsync(connection, transaction, [.. journals.Skip(from).Take(to - from)], accounts[from..to], now, ct));
            from = to;
        }

        return results;
    }

    /// <summary>
    /// Prepares the statement that posts all journals as <see cref="PostAsync"/> does. The statement goes into a batch with other
    /// statements of the transaction, including the commit. If a journal is refused, it fails with <see cref="LedgerSql.Refused"/>. Returns
    /// null if one statement is not enough or not needed: two journals have the same external key, or there are no journals.
    /// </summary>
    /// <param name="allNew">
    /// The caller guarantees that none of the journals was posted before, so the ledger does not look. If one was, the transaction fails.
    /// </param>
    internal async Task<NpgsqlBatchCommand?> TryPrepareAsync(IReadOnlyList<Journal> journals, DateTimeOffset now, CancellationToken ct, bool allNew = false)
    {
        if (journals.Count == 0 || NameAKeyTwice(journals))
            return null;
        foreach (var journal in journals)
            Validate(journal);
        return Command(LedgerSql.PostAll, journals, await AccountsAsync(journals, now, ct), now, allNew);
    }

    /// <summary>Posts and commits. This takes one round trip, unless two journals have the same external key.</summary>
    internal async Task<IReadOnlyList<PostingResult>> PostAndCommitAsync(
        NpgsqlConnection connection, IReadOnlyList<Journal> journals, DateTimeOffset now, CancellationToken ct)
    {
        if (NameAKeyTwice(journals))
        {
            await using var transaction = await connection.BeginTransactionAsync(ct);
            var answers = await PostAsync(connection, transaction, journals, now, ct);
            await transaction.CommitAsync(ct);
            return answers;
        }

        foreach (var journal in journals)
            Validate(journal);
        return await PostDistinctAsync(connection, null, journals, await AccountsAsync(journals, now, ct), now, ct);
    }

    /// <summary>Opens the accounts that are not open yet, in a separate transaction.</summary>
    internal Task OpenAccountsAsync(IReadOnlyCollection<(AccountRef Account, short Bucket)> accounts, DateTimeOffset now, CancellationToken ct) => _accounts.OpenAsync(accounts, now, ct);

    private static bool NameAKeyTwice(IReadOnlyList<Journal> journals) =>
        journals.Count > 1 && journals.DistinctBy(journal => (journal.Merchant.Bucket, journal.ExternalKey)).Count() < journals.Count;

    private static void Validate(Journal journal)
    {
        if (journal.Transfers.Count is 0 or > short.MaxValue)
            throw new ArgumentException($"Journal '{journal.ExternalKey}' has {journal.Transfers.Count} transfers.", nameof(journal));
        ArgumentException.ThrowIfNullOrWhiteSpace(journal.ExternalKey, nameof(journal));
        ArgumentException.ThrowIfNullOrWhiteSpace(journal.Kind, nameof(journal));
        foreach (var transfer in journal.Transfers)
        {
            if (!transfer.Amount.IsPositive)
                throw new ArgumentException($"Journal '{journal.ExternalKey}' moves {transfer.Amount}: an amount is positive.", nameof(journal));
            if (transfer.Debit == transfer.Credit)
                throw new ArgumentException($"Journal '{journal.ExternalKey}' moves money from {transfer.Debit} to itself.", nameof(journal));
            if (transfer.Amount.Currency != transfer.Debit.Currency || transfer.Amount.Currency != transfer.Credit.Currency)
                throw new ArgumentException($"Journal '{journal.ExternalKey}' moves {transfer.Amount} from {transfer.Debit} to {transfer.Credit}.", nameof(journal));
        }
    }

    /// <summary>The ids of each journal's accounts: debit and credit of its first transfer, of its second, and so on.</summary>
    private async Task<int[][]> AccountsAsync(IReadOnlyList<Journal> journals, DateTimeOffset now, CancellationToken ct)
    {
        var accounts = new int[journals.Count][];
        HashSet<(AccountRef, short)>? missing = null;
        for (var j = 0; j < accounts.Length; j++)
        {
            var (bucket, transfers) = (journals[j].Merchant.Bucket, journals[j].Transfers);
            var ids = accounts[j] = new int[2 * transfers.Count];
            for (var i = 0; i < transfers.Count; i++)
            {
                if (!_accounts.TryGet(transfers[i].Debit, bucket, out ids[2 * i]))
                    (missing ??= []).Add((transfers[i].Debit, bucket));
                if (!_accounts.TryGet(transfers[i].Credit, bucket, out ids[(2 * i) + 1]))
                    (missing ??= []).Add((transfers[i].Credit, bucket));
            }
        }

        if (missing is null)
            return accounts;

        var opened = await _accounts.OpenAsync(missing, now, ct);
        for (var j = 0; j < accounts.Length; j++)
        {
            var (bucket, transfers) = (journals[j].Merchant.Bucket, journals[j].Transfers);
            for (var i = 0; i < transfers.Count; i++)
            {
                if (accounts[j][2 * i] == 0)
                    accounts[j][2 * i] = opened[(transfers[i].Debit, bucket)];
                if (accounts[j][(2 * i) + 1] == 0)
                    accounts[j][(2 * i) + 1] = opened[(transfers[i].Credit, bucket)];
            }
        }

        return accounts;
    }

    private static async Task<IReadOnlyList<PostingResult>> PostDistinctAsync(
        NpgsqlConnection connection, NpgsqlTransaction? transaction, IReadOnlyList<Journal> journals, int[][] accounts, DateTimeOffset now, CancellationToken ct)
    {
        await using var batch = new NpgsqlBatch(connection, transaction) { BatchCommands = { Command(LedgerSql.Post, journals, accounts, now, allNew: false) } };
        await using var reader = await batch.ExecuteReaderAsync(ct);
        await reader.ReadAsync(ct);
        var statuses = await reader.GetFieldValueAsync<string[]>(0, ct);
        var ids = await reader.GetFieldValueAsync<long?[]>(1, ct);
        PostingResult[] results =
        [
            .. journals.Select((journal, i) =>
            {
                var status = DbText.Parse<PostingStatus>(statuses[i]);
                return new PostingResult(status, ids[i], status is PostingStatus.Posted ? null : $"{DbText.Of(status)}: journal '{journal.ExternalKey}' ({journal.Kind})");
            }),
        ];

        // Without the caller's transaction, the statement commits by itself. The commit is certain only after the result was read to its
        // end.
        while (await reader.ReadAsync(ct) || await reader.NextResultAsync(ct))
        {
        }

        return results;
    }

    private static NpgsqlBatchCommand Command(string sql, IReadOnlyList<Journal> journals, int[][] accounts, DateTimeOffset now, bool allNew)
    {
        var distinct = accounts.SelectMany(ids => ids).Distinct().Order().ToArray();
        var position = new Dictionary<int, int>(distinct.Length);
        foreach (var account in distinct)
            position.Add(account, position.Count + 1);

        var count = journals.Sum(journal => journal.Transfers.Count);
        var (ordinals, debits, credits) = (new int[count], new int[count], new int[count]);
        var (amounts, codes, pastLimit, buckets) = (new long[count], new string[count], new bool[count], new short[count]);
        var (keys, kinds) = (new string?[count], new string?[count]);
        var (merchants, effectiveAt) = (new Guid?[count], new DateTime?[count]);
        var line = 0;
        for (var r = 0; r < journals.Count; r++)
        {
            var journal = journals[r];
            (keys[line], kinds[line]) = (journal.ExternalKey, journal.Kind);
            (merchants[line], effectiveAt[line]) = (journal.Merchant.Value, journal.EffectiveAt.UtcDateTime);
            for (var i = 0; i < journal.Transfers.Count; i++, line++)
            {
                var transfer = journal.Transfers[i];
                ordinals[line] = r + 1;
                debits[line] = position[accounts[r][2 * i]];
                credits[line] = position[accounts[r][(2 * i) + 1]];
                amounts[line] = transfer.Amount.MinorUnits;
                codes[line] = transfer.Code;
                pastLimit[line] = transfer.PastLimit;
                buckets[line] = journal.Merchant.Bucket;
            }
        }

        return new NpgsqlBatchCommand(sql)
        {
            Parameters =
            {
                Array(distinct, NpgsqlDbType.Integer),
                Array(ordinals, NpgsqlDbType.Integer),
                Array(debits, NpgsqlDbType.Integer),
                Array(credits, NpgsqlDbType.Integer),
                Array(amounts, NpgsqlDbType.Bigint),
                Array(codes, NpgsqlDbType.Text),
                Array(pastLimit, NpgsqlDbType.Boolean),
                Array(buckets, NpgsqlDbType.Smallint),
                Array(keys, NpgsqlDbType.Text),
                Array(kinds, NpgsqlDbType.Text),
                Array(merchants, NpgsqlDbType.Uuid),
                Array(effectiveAt, NpgsqlDbType.TimestampTz),
                new NpgsqlParameter<DateTime> { TypedValue = now.UtcDateTime, NpgsqlDbType = NpgsqlDbType.TimestampTz },
                new NpgsqlParameter<bool> { TypedValue = allNew, NpgsqlDbType = NpgsqlDbType.Boolean },
            },
        };
    }

    private static NpgsqlParameter<T[]> Array<T>(T[] values, NpgsqlDbType element) => new() { TypedValue = values, NpgsqlDbType = NpgsqlDbType.Array | element };
}
