using System.Text;
using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Audit;
using Payments.Domain.Database;
using Payments.Domain.Messaging;
using Payments.Domain.Secrets;

namespace Payments.Domain.Webhooks.Outbound;

/// <summary>An endpoint that was created or changed, or the reason why not.</summary>
/// <param name="Secret">
/// The signing secret if this call created one. It cannot be read again. Null if deliveries are signed with Ed25519, because that key never
/// leaves the platform.
/// </param>
public sealed record EndpointResult(EndpointRefusal? Refusal, WebhookEndpoint? Endpoint = null, string? Secret = null);

/// <summary>A merchant's endpoints.</summary>
public sealed class WebhookEndpoints(NpgsqlDataSource dataSource, SecretBox secrets, WebhookOptions options, WebhookSignal signal, TimeProvider time)
{
    /// <summary>How long deliveries are signed with the previous secret as well as the new one.</summary>
    public static readonly TimeSpan RotationOverlap = TimeSpan.FromHours(24);

    /// <summary>Creates an endpoint in the caller's transaction.</summary>
    /// <param name="eventTypes">When an endpoint is created, null takes all types.</param>
    /// <param name="live">
    /// Whether the events report real money. Then the address must be https, whatever a development setting allows.
    /// </param>
    public async Task<EndpointResult> CreateAsync(
        NpgsqlConnection connection,
        NpgsqlTransaction transaction,
        MerchantId merchant,
        string url,
        string? description,
        IReadOnlyList<string>? eventTypes,
        EndpointSignature signature,
        bool live,
        Actor actor,
        CancellationToken ct)
    {
        eventTypes ??= ["*"];
        if ((EndpointRules.CheckUrl(url, options.AllowLoopback && !live) ?? EndpointRules.CheckEventTypes(eventTypes) ?? EndpointRules.CheckDescription(description)) is { } refusal)
            return new EndpointResult(refusal);
        var now = time.GetUtcNow();
        var id = PrefixedId.New<WebhookEndpointId>(now);
        var (secret, publicKey) = NewSecret(signature);
        await using var command = new NpgsqlCommand(OutboundSql.CreateEndpoint, connection, transaction);
        command.Parameters.AddRange(new[]
        {
            SqlParameters.Uuid(merchant.Value), SqlParameters.Uuid(id.Value), SqlParameters.Text(url), SqlParameters.Text(description), SqlParameters.Texts(eventTypes.Distinct()),
            SqlParameters.Text(StoredEvent.ApiVersion), SqlParameters.Bytes(Seal(secret, id)), SqlParameters.Time(now), SqlParameters.Int(EndpointRules.MaxEndpoints),
            SqlParameters.Text(publicKey),
        });
        if (await command.ExecuteNonQueryAsync(ct) == 0)
            return new EndpointResult(EndpointRefusal.TooMany);
        var endpoint = new WebhookEndpoint(
            id, merchant, url, description, [.. eventTypes.Distinct()], StoredEvent.ApiVersion, EndpointStatus.Enabled, null, publicKey, null, now, now);
        await AuditLog.WriteAsync(connection, transaction, Entry(actor, "created", merchant, id, ("url", url), ("event_types", endpoint.EventTypes)), now, ct);
        return new EndpointResult(null, endpoint, publicKey is null ? secret : null);
    }

    public async Task<WebhookEndpoint?> FindAsync(MerchantId merchant, WebhookEndpointId id, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(OutboundSql.FindEndpoint);
        command.Parameters.AddRange(new[] { SqlParameters.Uuid(merchant.Value), SqlParameters.Uuid(id.Value) });
        return await ReadOneAsync(command, ct);
    }

    /// <summary>Newest first.</summary>
    public async Task<IReadOnlyList<WebhookEndpoint>> ListAsync(MerchantId merchant, WebhookEndpointId? after, int limit, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(OutboundSql.ListEndpoints);
        command.Parameters.AddRange(new[] { SqlParameters.Uuid(merchant.Value), SqlParameters.Uuid(after?.Value), SqlParameters.Int(limit) });
        var endpoints = new List<WebhookEndpoint>();
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
            endpoints.Add(Read(reader));
        return endpoints;
    }

