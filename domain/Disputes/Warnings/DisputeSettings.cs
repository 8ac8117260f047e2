using System.Text.Json.Serialization;
using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Audit;

namespace Payments.Domain.Disputes.Warnings;

/// <summary>A merchant's rule for disputes in one currency.</summary>
/// <param name="RefundEarlyWarningsUpTo">Minor units. Early warnings up to this amount are refunded. Null refunds none.</param>
public sealed record DisputeSettingsResource(string Object, string Currency, long? RefundEarlyWarningsUpTo, DateTimeOffset ChangedAt);

/// <param name="RefundEarlyWarningsUpTo">Minor units. Null ends the rule.</param>
public sealed record DisputeSettingsRequest(long? RefundEarlyWarningsUpTo);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, Converters = [typeof(UtcTimeJson)])]
[JsonSerializable(typeof(DisputeSettingsResource))]
[JsonSerializable(typeof(DisputeSettingsRequest))]
public sealed partial class DisputeSettingsJson : JsonSerializerContext;

/// <summary>The merchants' rules for their disputes. Saving the same rule again does not change it.</summary>
public sealed class DisputeSettings(NpgsqlDataSource dataSource, TimeProvider time)
{
    /// <summary>The most that one rule may refund, in minor units, because it moves money without a person's decision.</summary>
    public const long Maximum = 100_000_000;

    public async Task<IReadOnlyList<DisputeSettingsResource>> ListAsync(MerchantId merchant, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(WarningSql.ListSettings);
        command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = merchant.Value });
        await using var row = await command.ExecuteReaderAsync(ct);
        var settings = new List<DisputeSettingsResource>();
        while (await row.ReadAsync(ct))
            settings.Add(Read(row));
        return settings;
    }

    /// <param name="actor">The author of the change for the audit log.</param>
    public async Task<Result<DisputeSettingsResource>> ChangeAsync(MerchantId merchant, Currency currency, DisputeSettingsRequest request, Actor actor, CancellationToken ct)
    {
        if (request.RefundEarlyWarningsUpTo is < 1 or > Maximum)
        {
            return Refusal.Invalid(
                "refund_early_warnings_up_to",
                $"`refund_early_warnings_up_to` must be 1 to {Maximum} minor units, or null to refund none.");
        }

        var now = time.GetUtcNow();
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await using var command = new NpgsqlCommand(WarningSql.ChangeSettings, connection, transaction)
        {
            Parameters =
            {
                new NpgsqlParameter<Guid> { TypedValue = merchant.Value },
                new NpgsqlParameter<string> { TypedValue = currency.Code },
                new NpgsqlParameter { Value = (object?)request.RefundEarlyWarningsUpTo ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Bigint },
                new NpgsqlParameter { Value = now.UtcDateTime, NpgsqlDbType = NpgsqlDbType.TimestampTz },
            },
        };
        DisputeSettingsResource settings;
        await using (var row = await command.ExecuteReaderAsync(ct))
        {
            if (!await row.ReadAsync(ct))
                return Refusal.NotFound(merchant.ToString());
            settings = Read(row);
        }

        var detail = AuditEntry.Details(("refund_early_warnings_up_to", request.RefundEarlyWarningsUpTo));
        await AuditLog.WriteAsync(connection, transaction, new AuditEntry(actor, "dispute_settings.changed", "dispute_settings", $"{merchant}/{currency.Code}", merchant, detail), now, ct);
        await transaction.CommitAsync(ct);
        return settings;
    }

    private static DisputeSettingsResource Read(NpgsqlDataReader row) =>
        new("dispute_settings", row.GetString(0), row.IsDBNull(1) ? null : row.GetInt64(1), new DateTimeOffset(row.GetDateTime(2), TimeSpan.Zero));
}
