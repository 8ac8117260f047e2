using System.Buffers.Binary;
using System.Data;
using Dapper;
using Npgsql;

namespace Payments.Domain.Ledger;

/// <summary>A violation of one of the ledger's own rules.</summary>
/// <param name="Check">The rule that is broken.</param>
/// <param name="Row">The first row that breaks it.</param>
/// <param name="Problem">What is wrong with it, in one sentence.</param>
public sealed record LedgerFinding(string Check, string Row, string Problem)
{
    public override string ToString() => $"{Check}: {Row}: {Problem}";
}

/// <param name="Findings">The first violation of each rule; empty when the ledger is whole.</param>
/// <param name="Head">The last seal, or null before the first.</param>
public sealed record LedgerVerdict(long Transfers, long Accounts, long Seals, Seal? Head, IReadOnlyList<LedgerFinding> Findings)
{
    public bool IsWhole => Findings.Count == 0;
}

/// <summary>
/// Replays the whole ledger: every version and balance of every account, every journal, the totals, and the hash chain. It reads one
/// snapshot, takes no locks, and takes time in proportion to the ledger.
/// </summary>
public sealed class LedgerVerification(NpgsqlDataSource dataSource)
{
    /// <param name="expected">
    /// A seal that was kept elsewhere. The chain must still contain it. This detects a chain that was computed anew from an altered ledger.
    /// </param>
    public async Task<LedgerVerdict> RunAsync(Seal? expected, CancellationToken ct)
    {
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, ct);
        var findings = new List<LedgerFinding>();
        foreach (var (check, sql) in LedgerVerificationSql.Checks)
        {
            var (row, problem) = await connection.QueryFirstOrDefaultAsync<(string?, string?)>(Command(transaction, sql, null, ct));
            if (row is not null && problem is not null)
                findings.Add(new LedgerFinding(check, row, problem));
        }

        if (await BrokenSealAsync(connection, transaction, ct) is { } broken)
            findings.Add(broken);
        var (transfers, accounts, seals) = await connection.QuerySingleAsync<(long, long, long)>(Command(transaction, LedgerVerificationSql.Counts, null, ct));
        var head = await connection.QueryFirstOrDefaultAsync<Seal>(Command(transaction, LedgerVerificationSql.Head, null, ct));
        if (expected is not null)
        {
            var hash = await connection.QueryFirstOrDefaultAsync<string>(Command(transaction, LedgerVerificationSql.HashOf, new { expected.Number }, ct));
            if (!string.Equals(hash, expected.Hash, StringComparison.OrdinalIgnoreCase))
                findings.Add(new LedgerFinding("seals", $"seal {expected.Number}", hash is null ? "is missing" : $"has the hash {hash}, not {expected.Hash}"));
        }

        return new LedgerVerdict(transfers, accounts, seals, head, findings);
    }

    private static async Task<LedgerFinding?> BrokenSealAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, CancellationToken ct)
    {
        var broken = await connection.QueryFirstOrDefaultAsync<(long Number, string Problem)>(Command(transaction, LedgerVerificationSql.BrokenSeal, null, ct));
        if (broken.Problem is null)
            return null;

        var stored = await connection.QuerySingleAsync<byte[]>(Command(transaction, LedgerVerificationSql.Digests, new { broken.Number }, ct));
        var rows = (await connection.QueryAsync<(long Journal, short Line, byte[] Digest)>(
            Command(transaction, LedgerVerificationSql.RowDigests, new { broken.Number }, ct))).AsList();
        var sealedRows = stored.Length / 8;
        for (var i = 0; i < Math.Max(sealedRows, rows.Count); i++)
        {
            var was = i < sealedRows ? Digest(stored, i) : (ulong?)null;
            var isNow = i < rows.Count ? Digest(rows[i].Digest, 0) : (ulong?)null;
            if (was == isNow)
                continue;
            var next = i < rows.Count ? $"transfer {rows[i].Journal}/{rows[i].Line}" : $"the end of seal {broken.Number}";
            if (isNow is null || (i + 1 < sealedRows && isNow == Digest(stored, i + 1)))
                return new LedgerFinding("seals", next, $"a transfer before it was removed after seal {broken.Number} was made");
            if (was is null || (i + 1 < rows.Count && was == Digest(rows[i + 1].Digest, 0)))
                return new LedgerFinding("seals", next, $"was inserted after seal {broken.Number} was made");
            return new LedgerFinding("seals", next, $"was altered after seal {broken.Number} was made");
        }

        return new LedgerFinding("seals", $"seal {broken.Number}", broken.Problem);
    }

    private static ulong Digest(byte[] digests, int index) => BinaryPrimitives.ReadUInt64BigEndian(digests.AsSpan(8 * index, 8));

    private static CommandDefinition Command(NpgsqlTransaction transaction, string sql, object? parameters, CancellationToken ct) =>
        new(sql, parameters, transaction, commandTimeout: 0, cancellationToken: ct);
}
