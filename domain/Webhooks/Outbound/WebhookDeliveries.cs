using System.Text.Json;
using Npgsql;
using Payments.Domain.Audit;
using Payments.Domain.Database;
using Payments.Domain.Messaging;

namespace Payments.Domain.Webhooks.Outbound;

public enum DeliveryStatus
{
    /// <summary>To be sent, or to be tried again.</summary>
    Pending,
    Delivered,

    /// <summary>All attempts of the schedule failed.</summary>
    Failed,

    /// <summary>The endpoint was disabled or deleted before the event was delivered.</summary>
    Canceled,
}

/// <summary>One event on its way to one endpoint.</summary>
public sealed record WebhookDelivery(
    DeliveryId Id, WebhookEndpointId Endpoint, EventId Event, string EventType, DeliveryStatus Status, int Attempts, DateTimeOffset? NextAttemptAt, DateTimeOffset CreatedAt, DateTimeOffset? FinishedAt);

/// <param name="Response">The first kilobyte of the response, or the reason why there was none.</param>
public sealed record DeliveryAttempt(Guid Id, AttemptOutcome Outcome, int? StatusCode, int LatencyMilliseconds, string? Response, DateTimeOffset CreatedAt);

/// <summary>The log of a merchant's deliveries. It can send them again.</summary>
public sealed class WebhookDeliveries(NpgsqlDataSource dataSource, WebhookSignal signal, TimeProvider time)
{
    private static readonly TimeSpan Keep = TimeSpan.FromDays(90);
    private static readonly string[] Undelivered =
        [DbText.Of(DeliveryStatus.Pending), DbText.Of(DeliveryStatus.Failed), DbText.Of(DeliveryStatus.Canceled)];
    private static readonly string[] Everything = [.. Undelivered, DbText.Of(DeliveryStatus.Delivered)];

    /// <summary>Newest first.</summary>
    public async Task<IReadOnlyList<WebhookDelivery>> ListAsync(
        MerchantId merchant, WebhookEndpointId endpoint, DeliveryId? after, DeliveryStatus? status, int limit, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(OutboundSql.ListDeliveries);
        command.Parameters.AddRange(new[]
        {
            SqlParameters.Uuid(merchant.Value), SqlParameters.Uuid(endpoint.Value), SqlParameters.Uuid(after?.Value),
            SqlParameters.Text(status is { } wanted ? DbText.Of(wanted) : null), SqlParameters.Int(limit),
        });
        var deliveries = new List<WebhookDelivery>();
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
        {
            deliveries.Add(new WebhookDelivery(
                new DeliveryId(reader.GetGuid(0)),
                new WebhookEndpointId(reader.GetGuid(1)),
                new EventId(reader.GetGuid(2)),
                reader.GetString(3),
                DbText.Parse<DeliveryStatus>(reader.GetString(4)),
                reader.GetInt32(5),
                reader.IsDBNull(6) ? null : reader.GetFieldValue<DateTimeOffset>(6),
                reader.GetFieldValue<DateTimeOffset>(7),
                reader.IsDBNull(8) ? null : reader.GetFieldValue<DateTimeOffset>(8)));
        }

        return deliveries;
    }

    /// <summary>Oldest first. Empty if the delivery does not exist.</summary>
    public async Task<IReadOnlyList<DeliveryAttempt>> ListAttemptsAsync(MerchantId merchant, DeliveryId delivery, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(OutboundSql.ListAttempts);
        command.Parameters.AddRange(new[] { SqlParameters.Uuid(merchant.Value), SqlParameters.Uuid(delivery.Value) });
        var attempts = new List<DeliveryAttempt>();
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
        {
            attempts.Add(new DeliveryAttempt(
                reader.GetGuid(0),
                DbText.Parse<AttemptOutcome>(reader.GetString(1)),
                reader.IsDBNull(2) ? null : reader.GetInt16(2),
                reader.GetInt32(3),
                reader.IsDBNull(4) ? null : reader.GetString(4),
                reader.GetFieldValue<DateTimeOffset>(5)));
        }

        return attempts;
    }

