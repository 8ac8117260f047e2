using Microsoft.Azure.Functions.Worker;
using Payments.Domain.Providers.Credentials;

namespace Payments.Functions.Timers;

/// <summary>After the key ring got a new active key, one night brings every merchant's credentials under it.</summary>
public sealed class ProviderTimers(ProviderCredentials credentials)
{
    [Function("ResealProviderCredentials")]
    public Task ResealAsync([TimerTrigger("0 41 3 * * *")] TimerInfo timer, CancellationToken ct) => credentials.ResealAsync(ct);
}
