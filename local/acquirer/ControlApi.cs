using System.Globalization;
using System.Text.Json;

namespace Payments.Acquirer;

/// <summary>What tests and operators of the sandbox call: <c>/control</c>.</summary>
internal static class ControlApi
{
    public static void Map(WebApplication app, Processor processor, FaultPlan faults, JournalFile journal)
    {
        app.MapGet("/control/faults", context => Calls.WriteAsync(context, Faults()));
        app.MapPut("/control/faults", async context =>
        {
            var request = Requests.Parse(await Requests.BodyAsync(context), AcquirerJson.Default.FaultsRequest).Check();
            faults.Set(request.Rules ?? [], request.Seed);
            faults.Webhooks = request.Webhooks ?? new();
            await Calls.WriteAsync(context, Faults());
        });
        app.MapDelete("/control/faults", async context =>
        {
            faults.Set([], null);
            faults.Webhooks = new();
            await Calls.WriteAsync(context, Faults());
        });
        app.MapPost("/control/disputes", async context =>
        {
            var request = Requests.Parse(await Requests.BodyAsync(context), AcquirerJson.Default.OpenDisputeRequest).Check();
            await Calls.WriteAsync(context, await processor.OpenDisputeAsync(request));
        });
        app.MapPost("/control/disputes/{id}", async context =>
        {
            var request = Requests.Parse(await Requests.BodyAsync(context), AcquirerJson.Default.ChangeDisputeRequest);
            await Calls.WriteAsync(context, await processor.ChangeDisputeAsync(Id(context), request));
        });
        app.MapPost("/control/payouts/{id}", async context =>
        {
            var request = Requests.Parse(await Requests.BodyAsync(context), AcquirerJson.Default.ChangePayoutRequest);
            var status = request.Status ?? throw BadRequestException.Because("status_required", "Give the status to move to.");
            await Calls.WriteAsync(context, await processor.ChangePayoutAsync(Id(context), status, request.FailureCode));
        });
        app.MapPost("/control/refunds/{id}/fail", async context => await Calls.WriteAsync(context, await processor.ReturnRefundAsync(Id(context))));
        app.MapPost("/control/payments/{id}/expire", async context => await Calls.WriteAsync(context, await processor.ExpireAsync(Id(context))));
        app.MapPost("/control/clock", async context =>
        {
            var request = Requests.Parse(await Requests.BodyAsync(context), AcquirerJson.Default.ClockRequest);
            await Calls.WriteAsync(context, await processor.SetClockAsync(request));
        });
        app.MapPost("/control/reset", async context =>
        {
            processor.Reset();
            await Calls.WriteAsync(context, Answer.Of(200, processor.Health(), AcquirerJson.Default.HealthView));
        });
        app.MapGet("/control/summary", async context =>
        {
            await processor.FlushedAsync();
            if (context.Request.Query["group_by"].ToString() is { Length: > 0 } groupBy)
                await SumsAsync(context, groupBy);
            else
                await Calls.WriteAsync(context, Answer.Of(200, processor.Summary(), AcquirerJson.Default.SummaryView));
        });
        app.MapGet("/control/journal", JournalAsync);

        Answer Faults() => Answer.Of(200, new FaultsView(faults.Seed, faults.Rules, faults.Webhooks, faults.Injected), AcquirerJson.Default.FaultsView);

        async Task SumsAsync(HttpContext context, string groupBy)
        {
            if (groupBy is not ("reference" or "customer") && Tokens.Tail(groupBy, "metadata.") is null)
                throw BadRequestException.Because("invalid_group", "group_by is reference, customer or metadata.NAME.");
            context.Response.ContentType = "application/x-ndjson";
            foreach (var sums in processor.Sums(groupBy))
            {
                await context.Response.BodyWriter.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(sums, AcquirerJson.Default.GroupSums), context.RequestAborted);
                await context.Response.BodyWriter.WriteAsync("\n"u8.ToArray(), context.RequestAborted);
            }
        }

        async Task JournalAsync(HttpContext context)
        {
            var text = context.Request.Query["after"].ToString();
            var after = 0L;
            if (text.Length > 0 && !long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out after))
                throw BadRequestException.Because("invalid_after", "after is the seq of the last entry you have.");
            await processor.FlushedAsync();
            context.Response.ContentType = "application/x-ndjson";
            await foreach (var (_, line) in journal.ReadAsync(processor.OffsetBefore(after), context.RequestAborted))
            {
                var entry = JsonSerializer.Deserialize(line.Span, AcquirerJson.Default.JournalLine)!.Entry;
                if (entry.Seq <= after || entry.Type == EntryType.WebhooksDelivered)
                    continue;
                await context.Response.BodyWriter.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(entry, AcquirerJson.Default.JournalEntry), context.RequestAborted);
                await context.Response.BodyWriter.WriteAsync("\n"u8.ToArray(), context.RequestAborted);
            }
        }
    }

    private static string Id(HttpContext context) => (string)context.Request.RouteValues["id"]!;
}
