using Npgsql;

namespace Payments.Postgres.Tests.Payouts;

/// <summary>
/// What payouts kept of their own before the audit log, which went on with it, stays as it was written: to the app by its grants, to the owner by the trigger.
/// </summary>
public sealed class AuditTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    [Theory]
    [InlineData("UPDATE payments.payout_audit SET actor = 'nobody'")]
    [InlineData("DELETE FROM payments.payout_audit")]
    [InlineData("TRUNCATE payments.payout_audit")]
    [InlineData("ALTER TABLE payments.payout_audit DISABLE TRIGGER ALL")]
    [InlineData("DROP TRIGGER append_only ON payments.payout_audit")]
    public async Task DirectSql_AsTheApp_IsRefused(string sql)
    {
        var refused = await Assert.ThrowsAsync<PostgresException>(() => ExecuteAsync(database.App, sql));
        Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, refused.SqlState);
    }

    [Theory]
    [InlineData("UPDATE payments.payout_audit SET actor = 'nobody'")]
    [InlineData("DELETE FROM payments.payout_audit")]
    [InlineData("TRUNCATE payments.payout_audit")]
    public async Task DirectSql_AsTheOwner_IsRefusedWithItsOwnCode(string sql)
    {
        var refused = await Assert.ThrowsAsync<PostgresException>(() => ExecuteAsync(database.Owner, sql));
        Assert.Equal("PA001", refused.SqlState);
    }

    private static async Task ExecuteAsync(NpgsqlDataSource dataSource, string sql)
    {
#pragma warning disable CA2100 // The tests' own statements.
        await using var command = dataSource.CreateCommand(sql);
#pragma warning restore CA2100
        await command.ExecuteNonQueryAsync();
    }
}
