using System.Text.Json;
using Microsoft.Extensions.Logging;
using Npgsql;
using Payments.Domain.Database;
using Payments.Domain.Messaging;

namespace Payments.Domain.Webhooks.Outbound;

/// <summary>
/// Disables an endpoint that refuses events or keeps failing. An event tells the merchant, and its other endpoints receive it.
/// </summary>
public sealed class DisableEndpoint(NpgsqlDataSource dataSource, OutboxSignal outbox, TimeProvider time, ILogger<DisableEndpoint> logger)
{
    public async Task DisableAsync(MerchantId merchant, WebhookEndpointId endpoint, EndpointDisabledReason reason, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await using (var command = new NpgsqlCommand(OutboundSql.Disable, connection, transaction)
        {
            Parameters = { SqlParameters.Uuid(merchant.Value), SqlParameters.Uuid(endpoint.Value), SqlParameters.Text(DbText.Of(reason)), SqlParameters.Time(now) },
        })
        {
            if (await command.ExecuteNonQueryAsync(ct) == 0)
                return;
        }

        await CancelAsync(connection, transaction, endpoint.Value, now, ct);
        var data = JsonSerializer.Serialize(new DisabledEndpoint(endpoint.ToString(), "webhook_endpoint", "disabled", DbText.Of(reason)), OutboundJson.Default.DisabledEndpoint);
        await EventLog.AppendAsync(
            connection,
            transaction,
            [new DomainEvent(PrefixedId.New<EventId>(now), merchant, "webhook_endpoint.disabled", "webhook_endpoint", endpoint.Value, data, now)],
            ct);
        await transaction.CommitAsync(ct);
        outbox.Set();
        OutboundLog.Disabled(logger, endpoint, merchant, reason);
    }

    internal async Task CancelAsync(Guid endpoint, CancellationToken ct)
    {
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        await CancelAsync(connection, null, endpoint, time.GetUtcNow(), ct);
    }

    internal static async Task CancelAsync(NpgsqlConnection connection, NpgsqlTransaction? transaction, Guid endpoint, DateTimeOffset now, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(OutboundSql.CancelPending, connection, transaction)
        {
            Parameters = { SqlParameters.Uuid(endpoint), SqlParameters.Time(now) },
        };
        await command.ExecuteNonQueryAsync(ct);
    }
}