    /// <summary>
    /// Sends a delivery again at once, whatever its status, with a new schedule. False if it does not exist, or its endpoint is not
    /// enabled.
    /// </summary>
    public async Task<bool> ResendAsync(MerchantId merchant, DeliveryId delivery, Actor actor, CancellationToken ct) =>
        await ResendAsync(merchant, delivery, null, default, default, [], actor, ct) == 1;

    /// <summary>
    /// Sends an endpoint's deliveries of a time range again at once, and returns their number. <paramref name="until"/> is exclusive. It
    /// takes deliveries that did not arrive, also those that wait for their next attempt. With <paramref name="deliveredToo"/> it takes
    /// all.
    /// </summary>
    public Task<long> ResendAsync(
        MerchantId merchant, WebhookEndpointId endpoint, DateTimeOffset from, DateTimeOffset until, bool deliveredToo, Actor actor, CancellationToken ct) =>
        ResendAsync(merchant, null, endpoint, from, until, deliveredToo ? Everything : Undelivered, actor, ct);

    /// <summary>Sends a <c>webhook_endpoint.test</c> event to one endpoint. Null if the endpoint does not exist or is disabled.</summary>
    public async Task<EventId?> SendTestAsync(MerchantId merchant, WebhookEndpointId endpoint, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        var id = PrefixedId.New<EventId>(now);
        await using var command = dataSource.CreateCommand(OutboundSql.SendTest);
        command.Parameters.AddRange(new[]
        {
            SqlParameters.Uuid(merchant.Value),
            SqlParameters.Uuid(endpoint.Value),
            SqlParameters.Uuid(id.Value),
            SqlParameters.Uuid(Guid.CreateVersion7(now)),
            SqlParameters.Text(JsonSerializer.Serialize(new TestData("This is a test: no money moved."), OutboundJson.Default.TestData)),
            SqlParameters.Time(now),
        });
        if (await command.ExecuteNonQueryAsync(ct) == 0)
            return null;
        signal.Set();
        return id;
    }

    /// <summary>
    /// Drops the weeks of attempts older than 90 days. Deletes finished deliveries of that age and returns the number of deliveries. A
    /// timer runs it. Deliveries are small rows without payload. They must be unique for an event and an endpoint, so they cannot be
    /// partitioned by week.
    /// </summary>
    public async Task<long> PurgeAsync(CancellationToken ct)
    {
        await using (var command = dataSource.CreateCommand(OutboundSql.KeepWeeks))
        {
            command.Parameters.AddRange(new[] { SqlParameters.Time(time.GetUtcNow()), new() { Value = Keep } });
            await command.ExecuteNonQueryAsync(ct);
        }

        var total = 0L;
        while (true)
        {
            await using var command = dataSource.CreateCommand(OutboundSql.PurgeDeliveries);
            command.Parameters.Add(SqlParameters.Time(time.GetUtcNow() - Keep));
            var deleted = await command.ExecuteNonQueryAsync(ct);
            if (deleted == 0)
                return total;
            total += deleted;
        }
    }

    private async Task<long> ResendAsync(
        MerchantId merchant, DeliveryId? delivery, WebhookEndpointId? endpoint, DateTimeOffset from, DateTimeOffset until, string[] statuses, Actor actor, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await using var command = new NpgsqlCommand(OutboundSql.Resend, connection, transaction);
        command.Parameters.AddRange(new[]
        {
            SqlParameters.Uuid(merchant.Value), SqlParameters.Uuid(delivery?.Value), SqlParameters.Uuid(endpoint?.Value),
            SqlParameters.Time(from), SqlParameters.Time(until), SqlParameters.Texts(statuses), SqlParameters.Time(now),
        });
        var resent = (long)(await command.ExecuteScalarAsync(ct))!;
        var entry = delivery is { } one
            ? new AuditEntry(actor, "webhook_delivery.resent", "webhook_delivery", one.ToString(), merchant)
            : new AuditEntry(
                actor, "webhook_deliveries.resent", "webhook_endpoint", endpoint.ToString()!, merchant, AuditEntry.Details(("from", from), ("to", until), ("resent", resent)));
        if (delivery is null || resent > 0)
            await AuditLog.WriteAsync(connection, transaction, entry, now, ct);
        await transaction.CommitAsync(ct);
        signal.Set();
        return resent;
    }
}
