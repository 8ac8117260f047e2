using System.Collections.Concurrent;
using Npgsql;
using NpgsqlTypes;

namespace Payments.Domain.Ledger;

/// <summary>
/// Caches the ids of accounts, which never change once they are committed. A separate transaction opens the missing accounts. If the
/// journal is then refused, an empty account remains, which does no harm.
/// </summary>
internal sealed class AccountDirectory(NpgsqlDataSource dataSource)
{
    // Enough for the busy accounts of a large platform, in a few tens of megabytes. A full cache is cleared.
    private const int Limit = 200_000;

    private readonly ConcurrentDictionary<(string Name, Currency Currency, short Bucket), int> _ids = new();

    public bool TryGet(AccountRef account, short bucket, out int id) => _ids.TryGetValue((account.Name, account.Currency, bucket), out id);

    /// <summary>Opens the missing accounts and returns the ids of all of them.</summary>
    public async Task<IReadOnlyDictionary<(AccountRef Account, short Bucket), int>> OpenAsync(
        IReadOnlyCollection<(AccountRef Account, short Bucket)> accounts, DateTimeOffset now, CancellationToken ct)
    {
        if (_ids.Count + accounts.Count > Limit)
            _ids.Clear();
        var asked = accounts.ToArray();
        var rules = Array.ConvertAll(asked, a => ChartOfAccounts.RulesOf(a.Account.Name));

        // A merchant's account is always in the merchant's own bucket. If a journal of another bucket names it, posting refuses the
        // journal.
        await using var command = dataSource.CreateCommand(LedgerSql.OpenAccounts);
        var p = command.Parameters;
        p.Add(new() { Value = asked.Select((a, i) => rules[i].Merchant?.Bucket ?? a.Bucket).ToArray(), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Smallint });
        p.Add(new() { Value = Array.ConvertAll(asked, a => a.Account.Name), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text });
        p.Add(new() { Value = Array.ConvertAll(asked, a => a.Account.Currency.Code), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text });
        p.Add(new() { Value = Array.ConvertAll(rules, r => r.Merchant?.Value), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Uuid });
        p.Add(new() { Value = Array.ConvertAll(rules, r => (short)(r.CreditNormal ? 1 : -1)), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Smallint });
        p.Add(new() { Value = Array.ConvertAll(rules, r => r.MinBalance), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Bigint });
        p.Add(new() { Value = now.UtcDateTime, NpgsqlDbType = NpgsqlDbType.TimestampTz });
        var ids = (int[])(await command.ExecuteScalarAsync(ct))!;
        var opened = new Dictionary<(AccountRef, short), int>(asked.Length);
        for (var i = 0; i < asked.Length; i++)
        {
            opened.Add(asked[i], ids[i]);
            _ids[(asked[i].Account.Name, asked[i].Account.Currency, asked[i].Bucket)] = ids[i];
        }

        return opened;
    }
}
