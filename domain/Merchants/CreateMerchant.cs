using System.Text.Json;
using Dapper;
using Payments.Domain.Audit;
using Payments.Domain.Database;
using Payments.Domain.Idempotency;
using Payments.Domain.Pricing;

namespace Payments.Domain.Merchants;

public sealed record CreateMerchantRequest(string? Name, string? Country, FeePlan? FeePlan, short? PayoutDelayDays, IReadOnlyDictionary<string, string?>? Metadata)
{
    public const short DefaultPayoutDelayDays = 2;

    public Refusal? Validate()
    {
        if (string.IsNullOrWhiteSpace(Name) || Name.Length > 200 || Name.Contains('\0', StringComparison.Ordinal))
            return Refusal.Invalid("name", "`name` must have 1 to 200 characters.");
        if (Country is not { Length: 2 } || !Country.All(char.IsAsciiLetterUpper))
            return Refusal.Invalid("country", "`country` must be an ISO 3166-1 code of two upper-case letters, such as DE.");
        if (FeePlan is { Rules: null })
            return Refusal.Invalid("fee_plan.rules", "`fee_plan.rules` is required. Send an empty list to charge no fees.");
        if (PayoutDelayDays is < 0 or > 60)
            return Refusal.Invalid("payout_delay_days", "`payout_delay_days` must be from 0 to 60.");
        return FeePlan?.Validate("fee_plan") ?? MetadataRules.Validate(Metadata);
    }
}

/// <summary>Creates a merchant: a live and a test account with the same terms. Idempotent by the request's key.</summary>
public sealed class CreateMerchant(IdempotencyStore idempotency, TimeProvider time)
{
    public async Task<Result<StoredResponse>> HandleAsync(IdempotentRequest request, CreateMerchantRequest input, Actor actor, CancellationToken ct)
    {
        if (input.Validate() is { } refusal)
            return refusal;
        return await idempotency.RunAsync(request, async (connection, transaction) =>
        {
            var now = time.GetUtcNow();
            var merchant = new Merchant(
                PrefixedId.New<MerchantId>(now).In(Mode.Live), input.Name!.Trim(), input.Country!, MerchantStatus.Active,
                input.FeePlan ?? FeePlan.Standard,
                input.PayoutDelayDays ?? CreateMerchantRequest.DefaultPayoutDelayDays, MetadataRules.Clean(input.Metadata), now, now);
            await connection.ExecuteAsync(new CommandDefinition(
                MerchantSql.Insert,
                new
                {
                    accounts = new[] { merchant.Id.Value, merchant.Id.In(Mode.Test).Value },
                    name = merchant.Name,
                    country = merchant.Country,
                    status = DbText.Of(merchant.Status),
                    feePlan = JsonSerializer.Serialize(merchant.FeePlan, MerchantJson.Default.FeePlan),
                    payoutDelayDays = merchant.PayoutDelayDays,
                    metadata = JsonSerializer.Serialize(merchant.Metadata, MerchantJson.Default.IReadOnlyDictionaryStringString),
                    now,
                },
                transaction,
                cancellationToken: ct));
            var detail = AuditEntry.Details(("name", merchant.Name), ("country", merchant.Country), ("payout_delay_days", (int)merchant.PayoutDelayDays));
            foreach (var account in new[] { merchant.Id, merchant.Id.In(Mode.Test) })
            {
                var entry = new AuditEntry(actor, "merchant.created", "merchant", account.ToString(), account, detail);
                await AuditLog.WriteAsync(connection, transaction, entry, now, ct);
            }

            return new StoredResponse(201, JsonSerializer.SerializeToUtf8Bytes(MerchantResource.Of(merchant), MerchantJson.Default.MerchantResource));
        }, ct);
    }
}
