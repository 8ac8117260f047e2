using Dapper;
using Payments.Domain;
using Payments.Domain.Messaging;

namespace Payments.Postgres.Tests.Messaging;

public sealed class EventLogTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    private static readonly DateTimeOffset Now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public async Task Append_SeveralEventsOfObjects_NumbersEachObjectFromOne()
    {
        var merchant = PrefixedId.New<MerchantId>(Now);
        var (first, second) = (Guid.CreateVersion7(Now), Guid.CreateVersion7(Now));
        await AppendAsync(Event(merchant, first, "charge.authorized"), Event(merchant, second, "charge.captured"), Event(merchant, first, "charge.captured"));
        await AppendAsync(Event(merchant, first, "charge.refunded"));

        Assert.Equal(["charge.authorized 1", "charge.captured 2", "charge.refunded 3"], await SequencesAsync(merchant, first));
        Assert.Equal(["charge.captured 1"], await SequencesAsync(merchant, second));
    }

    [Theory]
    [InlineData("charge.captured", "enabled", true)]
    [InlineData("charge.*", "enabled", true)]
    [InlineData("*", "enabled", true)]
    [InlineData("charge.*", "disabled", false)]
    [InlineData("refund.*", "enabled", false)]
    [InlineData("charge.declined", "enabled", false)]
    public async Task Append_EndpointOfTheMerchant_LeavesAMessageOnlyIfItCouldWantTheEvent(string filter, string status, bool expected)
    {
        var merchant = PrefixedId.New<MerchantId>(Now);
        await using var connection = await database.App.OpenConnectionAsync();
        await connection.ExecuteAsync(
            """
            INSERT INTO payments.webhook_endpoints (bucket, merchant_id, id, url, event_types, api_version, status, disabled_reason,
                secret, created_at, updated_at)
            VALUES (payments.bucket_of(@merchant), @merchant, @id, 'https://example.com', ARRAY[@filter], '1', @status,
                CASE @status WHEN 'disabled' THEN 'merchant' END, '\x00', @now, @now)
            """,
            new { merchant, id = Guid.CreateVersion7(Now), filter, status, now = Now });
        var happened = Event(merchant, Guid.CreateVersion7(Now), "charge.captured");
        await AppendAsync(happened, Event(PrefixedId.New<MerchantId>(Now), Guid.CreateVersion7(Now), "charge.captured"));

        var messages = await connection.QueryAsync<Guid>(
            "SELECT id FROM payments.outbox WHERE queue = 'webhook-deliveries' AND body->>'merchant_id' = @merchant::text", new { merchant });
        Assert.Equal(expected ? [happened.Id.Value] : [], messages);
    }

    [Fact]
    public async Task Append_TransactionRolledBack_LeavesNothing()
    {
        var merchant = PrefixedId.New<MerchantId>(Now);
        var id = Guid.CreateVersion7(Now);
        await using (var connection = await database.App.OpenConnectionAsync())
        {
            await using var transaction = await connection.BeginTransactionAsync();
            await EventLog.AppendAsync(connection, transaction, [Event(merchant, id, "charge.captured")], default);
        }

        Assert.Empty(await SequencesAsync(merchant, id));
    }

    private static DomainEvent Event(MerchantId merchant, Guid id, string type) =>
        new(PrefixedId.New<EventId>(Now), merchant, type, "charge", id, """{"amount":100}""", Now);

    private async Task AppendAsync(params DomainEvent[] events)
    {
        await using var connection = await database.App.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await EventLog.AppendAsync(connection, transaction, events, default);
        await transaction.CommitAsync();
    }

    private async Task<IEnumerable<string>> SequencesAsync(MerchantId merchant, Guid objectId)
    {
        await using var connection = await database.App.OpenConnectionAsync();
        return await connection.QueryAsync<string>(
            "SELECT type || ' ' || sequence FROM payments.events WHERE merchant_id = @merchant AND object_id = @objectId ORDER BY sequence", new { merchant, objectId });
    }
}
