using Npgsql;
using NpgsqlTypes;

namespace Payments.Domain.Messaging;

/// <summary>Writes events in the transaction of the change they tell of.</summary>
public static class EventLog
{
    /// <summary>
    /// The statement that appends all of <paramref name="events"/> and leaves a message for each that a webhook endpoint of its
    /// merchant could want; add it to the batch that ends a unit of work. The transaction must hold the locks of the objects that the
    /// events are of: it numbers an object's events. Signal the <see cref="OutboxSignal"/> after the commit.
    /// </summary>
    public static NpgsqlBatchCommand Append(IReadOnlyList<DomainEvent> events) => Command(MessagingSql.AppendEvents, events);

    /// <summary>
    /// Likewise, of objects that the transaction itself made, one event for each: it is the object's first, so none has to be looked for.
    /// A second one of the same object is refused by the database.
    /// </summary>
    public static NpgsqlBatchCommand AppendFirst(IReadOnlyList<DomainEvent> events) => Command(MessagingSql.AppendFirstEvents, events);

    private static NpgsqlBatchCommand Command(string sql, IReadOnlyList<DomainEvent> events) => new(sql)
    {
        Parameters =
        {
            SqlParameters.Column(events.Select(e => e.Merchant.Value), NpgsqlDbType.Uuid),
            SqlParameters.Column(events.Select(e => e.Id.Value), NpgsqlDbType.Uuid),
            SqlParameters.Texts(events.Select(e => e.Type)),
            SqlParameters.Texts(events.Select(e => e.ObjectType)),
            SqlParameters.Column(events.Select(e => e.ObjectId), NpgsqlDbType.Uuid),
            SqlParameters.Texts(events.Select(e => e.Data)),
            SqlParameters.Times(events, e => e.CreatedAt),
            SqlParameters.Column(events.Select(e => e.TraceParent), NpgsqlDbType.Text),
        },
    };

    /// <inheritdoc cref="Append"/>
    public static async Task AppendAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyList<DomainEvent> events, CancellationToken ct)
    {
        if (events.Count == 0)
            return;
        await using var batch = new NpgsqlBatch(connection, transaction) { BatchCommands = { Append(events) } };
        await batch.ExecuteNonQueryAsync(ct);
    }
}