    /// <summary>
    /// Changes the given values and leaves the others. An empty description removes it. Disabling cancels the pending deliveries.
    /// </summary>
    /// <inheritdoc cref="CreateAsync" path="/param"/>
    public async Task<EndpointResult> UpdateAsync(
        MerchantId merchant,
        WebhookEndpointId id,
        string? url,
        string? description,
        IReadOnlyList<string>? eventTypes,
        EndpointStatus? status,
        bool live,
        Actor actor,
        CancellationToken ct)
    {
        var refusal = (url is null ? null : EndpointRules.CheckUrl(url, options.AllowLoopback && !live))
            ?? (eventTypes is null ? null : EndpointRules.CheckEventTypes(eventTypes))
            ?? EndpointRules.CheckDescription(description);
        if (refusal is not null)
            return new EndpointResult(refusal);
        var now = time.GetUtcNow();
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await using var command = new NpgsqlCommand(OutboundSql.UpdateEndpoint, connection, transaction)
        {
            Parameters =
            {
                SqlParameters.Uuid(merchant.Value), SqlParameters.Uuid(id.Value), SqlParameters.Text(url), SqlParameters.Text(description),
                new() { Value = eventTypes is null ? DBNull.Value : eventTypes.Distinct().ToArray(), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text },
                SqlParameters.Text(status is { } wanted ? DbText.Of(wanted) : null), SqlParameters.Time(now),
            },
        };
        if (await ReadOneAsync(command, ct) is not { } endpoint)
            return new EndpointResult(EndpointRefusal.NotFound);
        if (status == EndpointStatus.Disabled)
        {
            await DisableEndpoint.CancelAsync(connection, transaction, id.Value, now, ct);
        }
        else if (status == EndpointStatus.Enabled || url is not null)
        {
            await using var reset = new NpgsqlCommand(OutboundSql.ResetLane, connection, transaction) { Parameters = { SqlParameters.Uuid(id.Value), SqlParameters.Time(now) } };
            await reset.ExecuteNonQueryAsync(ct);
        }

        var entry = Entry(
            actor, "updated", merchant, id, ("url", url), ("description", description), ("event_types", eventTypes), ("status", status is { } given ? DbText.Of(given) : null));
        await AuditLog.WriteAsync(connection, transaction, entry, now, ct);
        await transaction.CommitAsync(ct);
        signal.Set();
        return new EndpointResult(null, endpoint);
    }

    /// <summary>False if the endpoint does not exist. Past deliveries stay listed, and pending ones are canceled.</summary>
    public async Task<bool> DeleteAsync(MerchantId merchant, WebhookEndpointId id, Actor actor, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await using var delete = new NpgsqlCommand(OutboundSql.DeleteEndpoint, connection, transaction)
        {
            Parameters = { SqlParameters.Uuid(merchant.Value), SqlParameters.Uuid(id.Value) },
        };
        if (await delete.ExecuteNonQueryAsync(ct) == 0)
            return false;

        // The lane is deleted before the cancellation. A concurrent fan-out to the endpoint holds the lane's lock, so after the wait for it
        // the cancellation sees its deliveries. A later fan-out creates a new lane. The dispatcher finds no endpoint for that lane and
        // cancels its deliveries.
        await using var lane = new NpgsqlCommand(OutboundSql.DeleteLane, connection, transaction) { Parameters = { SqlParameters.Uuid(id.Value) } };
        await lane.ExecuteNonQueryAsync(ct);
        await DisableEndpoint.CancelAsync(connection, transaction, id.Value, now, ct);
        await AuditLog.WriteAsync(connection, transaction, Entry(actor, "deleted", merchant, id), now, ct);
        await transaction.CommitAsync(ct);
        return true;
    }

    /// <summary>
    /// Creates a new secret, or a new key pair. For 24 hours deliveries carry the signatures of both the new and the previous one.
    /// The merchant can change over at any time in between, also from one way of signing to the other.
    /// </summary>
    /// <param name="signature">Null keeps the way of signing.</param>
    public async Task<EndpointResult> RotateSecretAsync(
        NpgsqlConnection connection,
        NpgsqlTransaction transaction,
        MerchantId merchant,
        WebhookEndpointId id,
        EndpointSignature? signature,
        Actor actor,
        CancellationToken ct)
    {
        var now = time.GetUtcNow();
        if (signature is null)
        {
            await using var find = new NpgsqlCommand(OutboundSql.FindEndpoint, connection, transaction);
            find.Parameters.AddRange(new[] { SqlParameters.Uuid(merchant.Value), SqlParameters.Uuid(id.Value) });
            signature = (await ReadOneAsync(find, ct))?.Signature ?? EndpointSignature.Hmac;
        }

        var (secret, publicKey) = NewSecret(signature.Value);
        await using var command = new NpgsqlCommand(OutboundSql.RotateSecret, connection, transaction);
        command.Parameters.AddRange(new[]
        {
            SqlParameters.Uuid(merchant.Value), SqlParameters.Uuid(id.Value), SqlParameters.Bytes(Seal(secret, id)), SqlParameters.Time(now + RotationOverlap), SqlParameters.Time(now),
            SqlParameters.Text(publicKey),
        });
        if (await ReadOneAsync(command, ct) is not { } endpoint)
            return new EndpointResult(EndpointRefusal.NotFound);
        await AuditLog.WriteAsync(connection, transaction, Entry(actor, "secret_rotated", merchant, id), now, ct);
        return new EndpointResult(null, endpoint, publicKey is null ? secret : null);
    }

