using System.Diagnostics;
using System.Diagnostics.Metrics;
using Payments.Domain.Database;

namespace Payments.Domain.Providers;

/// <summary>Times and traces the calls to a provider. <see cref="PaymentProviders"/> wraps every provider in one.</summary>
internal sealed class MeasuredProvider(IPaymentProvider provider) : IPaymentProvider
{
    private static readonly ActivitySource Activities = new("Payments.Providers");
    private static readonly Meter Meter = new("Payments.Providers");
    private static readonly Histogram<double> Latency = Meter.CreateHistogram<double>("payments.provider.latency", "s", "Time of a call to a provider, by provider, call, operation and result");

    public string Name => provider.Name;

    public DescriptorRule? Descriptors => provider.Descriptors;

    public async Task<PaymentAnswer> SendAsync(PaymentRequest request, CancellationToken ct) => (await CallAsync("send", request, async () => await provider.SendAsync(request, ct)))!;

    public Task<PaymentAnswer?> FindAsync(PaymentRequest request, CancellationToken ct) => CallAsync("find", request, () => provider.FindAsync(request, ct));

    public async Task<PaymentAnswer> CompleteAsync(PaymentRequest request, string? result, CancellationToken ct) =>
        (await CallAsync("complete", request, async () => await provider.CompleteAsync(request, result, ct)))!;

    private async Task<PaymentAnswer?> CallAsync(string call, PaymentRequest request, Func<Task<PaymentAnswer?>> ask)
    {
        var operation = DbText.Of(request.Operation);
        using var activity = Activities.StartActivity($"{call} {operation} {provider.Name}", ActivityKind.Client);
        activity?.SetTag("payments.provider", provider.Name);
        activity?.SetTag("payments.attempt", request.Reference.Attempt.ToString());
        var started = Stopwatch.GetTimestamp();
        var result = "thrown";
        try
        {
            var answer = await ask();
            result = answer is null ? "not_found" : DbText.Of(answer.Result);
            return answer;
        }
        finally
        {
            activity?.SetTag("payments.result", result);
            Latency.Record(Stopwatch.GetElapsedTime(started).TotalSeconds, new("provider", provider.Name), new("call", call), new("operation", operation), new("result", result));
        }
    }
}
