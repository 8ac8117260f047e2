using Npgsql;

namespace Payments.Domain.Messaging;

/// <summary>Limits the size of the messaging tables. A timer runs it.</summary>
public sealed class MessagingPurge(NpgsqlDataSource dataSource, TimeProvider time)
{
    // Longer than a queue keeps a message, and longer than an operator takes to replay one.
    private static readonly TimeSpan Keep = TimeSpan.FromDays(30);

    /// <summary>
    /// Deletes rows older than 30 days and returns their number. Any number of instances may run it at any time, and an interruption is
    /// harmless.
    /// </summary>
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
