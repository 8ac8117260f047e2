using Dapper;
using Npgsql;

namespace Payments.Domain.Ledger;

/// <summary>A link of the hash chain: its number, the last journal it covers, and the hash that stands for everything up to it.</summary>
public sealed record Seal(long Number, long ToJournal, DateTimeOffset SealedAt, string Hash);

/// <summary>Seals what was posted into the hash chain. A timer calls it; calling it more often, or from several places, is harmless.</summary>
public sealed class LedgerSealing(NpgsqlDataSource dataSource)
{
    private const int JournalsPerSeal = 10_000;

    /// <summary>
    /// Seals what the previous call marked, if every transaction that was running then has ended, and marks what has come since.
    /// What is posted is therefore sealed by the second call after it.
    /// </summary>
    /// <returns>How many links were added.</returns>
    public async Task<int> SealAsync(DateTimeOffset now, CancellationToken ct)
    {
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        return await connection.ExecuteScalarAsync<int>(
            new CommandDefinition(LedgerSql.Seal, new { now, journals = JournalsPerSeal }, commandTimeout: 600, cancellationToken: ct));
    }

    /// <summary>Links with a number above <paramref name="after"/>, in order. To be able to prove the ledger to others, give them these as they come.</summary>
    public async Task<IReadOnlyList<Seal>> ListAsync(long after, int limit, CancellationToken ct)
    {
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        return (await connection.QueryAsync<Seal>(new CommandDefinition(LedgerSql.Seals, new { after, limit }, cancellationToken: ct))).AsList();
    }
}
