using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Payments.Domain;
using Payments.Domain.Payouts;

namespace Payments.Functions.Http;

/// <summary>A merchant's payout settings in each currency: schedule, limits, bank account, hold.</summary>
public sealed class PayoutSettingsFunctions(ManagePayoutSettings settings)
{
    [Function("ListPayoutSettings")]
    public async Task<IResult> ListAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/payout_settings")] HttpRequest request, FunctionContext context, CancellationToken ct)
    {
        if (!context.Merchant(request).TryGet(out var merchant, out var refusal))
            return Problems.Of(refusal);
        return Api.List(await settings.ListAsync(merchant, ct), int.MaxValue, s => s.ToResource(), PayoutJson.Default.PayoutSettingsResource);
    }

    [Function("ChangePayoutSettings")]
    public Task<IResult> ChangeAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "put", Route = "v1/payout_settings/{currency}")] HttpRequest request, string currency, FunctionContext context, CancellationToken ct) =>
        WriteAsync(
            request, currency, context, PayoutJson.Default.PayoutSettingsRequest,
            (merchant, of, input) => settings.ChangeAsync(merchant, of, input, context.Caller().IsPlatform, context.Actor().Name, ct), ct);

    [Function("SetBankAccount")]
    public Task<IResult> SetAccountAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "put", Route = "v1/payout_settings/{currency}/bank_account")] HttpRequest request, string currency, FunctionContext context,
        CancellationToken ct) =>
        WriteAsync(
            request, currency, context, PayoutJson.Default.BankAccountRequest,
            (merchant, of, input) => settings.SetAccountAsync(merchant, of, input, context.Caller().IsPlatform, context.Actor().Name, ct), ct);

    [Function("VerifyBankAccount")]
    public async Task<IResult> VerifyAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/payout_settings/{currency}/bank_account/verify")] HttpRequest request, string currency, FunctionContext context,
        CancellationToken ct) =>
        context.RequirePlatform() is { } refusal
            ? Problems.Of(refusal)
            : await WriteAsync(
                request, currency, context, PayoutJson.Default.CancelPayoutRequest, (merchant, of, _) => settings.VerifyAccountAsync(merchant, of, context.Actor().Name, ct), ct);

    /// <summary>Asks the bank again for the name of the account's holder.</summary>
    [Function("CheckBankAccount")]
    public Task<IResult> CheckAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/payout_settings/{currency}/bank_account/check")] HttpRequest request,
            string currency, FunctionContext context,
        CancellationToken ct) =>
        WriteAsync(request, currency, context, PayoutJson.Default.CancelPayoutRequest,
            (merchant, of, _) => settings.CheckPayeeAsync(merchant, of, context.Actor().Name, ct), ct);

    [Function("HoldPayouts")]
    public async Task<IResult> HoldAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/payout_settings/{currency}/hold")] HttpRequest request, string currency, FunctionContext context, CancellationToken ct) =>
        context.RequirePlatform() is { } refusal
            ? Problems.Of(refusal)
            : await WriteAsync(
                request, currency, context, PayoutJson.Default.HoldPayoutsRequest, (merchant, of, input) => settings.HoldAsync(merchant, of, input.Reason ?? "", context.Actor().Name, ct), ct);

    [Function("ReleasePayouts")]
    public async Task<IResult> ReleaseAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/payout_settings/{currency}/release")] HttpRequest request, string currency, FunctionContext context, CancellationToken ct) =>
        context.RequirePlatform() is { } refusal
            ? Problems.Of(refusal)
            : await WriteAsync(request, currency, context, PayoutJson.Default.CancelPayoutRequest, (merchant, of, _) => settings.HoldAsync(merchant, of, null, context.Actor().Name, ct), ct);

    // These requests need no Idempotency-Key, because a repeat changes nothing.
    private static async Task<IResult> WriteAsync<T>(
        HttpRequest request, string currency, FunctionContext context, JsonTypeInfo<T> type, Func<MerchantId, Currency, T, Task<Result<PayoutSettings>>> write, CancellationToken ct)
    {
        if (!context.Merchant(request).TryGet(out var merchant, out var refusal))
            return Problems.Of(refusal);
        if (!Currency.TryParse(currency, out var of))
            return Problems.Of(Refusal.NotFound(currency));
        if (!(await Api.ReadAsync(request, type, ct)).TryGet(out var body, out refusal))
            return Problems.Of(refusal);
        return (await write(merchant, of, body.Value)).Match(s => Api.Json(s.ToResource(), PayoutJson.Default.PayoutSettingsResource), Problems.Of);
    }
}
