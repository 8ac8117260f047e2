using Microsoft.Extensions.DependencyInjection;
using Payments.Domain;
using Payments.Domain.Providers;

namespace Payments.TestHooks.Bugs;

/// <summary>Bug: a charge whose outcome is unknown is sent again, under another reference.</summary>
internal sealed class RetryUnknown(IPaymentProvider provider, TimeProvider time) : IPaymentProvider
{
    public string Name => provider.Name;

    public static void AddTo(IServiceCollection services) =>
        services.Decorate<IPaymentProvider>((provider, inner) => new RetryUnknown(inner, provider.GetRequiredService<TimeProvider>()));

    public async Task<PaymentAnswer> SendAsync(PaymentRequest request, CancellationToken ct)
    {
        var answer = await provider.SendAsync(request, ct);
        if (request.Operation is not PaymentOperation.Charge || answer.Result is not PaymentResult.Unknown)
            return answer;
        var other = request.Reference with { Attempt = PrefixedId.New<AttemptId>(time.GetUtcNow()) };
        return await provider.SendAsync(request with { Reference = other }, ct);
    }

    public Task<PaymentAnswer?> FindAsync(PaymentRequest request, CancellationToken ct) => provider.FindAsync(request, ct);

    public Task<PaymentAnswer> CompleteAsync(PaymentRequest request, string? result, CancellationToken ct) => provider.CompleteAsync(request, result, ct);
}
