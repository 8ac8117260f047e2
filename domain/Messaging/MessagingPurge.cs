using Npgsql;

namespace Payments.Domain.Messaging;

/// <summary>Keeps the tables of messaging bounded; a timer runs it.</summary>
public sealed class MessagingPurge(NpgsqlDataSource dataSource, TimeProvider time)
{
    // Longer than any queue keeps a message and any operator takes to replay one.
    private static readonly TimeSpan Keep = TimeSpan.FromDays(30);

    /// <summary>Deletes what is older than 30 days; answers how many rows. Safe to interrupt and to run anywhere at any time.</summary>
    public async Task<long> RunAsync(CancellationToken ct)
    {
        var before = time.GetUtcNow() - Keep;
        return await DeleteAsync(MessagingSql.PurgeInbox, before, ct)
            + await DeleteAsync(MessagingSql.PurgeBodies, before, ct)
            + await DeleteAsync(MessagingSql.PurgeDeadLetters, before, ct);
    }

    private async Task<long> DeleteAsync(string sql, DateTimeOffset before, CancellationToken ct)
    {
        var total = 0L;
        while (true)
        {
            await using var command = dataSource.CreateCommand(sql);
            command.Parameters.Add(SqlParameters.Time(before));
            var deleted = await command.ExecuteNonQueryAsync(ct);
            if (deleted == 0)
                return total;
            total += deleted;
        }
    }
}
