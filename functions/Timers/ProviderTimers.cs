using Microsoft.Azure.Functions.Worker;
using Payments.Domain.Providers.Credentials;

namespace Payments.Functions.Timers;

/// <summary>Seals every merchant's credentials with the active key, within one night after the active key changed.</summary>
public sealed class ProviderTimers(ProviderCredentials credentials)
{
    [Function("ResealProviderCredentials")]
    public Task ResealAsync([TimerTrigger("0 41 3 * * *")] TimerInfo timer, CancellationToken ct) => credentials.ResealAsync(ct);
}
