using Dapper;
using Payments.Domain.Messaging;

namespace Payments.Postgres.Tests.Messaging;

/// <summary>
/// An effect in the database, with the inbox, that may crash before its commit or right after it, outlive its lock, or never work: a table with
/// one row for each time the effect happened.
/// </summary>
internal sealed class FaultyEffect(string queue, string table, TestDatabase database, TimeProvider time, int seed) : IMessageHandler
{
    private readonly Random _random = new(seed);
    private int _slow;

    public string Queue => queue;

    public string Type => "effect";

    public short Version => 1;

    /// <summary>How long the handler takes now and then: longer than its message is locked.</summary>
    public TimeSpan OutlivesItsLock { get; init; }

    public int Slow => _slow;

    /// <summary>The body of a message that no try will ever handle.</summary>
    public const string Poison = """{"poison":true}""";

    public static async Task CreateTableAsync(TestDatabase database, string table)
    {
        await using var owner = await database.Owner.OpenConnectionAsync();
        await owner.ExecuteAsync($"DROP TABLE IF EXISTS payments.{table}; CREATE TABLE payments.{table} (message_id uuid); GRANT ALL ON payments.{table} TO payments_app");
    }

    public async Task HandleAsync(Message message, CancellationToken ct)
    {
        if (message.Body.TryGetProperty("poison", out _))
            throw new InvalidOperationException("It cannot be handled.");
        var draw = Draw();
        await using var connection = await database.App.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        if (await Inbox.TryRecordAsync(connection, transaction, table, message.Id, time.GetUtcNow(), ct))
            await connection.ExecuteAsync($"INSERT INTO payments.{table} VALUES (@id)", new { id = message.Id }, transaction);
        if (draw == 0)
            throw new InvalidOperationException("crash before the commit");
        await transaction.CommitAsync(ct);
        if (draw == 1)
            throw new InvalidOperationException("crash after the commit");
        if (draw == 2 && Interlocked.Increment(ref _slow) <= 10)
            await Task.Delay(OutlivesItsLock, ct);
    }

    private int Draw()
    {
        lock (_random)
            return _random.Next(40);
    }
}
