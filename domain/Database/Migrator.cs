using Dapper;
using Npgsql;

namespace Payments.Domain.Database;

/// <summary>A migration and when it was applied to the database. <paramref name="AppliedAt"/> is null while it is pending.</summary>
public sealed record MigrationState(Migration Migration, DateTimeOffset? AppliedAt);

/// <summary>The database's history differs from this build (an applied migration was changed or is missing), or a script failed.</summary>
public sealed class MigrationException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>
/// Brings a database to this build's schema while other sessions write to it. Each pending migration runs once, in number order, in its own
/// transaction. Several instances may start at the same time: an advisory lock lets one of them work. Running it again does nothing.
/// </summary>
/// <remarks>
/// A migration waits at most two seconds for a lock, because later statements wait behind it. Then it is rolled back and tried again, up to
/// <see cref="Tries"/> times.
/// </remarks>
/// <param name="owner">Connects as a member of <c>payments_owner</c>, which owns every object.</param>
public sealed class Migrator(NpgsqlDataSource owner, TimeProvider time)
{
    /// <summary>How often a migration that does not get its locks is tried.</summary>
    public const int Tries = 20;

    private const string Reset = "If this is a local database whose data may be lost, './run reset' makes a new one.";

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    // Any constant works, as long as every build uses the same one.
    private const long AdvisoryLock = 0x7061_796D_656E_7473;

    /// <summary>Applies the pending migrations and returns them.</summary>
    /// <exception cref="MigrationException">
    /// The history differs from this build's files, or a script failed. The message names the migration.
    /// </exception>
    public async Task<IReadOnlyList<Migration>> ApplyAsync(CancellationToken ct = default)
    {
        await using var connection = await ConnectAsync(ct);
        await connection.ExecuteAsync(new CommandDefinition(MigratorSql.Lock, new { key = AdvisoryLock }, cancellationToken: ct));
        await connection.ExecuteAsync(new CommandDefinition(MigratorSql.CreateHistory, cancellationToken: ct));
        var pending = Compare(Migration.Embedded, await HistoryAsync(connection, ct))
            .Where(state => state.AppliedAt is null)
            .Select(state => state.Migration)
            .ToArray();
        foreach (var migration in pending)
        {
            await TryAsync(connection, migration, ct);
        }

        return pending;
    }

    /// <summary>Every migration of this build and when it was applied.</summary>
    /// <exception cref="MigrationException">The history differs from this build's files.</exception>
    public async Task<IReadOnlyList<MigrationState>> StatusAsync(CancellationToken ct = default)
    {
        await using var connection = await ConnectAsync(ct);
        return Compare(Migration.Embedded, await HistoryAsync(connection, ct));
    }

    internal static IReadOnlyList<MigrationState> Compare(IReadOnlyList<Migration> embedded, IReadOnlyList<AppliedMigration> history)
    {
        var byNumber = embedded.ToDictionary(migration => migration.Number);
        foreach (var applied in history)
        {
            if (!byNumber.TryGetValue(applied.Number, out var migration))
            {
                throw new MigrationException(
                    $"Migration {applied.Number:0000}_{applied.Name} was applied to this database but is missing from this build. Deploy a build that has it. {Reset}");
            }

            if (migration.Checksum != applied.Checksum)
            {
                throw new MigrationException($"Migration {migration} was changed after it was applied: add a new migration instead. {Reset}");
            }
        }

        var appliedAt = history.ToDictionary(applied => applied.Number, applied => applied.AppliedAt);
        return [.. embedded.Select(migration => new MigrationState(
            migration,
            appliedAt.TryGetValue(migration.Number, out var at) ? new DateTimeOffset(at, TimeSpan.Zero) : null))];
    }

