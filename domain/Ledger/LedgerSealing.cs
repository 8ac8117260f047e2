using Dapper;
using Npgsql;

namespace Payments.Domain.Ledger;

/// <summary>A link of the hash chain: its number, the last journal it covers, and the hash over everything up to it.</summary>
public sealed record Seal(long Number, long ToJournal, DateTimeOffset SealedAt, string Hash);

/// <summary>Seals postings into the hash chain. A timer calls it. More calls, or calls from several instances, do no harm.</summary>
public sealed class LedgerSealing(NpgsqlDataSource dataSource)
{
    private const int JournalsPerSeal = 10_000;

    /// <summary>
    /// Seals what the previous call marked, if every transaction that was running then has ended. Then it marks what was posted since. So a
    /// posting is sealed by the second call after it at the earliest.
    /// </summary>
    /// <returns>How many links were added.</returns>
    public async Task<int> SealAsync(DateTimeOffset now, CancellationToken ct)
    {
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        return await connection.ExecuteScalarAsync<int>(
            new CommandDefinition(LedgerSql.Seal, new { now, journals = JournalsPerSeal }, commandTimeout: 600, cancellationToken: ct));
    }

    /// <summary>
    /// Links with a number above <paramref name="after"/>, in order. Give new links to an outside party, to be able to prove the ledger to
    /// it later.
    /// </summary>
    public async Task<IReadOnlyList<Seal>> ListAsync(long after, int limit, CancellationToken ct)
    {
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        return (await connection.QueryAsync<Seal>(new CommandDefinition(LedgerSql.Seals, new { after, limit }, cancellationToken: ct))).AsList();
    }
}
