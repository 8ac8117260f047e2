using System.Globalization;
using System.Text.Json;
using Npgsql;
using Payments.Domain.Audit;
using Payments.Domain.Pricing;

namespace Payments.Domain.Merchants;

/// <summary>The capture whose fee the caller asks for: its amount and the payment method.</summary>
/// <param name="At">The time of the capture. Null means now.</param>
/// <param name="VolumeBefore">The month's volume before the capture, in minor units. Null takes the volume captured so far.</param>
public sealed record FeeQuoteRequest(Money Amount, string? Method, string? CardBrand, string? CardCountry, DateTimeOffset? At, long? VolumeBefore);

/// <summary>Changes, shows and quotes merchants' fee plans.</summary>
public sealed class FeePlans(NpgsqlDataSource dataSource, MerchantReads merchants, TimeProvider time)
{
    public async Task<FeePlanResource?> GetAsync(MerchantId merchant, CancellationToken ct) =>
        await merchants.GetAsync(merchant, ct) is { } found ? FeePlanResource.Of(merchant, found.FeePlans, time.GetUtcNow()) : null;

    /// <summary>
    /// Adds a version of the fee plan. Idempotent: if the version in force at that time is the same plan, nothing is added and that version
    /// is returned.
    /// </summary>
    public async Task<Result<FeePlanVersionResource>> PutAsync(MerchantId merchant, PutFeePlanRequest request, Actor actor, CancellationToken ct)
    {
        if (request.Plan is not { } plan)
            return Refusal.Invalid("plan", "`plan` is required, with its `rules`. Send an empty list of rules to charge no fees.");
        if (plan.Validate("plan") is { } invalid)
            return invalid;
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await using (var command = new NpgsqlCommand(PricingSql.LockMerchant, connection, transaction) { Parameters = { new() { Value = merchant.Value } } })
        {
            if (await command.ExecuteScalarAsync(ct) is null)
                return Refusal.NotFound(merchant.ToString());
        }

        // Read under the merchant's lock, so that versions which other transactions committed before are seen.
        var history = (await MerchantReads.GetAsync(connection, merchant, time.GetUtcNow(), ct))!.FeePlans;
        var now = time.GetUtcNow();
        var from = request.EffectiveFrom is { } asked ? asked.AddTicks(-(asked.Ticks % TimeSpan.TicksPerMicrosecond)) : now + FeePlanHistory.Lead;
        var json = JsonSerializer.Serialize(plan, PricingJson.Default.FeePlan);
        if (history.At(from) is var inForce && JsonSerializer.Serialize(inForce.Plan, PricingJson.Default.FeePlan) == json)
            return FeePlanVersionResource.Of(merchant, history, inForce, now);
        if (from < now + FeePlanHistory.Lead)
        {
            return Refusal.Invalid(
                "effective_from", $"`effective_from` must be at least {FeePlanHistory.Lead.TotalSeconds:0} seconds in the future. A plan never applies to captures that have taken effect.");
        }

        var version = new FeePlanVersion(history.Versions.Max(v => v.Version) + 1, from, plan, now, actor.Name);
        await using (var insert = new NpgsqlCommand(PricingSql.Insert, connection, transaction)
        {
            Parameters =
            {
                new() { Value = merchant.Value }, new() { Value = version.Version }, new() { Value = version.EffectiveFrom }, new() { Value = json }, new() { Value = now },
                new() { Value = version.CreatedBy },
            },
        })
        {
            await insert.ExecuteNonQueryAsync(ct);
        }

        var detail = AuditEntry.Details(("version", version.Version), ("effective_from", version.EffectiveFrom.ToString("O", CultureInfo.InvariantCulture)));
        await AuditLog.WriteAsync(connection, transaction, new AuditEntry(actor, "fee_plan.changed", "merchant", merchant.ToString(), merchant, detail), now, ct);
        await transaction.CommitAsync(ct);
        return FeePlanVersionResource.Of(merchant, new FeePlanHistory([.. history.Versions, version]), version, now);
    }

    /// <summary>The fee of a capture, computed by the same function that prices captures.</summary>
    public async Task<Result<FeeQuoteResource>> QuoteAsync(MerchantId merchant, FeeQuoteRequest request, CancellationToken ct)
    {
        if (await merchants.GetAsync(merchant, ct) is not { } found)
            return Refusal.NotFound(merchant.ToString());
        var at = request.At ?? time.GetUtcNow();
        var version = found.FeePlans.At(at);
        var volume = request.VolumeBefore
            ?? (version.Plan.HasTiers(request.Amount.Currency) ? await MonthlyVolumes.ReadAsync(dataSource, merchant, request.Amount.Currency, at, ct) : 0);
        var subject = new FeeSubject(request.Amount, request.Method, request.CardBrand, FeeSubject.RegionOf(request.CardCountry, found.Country));
        var detail = FeeCalculation.Of(version.Plan, version.Version, subject, volume);
        return new FeeQuoteResource(
            "fee_quote", merchant.ToString(), detail.Amount, request.Amount.Currency.Code, detail.Fee, detail.Amount - detail.Fee, version.Version, at, detail.Rule, detail.VolumeBefore, detail.Parts);
    }
}