    /// <summary>Applies the pending migrations up to a number, for tests of one migration at a time.</summary>
    internal async Task ApplyAsync(int number, CancellationToken ct)
    {
        await using var connection = await ConnectAsync(ct);
        await connection.ExecuteAsync(new CommandDefinition(MigratorSql.CreateHistory, cancellationToken: ct));
        foreach (var state in Compare(Migration.Embedded, await HistoryAsync(connection, ct)).Where(state => state.AppliedAt is null && state.Migration.Number <= number))
            await TryAsync(connection, state.Migration, ct);
    }

    /// <summary>Applies a migration that no build has, for tests.</summary>
    internal async Task ApplyAsync(Migration migration, CancellationToken ct)
    {
        await using var connection = await ConnectAsync(ct);
        await TryAsync(connection, migration, ct);
    }

    private async Task TryAsync(NpgsqlConnection connection, Migration migration, CancellationToken ct)
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                await ApplyAsync(connection, migration, ct);
                return;
            }
            catch (MigrationException e) when (tries < Tries && e.InnerException is PostgresException { SqlState: PostgresErrorCodes.LockNotAvailable or PostgresErrorCodes.DeadlockDetected })
            {
                await Task.Delay(Pause, time, ct);
            }
        }
    }

    private async Task ApplyAsync(NpgsqlConnection connection, Migration migration, CancellationToken ct)
    {
        if (migration.OutsideTransaction)
        {
            await ApplyOutsideAsync(connection, migration, ct);
            return;
        }

        await using var transaction = await connection.BeginTransactionAsync(ct);
        try
        {
            await connection.ExecuteAsync(new CommandDefinition(migration.Sql, transaction: transaction, commandTimeout: 0, cancellationToken: ct));
        }
        catch (PostgresException e)
        {
            throw new MigrationException($"Migration {migration} failed: {e.SqlState} {e.MessageText}", e);
        }

        await connection.ExecuteAsync(new CommandDefinition(
            MigratorSql.Record,
            new { number = migration.Number, name = migration.Name, checksum = migration.Checksum, now = time.GetUtcNow().UtcDateTime },
            transaction,
            cancellationToken: ct));
        await transaction.CommitAsync(ct);
    }

    // If the process ends between the statement and its record, the migration runs again. Its own IF NOT EXISTS makes that harmless.
    private async Task ApplyOutsideAsync(NpgsqlConnection connection, Migration migration, CancellationToken ct)
    {
        try
        {
            await connection.ExecuteAsync(new CommandDefinition(MigratorSql.Unbounded, cancellationToken: ct));
            await connection.ExecuteAsync(new CommandDefinition(migration.Sql, commandTimeout: 0, cancellationToken: ct));
            await connection.ExecuteAsync(new CommandDefinition(MigratorSql.Session, cancellationToken: ct));
        }
        catch (PostgresException e)
        {
            throw new MigrationException($"Migration {migration} failed: {e.SqlState} {e.MessageText}", e);
        }

        await connection.ExecuteAsync(new CommandDefinition(
            MigratorSql.Record,
            new { number = migration.Number, name = migration.Name, checksum = migration.Checksum, now = time.GetUtcNow().UtcDateTime },
            cancellationToken: ct));
    }

    private async Task<NpgsqlConnection> ConnectAsync(CancellationToken ct)
    {
        var connection = await owner.OpenConnectionAsync(ct);
        try
        {
            await connection.ExecuteAsync(new CommandDefinition(MigratorSql.Session, cancellationToken: ct));
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    private static async Task<IReadOnlyList<AppliedMigration>> HistoryAsync(NpgsqlConnection connection, CancellationToken ct)
    {
        if (!await connection.ExecuteScalarAsync<bool>(new CommandDefinition(MigratorSql.HistoryExists, cancellationToken: ct)))
            return [];
        return (await connection.QueryAsync<AppliedMigration>(new CommandDefinition(MigratorSql.History, cancellationToken: ct))).AsList();
    }

    internal sealed record AppliedMigration(int Number, string Name, string Checksum, DateTime AppliedAt);
}
