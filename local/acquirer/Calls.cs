namespace Payments.Acquirer;

/// <summary>Runs a call under the faults it was dealt, and writes its answer.</summary>
internal sealed class Calls(AcquirerOptions options, FaultPlan faults, IHostApplicationLifetime lifetime)
{
    private static readonly TimeSpan LongestWaitForWebhook = TimeSpan.FromSeconds(10);

    public async Task RunAsync(HttpContext context, string operation, string? token, string reference, Func<Task<Answer>> work)
    {
        var fromToken = TokenFaultOf(operation, token);
        var fault = faults.Deal(operation, token, reference, fromToken);
        if (fault is { Kind: FaultKind.DelayBefore } late)
            await PauseAsync(late.DelayMilliseconds);
        if (fault is { HappensBefore: true } before)
        {
            await SpoilAsync(context, before, null);
            return;
        }

        // From here on nothing looks at whether the caller is still there: what it asked for is done.
        var answer = await work();

        // A token spoils the first answer only; the same key then gets the truth.
        if (fault is { } after && !(fromToken is not null && answer.Replayed) && answer.Status == 200)
            await SpoilAsync(context, after, answer);
        else
            await WriteAsync(context, answer);
    }

    public static async Task WriteAsync(HttpContext context, Answer answer)
    {
        var response = context.Response;
        response.StatusCode = answer.Status;
        response.ContentType = "application/json";
        response.ContentLength = answer.Body.Length;
        if (answer.Replayed)
            response.Headers["Idempotent-Replayed"] = "true";
        await response.BodyWriter.WriteAsync(answer.Body);
    }

    private static TokenFault? TokenFaultOf(string operation, string? token)
    {
        if (token is null)
            return null;
        if (operation == "payout")
            return Tokens.BankFault(token) is { } kind ? new("payout", kind) : null;
        return Tokens.Card(token)?.Fault is { } fault && fault.Operation == operation ? fault : null;
    }

    private async Task SpoilAsync(HttpContext context, Fault fault, Answer? answer)
    {
        switch (fault.Kind)
        {
            case FaultKind.FailBefore or FaultKind.FailAfter:
                await WriteAsync(context, Answer.Refused(new(fault.Status, "processor_error", "The processor failed; whether anything happened is not said.")));
                break;
            case FaultKind.RateLimit:
                context.Response.Headers.RetryAfter = "1";
                await WriteAsync(context, Answer.Refused(new(429, "rate_limited", "Too many calls.")));
                break;
            case FaultKind.TimeoutBefore or FaultKind.TimeoutAfter:
                await HoldAsync(context);
                context.Abort();
                break;
            case FaultKind.DropBefore or FaultKind.DropAfter:
                context.Abort();
                break;
            case FaultKind.Malformed:
                await WriteAsync(context, answer!.Value with { Body = answer.Value.Body[..(answer.Value.Body.Length / 2)] });
                break;
            case FaultKind.Delay:
                await PauseAsync(fault.DelayMilliseconds);
                await WriteAsync(context, answer!.Value);
                break;
            case FaultKind.WebhookFirst:
                if (answer!.Value.Webhook is { } webhook)
                    await Task.WhenAny(webhook.FirstTry.Task, Task.Delay(LongestWaitForWebhook, lifetime.ApplicationStopping));
                await WriteAsync(context, answer.Value);
                break;
            case FaultKind.DelayBefore or FaultKind.Flaky:
                await WriteAsync(context, answer!.Value);
                break;
        }
    }

    private async Task HoldAsync(HttpContext context)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, lifetime.ApplicationStopping);
        await Task.Delay(TimeSpan.FromSeconds(options.HoldSeconds), end.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task PauseAsync(int milliseconds) =>
        await Task.Delay(milliseconds, lifetime.ApplicationStopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
}
