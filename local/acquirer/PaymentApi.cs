using System.Globalization;
using System.Text;

namespace Payments.Acquirer;

/// <summary>What a processor's customer calls: <c>/v1</c>, and the page that a cardholder sees.</summary>
internal static class PaymentApi
{
    public static void Map(WebApplication app, Processor processor, Calls calls, JournalFile journal, AcquirerOptions options)
    {
        Post("/v1/payments", async context =>
        {
            var body = await Requests.BodyAsync(context);
            var key = Requests.Key(context, body);
            var request = Requests.Parse(body, AcquirerJson.Default.PaymentRequest).Check();
            await calls.RunAsync(context, "payment", request.Token, request.Reference!, () => processor.PayAsync(key, request));
        });
        MapOperation("captures", "capture", processor.CaptureAsync);
        MapOperation("cancels", "cancel", processor.CancelAsync);
        MapOperation("refunds", "refund", processor.RefundAsync);
        Post("/v1/payments/{id}/complete", async context =>
        {
            var id = Id(context);
            var request = Requests.Parse(await Requests.BodyAsync(context), AcquirerJson.Default.CompleteRequest);
            if (request.Outcome is not (null or "pass" or "fail"))
                throw BadRequestException.Because("invalid_outcome", "outcome is pass or fail.");
            await calls.RunAsync(context, "complete", processor.Glance(id)?.Token, id, () => processor.CompleteAsync(id, request.Outcome != "fail"));
        });
        Get("/v1/payments/{id}", context => ReadAsync(context, Id(context), processor.PaymentAsync));
        Get("/v1/operations", context => ReadAsync(context, Query(context, "reference"), processor.ByReferenceAsync));
        Post("/v1/payouts", async context =>
        {
            var body = await Requests.BodyAsync(context);
            var key = Requests.Key(context, body);
            var request = Requests.Parse(body, AcquirerJson.Default.PayoutRequest);
            var token = request.Check();
            await calls.RunAsync(context, "payout", token, request.Reference!, () => processor.PayOutAsync(key, request, token));
        });
        Post("/v1/payee_checks", async context =>
        {
            var account = Requests.Parse(await Requests.BodyAsync(context), AcquirerJson.Default.PayeeCheckRequest).BankAccount
                ?? throw BadRequestException.Because("bank_account_required", "Give bank_account.");
            await calls.RunAsync(
                context, "payee_check", null, account.Iban ?? account.AccountNumber ?? "",
                () => Task.FromResult(Answer.Of(200, Tokens.CheckPayee(account), AcquirerJson.Default.PayeeCheckView)));
        });
        Get("/v1/payouts", context => ReadAsync(context, Query(context, "reference"), processor.PayoutByReferenceAsync));
        Get("/v1/payouts/{id}", context => ReadAsync(context, Id(context), processor.PayoutAsync));
        Get("/v1/disputes/{id}", context => ReadAsync(context, Id(context), processor.DisputeAsync));
        Post("/v1/disputes/{id}/evidence", async context =>
        {
            var request = Requests.Parse(await Requests.BodyAsync(context), AcquirerJson.Default.EvidenceRequest);
            await calls.RunAsync(context, "dispute", null, Id(context), () => processor.AnswerDisputeAsync(Id(context), request));
        });
        Post("/v1/disputes/{id}/accept", context =>
            calls.RunAsync(context, "dispute", null, Id(context), () => processor.AcceptDisputeAsync(Id(context))));
        Get("/v1/files/settlements", context => FileAsync(context, "settlements", PartnerFiles.SettlementHeader, entry => PartnerFiles.Settlement(entry, options)));
        Get("/v1/files/disputes", context => FileAsync(context, "disputes", PartnerFiles.DisputeHeader, PartnerFiles.Dispute));
        Get("/redirect/{id}", ShowPageAsync);
        Post("/redirect/{id}", AnswerPageAsync);

        // Through a delegate type of their own, so that no handler's result is mistaken for the response.
        void Post(string path, Func<HttpContext, Task> handle) => app.MapPost(path, new RequestDelegate(handle));

        void Get(string path, Func<HttpContext, Task> handle) => app.MapGet(path, new RequestDelegate(handle));

        void MapOperation(string path, string operation, Func<IdempotencyKey, string, OperationRequest, Task<Answer>> work) =>
            Post("/v1/payments/{id}/" + path, async context =>
            {
                var id = Id(context);
                var body = await Requests.BodyAsync(context);
                var key = Requests.Key(context, body);
                var request = Requests.Parse(body, AcquirerJson.Default.OperationRequest).Check();
                await calls.RunAsync(context, operation, processor.Glance(id)?.Token, request.Reference!, () => work(key, id, request));
            });

        Task ReadAsync(HttpContext context, string subject, Func<string, Task<Answer>> read) =>
            calls.RunAsync(context, "read", null, subject, () => read(subject));

        async Task FileAsync(HttpContext context, string name, string header, Func<JournalEntry, string?> line)
        {
            if (!DateOnly.TryParseExact(Query(context, "date"), "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var date))
                throw BadRequestException.Because("invalid_date", "date is a UTC day, YYYY-MM-DD.");
            context.Response.ContentType = "text/csv; charset=utf-8";
            context.Response.Headers.ContentDisposition = $"attachment; filename=\"{name}-{date:yyyy-MM-dd}.csv\"";
            await processor.FlushedAsync();
            await PartnerFiles.WriteAsync(context.Response.Body, journal, date, header, line, context.RequestAborted);
        }

        async Task ShowPageAsync(HttpContext context)
        {
            if (processor.Glance(Id(context)) is not { Status: PaymentStatus.RequiresAction })
            {
                await PageAsync(context, 404, "<p>There is nothing to confirm here.</p>");
                return;
            }
            await PageAsync(context, 200, """
                <p>Is it you who is paying?</p>
                <form method="post" action="?outcome=pass"><button>Yes, pay</button></form>
                <form method="post" action="?outcome=fail"><button>No</button></form>
                """);
        }

        async Task AnswerPageAsync(HttpContext context)
        {
            var id = Id(context);
            var answer = await processor.CompleteAsync(id, Query(context, "outcome") != "fail");
            if (answer.Status == 200 && processor.Glance(id) is { ReturnUrl: { } returnUrl })
            {
                context.Response.StatusCode = StatusCodes.Status303SeeOther;
                context.Response.Headers.Location = returnUrl;
                return;
            }
            await PageAsync(context, answer.Status, answer.Status == 200 ? "<p>Thank you.</p>" : "<p>There is nothing to confirm here.</p>");
        }
    }

    private static string Id(HttpContext context) => (string)context.Request.RouteValues["id"]!;

    private static string Query(HttpContext context, string name) => context.Request.Query[name].ToString();

    private static async Task PageAsync(HttpContext context, int status, string content)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "text/html; charset=utf-8";
        await context.Response.WriteAsync($"<!doctype html><title>Sandbox bank</title><h1>Sandbox bank</h1>{content}", Encoding.UTF8);
    }
}
