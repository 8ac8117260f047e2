using System.Text.Json.Serialization;
using Npgsql;
using Payments.Domain.Database;

namespace Payments.Domain.Charges;

/// <summary>One try of one operation at one provider, as the API shows it.</summary>
/// <param name="Amount">Minor units of <paramref name="Currency"/>.</param>
/// <param name="MadeElsewhere">True if a person made it at the provider. Omitted otherwise.</param>
public sealed record AttemptResource(
    string Id, string Object, string Charge, string Operation, string Status, string Provider, string? ProviderReference, long Amount, string Currency, DeclineResource? Decline,
    DateTimeOffset CreatedAt, DateTimeOffset? FinishedAt, bool? MadeElsewhere = null)
{
    public static AttemptResource Of(Attempt attempt) => new(
        attempt.Id.ToString(), "attempt", attempt.Charge.ToString(), DbText.Of(attempt.Operation), DbText.Of(attempt.Status), attempt.Provider, attempt.ProviderReference,
        attempt.Amount.MinorUnits, attempt.Amount.Currency.Code, DeclineResource.Of(attempt.Decline), attempt.CreatedAt, attempt.FinishedAt,
        attempt.MadeElsewhere ? true : null);
}

/// <summary>Reads the attempts of a charge, with their providers and outcomes.</summary>
public sealed class ChargeAttempts(NpgsqlDataSource dataSource)
{
    /// <summary>Oldest first. Empty only if the charge does not exist, because every charge has at least one attempt.</summary>
    public async Task<IReadOnlyList<Attempt>> ListAsync(MerchantId merchant, ChargeId id, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(ChargeSql.AttemptsOfCharge);
        command.Parameters.Add(new() { Value = merchant.Value });
        command.Parameters.Add(new() { Value = id.Value });
        var attempts = new List<Attempt>();
        await using var row = await command.ExecuteReaderAsync(ct);
        while (await row.ReadAsync(ct))
            attempts.Add(ChargeRows.ReadAttempt(row, ChargeRows.ReadCharge(row), ChargeRows.ChargeWidth));
        return attempts;
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, Converters = [typeof(UtcTimeJson)])]
[JsonSerializable(typeof(AttemptResource))]
public sealed partial class AttemptJson : JsonSerializerContext;
