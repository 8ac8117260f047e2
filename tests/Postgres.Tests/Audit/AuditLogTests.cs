using System.Diagnostics;
using Npgsql;
using Payments.Domain;
using Payments.Domain.Audit;

namespace Payments.Postgres.Tests.Audit;

public sealed class AuditLogTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    private static readonly DateTimeOffset Now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData("UPDATE payments.audit_log SET actor = 'nobody'")]
    [InlineData("DELETE FROM payments.audit_log")]
    [InlineData("TRUNCATE payments.audit_log")]
    public async Task Change_ByAnyone_IsRefused(string sql)
    {
        await WriteAsync(new AuditEntry(Actor.Platform("ada"), "test.done", "test", "t1"));

        Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, await SqlStateAsync(database.App, sql));
        Assert.Equal("AU001", await SqlStateAsync(database.Owner, sql));
    }

    [Fact]
    public async Task Write_RolledBack_IsNotThere()
    {
        var id = Guid.CreateVersion7(TimeProvider.System.GetUtcNow()).ToString("N");
        await using (var connection = await database.App.OpenConnectionAsync(TestContext.Current.CancellationToken))
        await using (var transaction = await connection.BeginTransactionAsync(TestContext.Current.CancellationToken))
            await AuditLog.WriteAsync(connection, transaction, new AuditEntry(Actor.Platform("ada"), "test.done", "test", id), Now, TestContext.Current.CancellationToken);

        Assert.Empty(await new AuditLog(database.App).ListAsync(new AuditFilter(ObjectId: id), null, 10, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task List_ByEachFilter_FindsWhatWasWritten()
    {
        var merchant = PrefixedId.New<MerchantId>(Now);
        var id = Guid.CreateVersion7(TimeProvider.System.GetUtcNow()).ToString("N");
        using var activity = new Activity("test").SetIdFormat(ActivityIdFormat.W3C).Start();
        var entry = new AuditEntry(new Actor("platform/grace", "req_1"), "test.changed", "test", id, merchant, AuditEntry.Details(("count", 3), ("none", null), ("at", Now), ("names", new[] { "a", "b" })));
        await WriteAsync(entry);
        activity.Stop();

        AuditFilter[] matching = [new(merchant), new(ObjectId: id), new(ObjectId: id, Action: "test.changed"), new(ObjectId: id, Actor: "platform/grace"), new(merchant, From: Now, Until: Now.AddSeconds(1))];
        AuditFilter[] others = [new(PrefixedId.New<MerchantId>(Now)), new(merchant, Action: "test.done"), new(merchant, Actor: "platform/ada"), new(merchant, From: Now.AddSeconds(1)), new(merchant, Until: Now)];

        foreach (var filter in matching)
        {
            var found = Assert.Single(await new AuditLog(database.App).ListAsync(filter, null, 10, TestContext.Current.CancellationToken));
            Assert.Equal(entry with { Detail = found.Entry.Detail }, found.Entry);
            Assert.Equal((activity.TraceId.ToHexString(), Now), (found.TraceId, found.CreatedAt));
            Assert.Equal("""{"at": "2026-03-01T12:00:00Z", "count": 3, "names": ["a", "b"]}""", found.Entry.Detail);
        }

        foreach (var filter in others)
            Assert.Empty(await new AuditLog(database.App).ListAsync(filter, null, 10, TestContext.Current.CancellationToken));
    }

    private async Task WriteAsync(AuditEntry entry)
    {
        await using var connection = await database.App.OpenConnectionAsync(TestContext.Current.CancellationToken);
        await AuditLog.WriteAsync(connection, null, entry, Now, TestContext.Current.CancellationToken);
    }

    private static async Task<string?> SqlStateAsync(NpgsqlDataSource dataSource, string sql)
    {
        await using var command = dataSource.CreateCommand(sql);
        return (await Record.ExceptionAsync(() => command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken)) as PostgresException)?.SqlState;
    }
}
