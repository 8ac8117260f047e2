using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Payments.Domain;
using Payments.Domain.Database;
using Payments.Domain.Payouts;
using Payments.Domain.Payouts.BankFiles;

namespace Payments.Functions.Http;

/// <summary>Payout runs and bank reports. Only for platform keys.</summary>
public sealed class PayoutRunFunctions(
    RunPayouts runs, PayoutPreviews previews, PayoutFiles files, BankReports reports, UnmatchedBankItems items)
{
    private const int MaximumReport = 64 * 1024 * 1024;

    /// <summary>
    /// Runs a date, today's by default. Idempotent: a repeat, or a run that the timer has started, changes nothing and returns the state of
    /// the run.
    /// </summary>
    [Function("StartPayoutRun")]
    public async Task<IResult> StartAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/payout_runs")] HttpRequest request, FunctionContext context, CancellationToken ct)
    {
        if (context.RequirePlatform() is { } forbidden)
            return Problems.Of(forbidden);
        if (!(await Api.ReadAsync(request, PayoutJson.Default.StartPayoutRunRequest, ct)).TryGet(out var body, out var refusal))
            return Problems.Of(refusal);
        if (!Currency.TryParse(body.Value.Currency, out var currency))
            return Problems.Of(Refusal.Invalid("currency", "`currency` must be an ISO 4217 code, such as EUR."));
        if (!Api.Mode(body.Value.Mode).TryGet(out var mode, out refusal))
            return Problems.Of(refusal);
        if (!runs.HasBankFor(mode))
            return Problems.Of(Refusal.Invalid("mode", "There is no sandbox bank for test payouts. Set Providers__Sandbox__BaseAddress."));
        var date = runs.Today(currency);
        if (body.Value.Date is { } text && !DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out date))
            return Problems.Of(Refusal.Invalid("date", "`date` must be in the format YYYY-MM-DD."));

        // A run also pays what is due by weekly and monthly schedules up to its date, so a future date would pay too early.
        if (date > runs.Today(currency))
            return Problems.Of(Refusal.Invalid("date", $"`date` {date:yyyy-MM-dd} is in the future in the time zone of {currency}."));
        return Api.Json(PayoutRunResource.Of(await runs.RunAsync(date, currency, context.Actor().Name, ct, mode)),
            PayoutJson.Default.PayoutRunResource);
    }

    /// <summary>Forecasts the total of the next run of a currency.</summary>
    /// <remarks>
    /// If two routes match, the host takes the function whose name comes first in the alphabet. This name must come before that of
    /// <c>payout_runs/{id}</c>.
    /// </remarks>
    [Function("ForecastPayoutRun")]
    public async Task<IResult> ForecastAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/payout_runs/preview")] HttpRequest request, FunctionContext context,
            CancellationToken ct)
    {
        if (context.RequirePlatform() is { } refusal)
            return Problems.Of(refusal);
        if (!Api.Mode(request).TryGet(out var mode, out refusal))
            return Problems.Of(refusal);
        return Currency.TryParse(request.Query["currency"], out var currency)
            ? Api.Json(await previews.PreviewRunAsync(currency, ct, mode), PayoutJson.Default.PayoutRunPreviewResource)
            : Problems.Of(Refusal.Invalid("currency", "`currency` must be an ISO 4217 code, such as EUR."));
    }

    /// <summary>Forecasts what the next run of a currency decides for each merchant.</summary>
    [Function("ListPayoutPreviews")]
    public async Task<IResult> ListPreviewsAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/payout_previews")] HttpRequest request, FunctionContext context,
            CancellationToken ct)
    {
        if (context.RequirePlatform() is { } forbidden)
            return Problems.Of(forbidden);
        if (!Api.Page<MerchantId>(request).TryGet(out var page, out var refusal) || !Api.Mode(request).TryGet(out var mode, out refusal))
            return Problems.Of(refusal);
        return Currency.TryParse(request.Query["currency"], out var currency)
            ? Api.List(await previews.ListAsync(currency, page.Limit + 1, page.StartingAfter, ct, mode), page.Limit, preview => preview,
                PayoutJson.Default.PayoutPreviewResource)
            : Problems.Of(Refusal.Invalid("currency", "`currency` must be an ISO 4217 code, such as EUR."));
    }

    [Function("ListPayoutRuns")]
    public async Task<IResult> ListAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/payout_runs")] HttpRequest request, FunctionContext context, CancellationToken ct)
    {
        if (context.RequirePlatform() is { } forbidden)
            return Problems.Of(forbidden);
        if (!Api.Mode(request).TryGet(out var mode, out var refusal))
            return Problems.Of(refusal);
        return Api.List(await runs.ListAsync(Api.MaximumLimit, ct, mode), int.MaxValue, PayoutRunResource.Of,
            PayoutJson.Default.PayoutRunResource);
    }

    [Function("ListPayoutFiles")]
    public async Task<IResult> ListFilesAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/payout_runs/{id}/files")] HttpRequest request, string id, FunctionContext context, CancellationToken ct)
    {
        if (context.RequirePlatform() is { } refusal)
            return Problems.Of(refusal);
        return PrefixedId.TryParse<PayoutRunId>(id, out var run)
            ? Api.List(await files.ListAsync(run, ct), int.MaxValue, file => file, PayoutJson.Default.PayoutFileResource)
            : Problems.Of(Refusal.NotFound(id));
    }

    /// <summary>Returns a bank file exactly as it was stored.</summary>
    [Function("GetPayoutFile")]
    public async Task<IResult> GetFileAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/payout_runs/{id}/files/{number}")] HttpRequest request, string id, string number, FunctionContext context,
        CancellationToken ct)
    {
        if (context.RequirePlatform() is { } refusal)
            return Problems.Of(refusal);
        return PrefixedId.TryParse<PayoutRunId>(id, out var run) && int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var which)
            && await files.OpenAsync(run, which, ct) is var (name, contentType, content)
                ? Results.Stream(content, contentType, Path.GetFileName(name))
                : Problems.Of(Refusal.NotFound($"{id}/files/{number}"));
    }

    /// <summary>
    /// Receives a bank's file: pain.002, camt.052, 053 or 054, or NACHA returns. Idempotent: the same file again changes nothing.
    /// </summary>
    [Function("ReceiveBankReport")]
    public async Task<IResult> ReceiveReportAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/bank_reports")] HttpRequest request, FunctionContext context, CancellationToken ct)
    {
        if (context.RequirePlatform() is { } forbidden)
            return Problems.Of(forbidden);
        if (!(await Api.ReadBytesAsync(request, MaximumReport, ct)).TryGet(out var bytes, out var refusal))
            return Problems.Of(refusal);
        string name = request.Query["name"].ToString() is { Length: > 0 and <= 200 } given ? given : "upload";
        try
        {
            using var content = new MemoryStream(bytes);
            return Api.Json(BankReportResource.Of(await reports.ApplyAsync(name, content, ct)), PayoutJson.Default.BankReportResource);
        }
        catch (BankFileException e)
        {
            return Problems.Of(new Refusal(RefusalCode.BodyMalformed, e.Message));
        }
    }

    /// <summary>Lists bank reports that were not applied, and bank files that were rejected.</summary>
    [Function("ListUnmatchedBankItems")]
    public async Task<IResult> ListUnmatchedAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/unmatched_bank_items")] HttpRequest request, FunctionContext context, CancellationToken ct)
    {
        if (context.RequirePlatform() is { } forbidden)
            return Problems.Of(forbidden);
        if (!Api.Page<UnmatchedBankItemId>(request).TryGet(out var page, out var refusal))
            return Problems.Of(refusal);
        UnmatchedReason? reason = null;
        if (request.Query.TryGetValue("reason", out var text))
        {
            if (!DbText.TryParse<UnmatchedReason>(text, out var given))
                return Problems.Of(Refusal.Invalid("reason", $"`reason` must be one of {string.Join(", ", Enum.GetValues<UnmatchedReason>().Select(DbText.Of))}."));
            reason = given;
        }

        if (request.Query.TryGetValue("acknowledged", out text) && text != "true" && text != "false")
            return Problems.Of(Refusal.Invalid("acknowledged", "`acknowledged` must be true or false."));
        var rows = await items.ListAsync(text == "true", reason, page.StartingAfter, page.Limit + 1, ct);
        return Api.List(rows, page.Limit, row => row, PayoutJson.Default.UnmatchedBankItemResource);
    }

    [Function("GetUnmatchedBankItem")]
    public async Task<IResult> GetUnmatchedAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", Route = "v1/unmatched_bank_items/{id}")] HttpRequest request, string id, FunctionContext context, CancellationToken ct)
    {
        if (context.RequirePlatform() is { } forbidden)
            return Problems.Of(forbidden);
        return PrefixedId.TryParse<UnmatchedBankItemId>(id, out var item) && await items.GetAsync(item, ct) is { } found
            ? Api.Json(found, PayoutJson.Default.UnmatchedBankItemResource)
            : Problems.Of(Refusal.NotFound(id));
    }

    [Function("AcknowledgeUnmatchedBankItem")]
    public async Task<IResult> AcknowledgeUnmatchedAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/unmatched_bank_items/{id}/acknowledge")] HttpRequest request, string id, FunctionContext context, CancellationToken ct)
    {
        if (context.RequirePlatform() is { } forbidden)
            return Problems.Of(forbidden);
        return PrefixedId.TryParse<UnmatchedBankItemId>(id, out var item)
            ? await Api.PostAsync(
                request, Api.NoMerchant, PayoutJson.Default.AcknowledgeBankItemRequest, (idempotent, input) => items.AcknowledgeAsync(idempotent, item, input, context.Actor(), ct), ct)
            : Problems.Of(Refusal.NotFound(id));
    }
}
