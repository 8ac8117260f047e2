using System.Text.Json;
using Microsoft.Azure.Functions.Worker;

namespace FunctionsHost.SampleApp;

/// <summary>Functions that the clock starts.</summary>
public sealed class TimerFunctions(Journal journal)
{
    [Function("Timer")]
    public Task Timer([TimerTrigger("%Schedule%")] TimerInfo timer, FunctionContext context, CancellationToken cancellation) =>
        journal.TakeAsync(JsonSerializer.Serialize(timer), context, cancellation);

    [Function("StartupTimer")]
    public Task StartupTimer(
        [TimerTrigger("%Schedule%", RunOnStartup = true)] TimerInfo timer, FunctionContext context, CancellationToken cancellation) =>
        journal.TakeAsync(JsonSerializer.Serialize(timer), context, cancellation);

    [Function("RetriedTimer"), FixedDelayRetry(2, "00:00:00.010")]
    public Task RetriedTimer(
        [TimerTrigger("%Schedule%", RunOnStartup = true)] TimerInfo timer, FunctionContext context, CancellationToken cancellation) =>
        journal.TakeAsync(JsonSerializer.Serialize(timer), context, cancellation);
}
