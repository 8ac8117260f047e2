using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Payments.Domain;
using Payments.Domain.Database;
using Payments.Domain.Payouts;

namespace Payments.Functions.Http;

/// <summary>A merchant's payouts, the balance transactions that they contain, and a preview of the next one.</summary>
public sealed class PayoutFunctions(PayoutReads reads, PayoutPreviews previews, ManualPayouts manual)
{
    [Function("CreatePayout")]
    public Task<IResult> CreateAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/payouts")] HttpRequest request, FunctionContext context, CancellationToken ct) =>
        Api.PostAsync(request, context, PayoutJson.Default.CreatePayoutRequest, (idempotent, input) => manual.CreateAsync(idempotent, input, context.Actor().Name, ct), ct);

    [Function("CancelPayout")]
    public async Task<IResult> CancelAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/payouts/{id}/cancel")] HttpRequest request, string id, FunctionContext context, CancellationToken ct) =>
        PrefixedId.TryParse<PayoutId>(id, out var payout)
            ? await Api.PostAsync(request, context, PayoutJson.Default.CancelPayoutRequest, (idempotent, _) => manual.CancelAsync(idempotent, payout, context.Actor().Name, ct), ct)
            : Problems.Of(Refusal.NotFound(id));

    [Function("ListPayouts")]
    public async Task<IResult> ListAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/payouts")] HttpRequest request, FunctionContext context, CancellationToken ct)
    {
        if (!context.Merchant(request).TryGet(out var merchant, out var refusal) || !Api.Page<PayoutId>(request).TryGet(out var page, out refusal))
            return Problems.Of(refusal);
        PayoutStatus? status = null;
        if (request.Query.TryGetValue("status", out var text))
        {
            if (!DbText.TryParse<PayoutStatus>(text, out var value))
                return Problems.Of(Refusal.Invalid("status", $"`status` must be one of {string.Join(", ", Enum.GetValues<PayoutStatus>().Select(DbText.Of))}."));
            status = value;
        }

        var rows = await reads.ListAsync(merchant, page.Limit + 1, page.StartingAfter, status, ct);
        return Api.List(rows, page.Limit, PayoutResource.Of, PayoutJson.Default.PayoutResource);
    }

    // The host tries routes in the order of function names. This name must come before GetPayout, whose route also matches the request.
    [Function("ComputePayoutPreview")]
    public async Task<IResult> PreviewAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/payouts/preview")] HttpRequest request, FunctionContext context, CancellationToken ct)
    {
        if (!context.Merchant(request).TryGet(out var merchant, out var refusal))
            return Problems.Of(refusal);
        if (!Currency.TryParse(request.Query["currency"], out var currency))
            return Problems.Of(Refusal.Invalid("currency", "`currency` must be an ISO 4217 code, such as EUR."));
        DateOnly? date = null;
        if (request.Query.TryGetValue("date", out var text))
        {
            if (!DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var given))
                return Problems.Of(Refusal.Invalid("date", "`date` must be in the format YYYY-MM-DD."));
            date = given;
        }

        return (await previews.PreviewAsync(merchant, currency, date, ct)).Match(preview =>
            Api.Json(preview, PayoutJson.Default.PayoutPreviewResource), Problems.Of);
    }

    [Function("GetPayout")]
    public async Task<IResult> GetAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/payouts/{id}")] HttpRequest request, string id, FunctionContext context, CancellationToken ct)
    {
        if (!context.Merchant(request).TryGet(out var merchant, out var refusal))
            return Problems.Of(refusal);
        return PrefixedId.TryParse<PayoutId>(id, out var payout) && await reads.GetAsync(merchant, payout, ct) is { } found
            ? Api.Json(PayoutResource.Of(found), PayoutJson.Default.PayoutResource)
            : Problems.Of(Refusal.NotFound(id));
    }

    [Function("ListPayoutBalanceTransactions")]
    public async Task<IResult> CompositionAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/payouts/{id}/balance_transactions")] HttpRequest request, string id, FunctionContext context, CancellationToken ct)
    {
        if (!context.Merchant(request).TryGet(out var merchant, out var refusal) || !Api.Page<BalanceTransactionId>(request).TryGet(out var page, out refusal))
            return Problems.Of(refusal);
        if (!PrefixedId.TryParse<PayoutId>(id, out var payout) || await reads.GetAsync(merchant, payout, ct) is null)
            return Problems.Of(Refusal.NotFound(id));
        var lines = await reads.CompositionAsync(merchant, payout, page.Limit + 1, page.StartingAfter, ct);
        return Api.List(lines, page.Limit, line => line, PayoutJson.Default.PayoutLineResource);
    }

    [Function("ExportPayoutBalanceTransactions")]
    public async Task<IResult> ExportAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/payouts/{id}/balance_transactions.csv")] HttpRequest request, string id, FunctionContext context, CancellationToken ct)
    {
        if (!context.Merchant(request).TryGet(out var merchant, out var refusal))
            return Problems.Of(refusal);
        if (!PrefixedId.TryParse<PayoutId>(id, out var payout) || await reads.GetAsync(merchant, payout, ct) is null)
            return Problems.Of(Refusal.NotFound(id));
        return Results.Stream(
            async output =>
            {
                await using var text = new StreamWriter(output, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), leaveOpen: true);
                await reads.WriteCsvAsync(merchant, payout, text, ct);
            },
            "text/csv; charset=utf-8", $"{payout}.csv");
    }
}
