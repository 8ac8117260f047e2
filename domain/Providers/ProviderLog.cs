using Microsoft.Extensions.Logging;

namespace Payments.Domain.Providers;

internal static partial class ProviderLog
{
    [LoggerMessage(3201, LogLevel.Error, "Provider {Provider}: the circuit breaker opened for {BreakDuration}, last failure: {Detail}")]
    public static partial void CircuitOpened(ILogger logger, string provider, TimeSpan breakDuration, string? detail);

    [LoggerMessage(3202, LogLevel.Information, "Provider {Provider}: the circuit breaker closed")]
    public static partial void CircuitClosed(ILogger logger, string provider);

    [LoggerMessage(3203, LogLevel.Error,
        "Merchant {MerchantId}: reading the credentials for provider {Provider} failed, nothing was sent to the provider")]
    public static partial void CredentialsUnreadable(ILogger logger, MerchantId merchantId, string provider, Exception exception);
}
