using Npgsql;
using NpgsqlTypes;

namespace Payments.Domain.Messaging;

/// <summary>Writes events in the transaction of the change that they report.</summary>
public static class EventLog
{
    /// <summary>
    /// The statement that appends all <paramref name="events"/>, with a message for each event that a webhook endpoint of its merchant may
    /// want. Add it to the batch that ends a unit of work, and signal the <see cref="OutboxSignal"/> after the commit. The transaction must
    /// hold the locks of the events' objects, because the statement numbers the events of an object.
    /// </summary>
    public static NpgsqlBatchCommand Append(IReadOnlyList<DomainEvent> events) => Command(MessagingSql.AppendEvents, events);

    /// <summary>
    /// Like <see cref="Append"/>, for objects that this transaction created, with one event for each. Each event is the first of its
    /// object, so no sequence is read. The database refuses a second first event of the same object.
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
