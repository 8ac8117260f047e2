using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Payments.Domain;
using Payments.Domain.Charges;
using Payments.Domain.Merchants;
using Payments.Domain.Pricing;

namespace Payments.Functions.Http;

/// <summary>Merchants' fee plans, and quotes of fees.</summary>
public sealed class FeeFunctions(FeePlans plans)
{
    [Function("GetFeePlan")]
    public async Task<IResult> GetAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/merchants/{id}/fee_plan")] HttpRequest request, string id, FunctionContext context, CancellationToken ct)
    {
        if (!PrefixedId.TryParse<MerchantId>(id, out var merchant) || (context.Caller().Merchant is { } own && own != merchant))
            return Problems.Of(Refusal.NotFound(id));
        return await plans.GetAsync(merchant, ct) is { } found
            ? Api.Json(found, PricingJson.Default.FeePlanResource)
            : Problems.Of(Refusal.NotFound(id));
    }

    // It needs no Idempotency-Key, because a repeat changes nothing.
    [Function("PutFeePlan")]
    public async Task<IResult> PutAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "put", Route = "v1/merchants/{id}/fee_plan")] HttpRequest request, string id, FunctionContext context, CancellationToken ct)
    {
        if (context.RequirePlatform() is { } forbidden)
            return Problems.Of(forbidden);
        if (!PrefixedId.TryParse<MerchantId>(id, out var merchant))
            return Problems.Of(Refusal.NotFound(id));
        if (!(await Api.ReadAsync(request, PricingJson.Default.PutFeePlanRequest, ct)).TryGet(out var body, out var refusal))
            return Problems.Of(refusal);
        return (await plans.PutAsync(merchant, body.Value, context.Actor(), ct)).Match(
            version => Api.Json(version, PricingJson.Default.FeePlanVersionResource), Problems.Of);
    }

    [Function("QuoteFee")]
    public async Task<IResult> QuoteAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/fees/quote")] HttpRequest request, FunctionContext context, CancellationToken ct)
    {
        if (!context.Merchant(request).TryGet(out var merchant, out var refusal) || !Read(request).TryGet(out var quote, out refusal))
            return Problems.Of(refusal);
        return (await plans.QuoteAsync(merchant, quote, ct)).Match(answer => Api.Json(answer, PricingJson.Default.FeeQuoteResource), Problems.Of);
    }

    private static Result<FeeQuoteRequest> Read(HttpRequest request)
    {
        if (!Currency.TryParse(request.Query["currency"], out var currency))
            return Refusal.Invalid("currency", "`currency` must be an ISO 4217 code, such as EUR.");
        if (!Whole(request.Query["amount"], out var amount) || amount is < ChargeLimits.Minimum or > ChargeLimits.Maximum)
            return Refusal.Invalid("amount", $"`amount` must be {ChargeLimits.Minimum} to {ChargeLimits.Maximum} minor units: 1050 is EUR 10.50 and JPY 1050.");
        long? volume = null;
        if (request.Query.TryGetValue("volume_before", out var volumeText))
        {
            if (!Whole(volumeText, out var value) || value is < 0 or > FeePlan.MaximumVolume)
                return Refusal.Invalid("volume_before", "`volume_before` must be the amount captured before in the month, in minor units.");
            volume = value;
        }

        if (!Api.Time(request, "effective_at").TryGet(out var time, out var refusal))
            return refusal;
        string? method = request.Query["method"], brand = request.Query["card_brand"], country = request.Query["card_country"];
        if (country is not null && (country.Length != 2 || !country.All(char.IsAsciiLetterUpper)))
            return Refusal.Invalid("card_country", "`card_country` must be an ISO 3166-1 code of two upper-case letters, such as DE.");
        if (method is not null and not FeeSubject.CardMethod && (brand is not null || country is not null))
            return Refusal.Invalid("method", "`method` must be card if you give `card_brand` or `card_country`.");

        // A card brand or country implies the method card.
        return new FeeQuoteRequest(new Money(amount, currency), method ?? (brand is null && country is null ? null : FeeSubject.CardMethod), brand, country, time.At, volume);
    }

    private static bool Whole(string? text, out long value) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);
}