    /// <summary>
    /// Encrypts secrets anew that were sealed with a former key of the key ring, and returns the number of endpoints. After that the former
    /// key can be removed.
    /// </summary>
    public async Task<int> ResealAsync(CancellationToken ct)
    {
        var resealed = 0;
        var after = Guid.Empty;
        while (true)
        {
            var rows = new List<(Guid Merchant, Guid Id, byte[] Secret, byte[]? Previous)>();
            await using (var command = dataSource.CreateCommand(OutboundSql.StaleSecrets))
            {
                command.Parameters.Add(SqlParameters.Uuid(after));
                await using var reader = await command.ExecuteReaderAsync(ct);
                while (await reader.ReadAsync(ct))
                    rows.Add((reader.GetGuid(0), reader.GetGuid(1), reader.GetFieldValue<byte[]>(2), reader.IsDBNull(3) ? null : reader.GetFieldValue<byte[]>(3)));
            }

            if (rows.Count == 0)
                return resealed;
            after = rows[^1].Id;
            foreach (var row in rows.Where(row => !secrets.IsCurrent(row.Secret) || (row.Previous is { } previous && !secrets.IsCurrent(previous))))
            {
                var owner = OwnerOf(new WebhookEndpointId(row.Id));
                await using var command = dataSource.CreateCommand(OutboundSql.ResealSecret);
                command.Parameters.AddRange(new[]
                {
                    SqlParameters.Uuid(row.Merchant),
                    SqlParameters.Uuid(row.Id),
                    SqlParameters.Bytes(secrets.Seal(secrets.Open(row.Secret, owner), owner)),
                    SqlParameters.Bytes(row.Previous is null ? null : secrets.Seal(secrets.Open(row.Previous, owner), owner)),
                    SqlParameters.Bytes(row.Secret),
                });
                resealed += await command.ExecuteNonQueryAsync(ct);
            }
        }
    }

    /// <summary>The owner to which a sealed secret is bound.</summary>
    internal static string OwnerOf(WebhookEndpointId id) => $"webhook_endpoint:{id}";

    private static AuditEntry Entry(Actor actor, string verb, MerchantId merchant, WebhookEndpointId id, params ReadOnlySpan<(string, object?)> details) =>
        new(actor, $"webhook_endpoint.{verb}", "webhook_endpoint", id.ToString(), merchant, AuditEntry.Details(details));

    private static (string Secret, string? PublicKey) NewSecret(EndpointSignature signature)
    {
        if (signature == EndpointSignature.Hmac)
            return (StandardWebhooks.NewSecret(), null);
        var key = StandardWebhooksEd25519.NewPrivateKey();
        return (key, StandardWebhooksEd25519.PublicKeyOf(key));
    }

    private byte[] Seal(string secret, WebhookEndpointId id) => secrets.Seal(Encoding.UTF8.GetBytes(secret), OwnerOf(id));

    private static async Task<WebhookEndpoint?> ReadOneAsync(NpgsqlCommand command, CancellationToken ct)
    {
        await using var reader = await command.ExecuteReaderAsync(ct);
        return await reader.ReadAsync(ct) ? Read(reader) : null;
    }

    private static WebhookEndpoint Read(NpgsqlDataReader reader) => new(
        new WebhookEndpointId(reader.GetGuid(0)),
        new MerchantId(reader.GetGuid(1)),
        reader.GetString(2),
        reader.IsDBNull(3) ? null : reader.GetString(3),
        reader.GetFieldValue<string[]>(4),
        reader.GetString(5),
        DbText.Parse<EndpointStatus>(reader.GetString(6)),
        reader.IsDBNull(7) ? null : DbText.Parse<EndpointDisabledReason>(reader.GetString(7)),
        reader.IsDBNull(8) ? null : reader.GetString(8),
        reader.IsDBNull(9) ? null : reader.GetFieldValue<DateTimeOffset>(9),
        reader.GetFieldValue<DateTimeOffset>(10),
        reader.GetFieldValue<DateTimeOffset>(11));
}
