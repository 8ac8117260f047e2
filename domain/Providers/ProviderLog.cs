using Microsoft.Extensions.Logging;

namespace Payments.Domain.Providers;

internal static partial class ProviderLog
{
    [LoggerMessage(3201, LogLevel.Error, "The circuit of {Provider} is open for {Break}: most calls fail, last: {Detail}")]
    public static partial void CircuitOpened(ILogger logger, string provider, TimeSpan @break, string? detail);

    [LoggerMessage(3202, LogLevel.Information, "The circuit of {Provider} is closed again.")]
    public static partial void CircuitClosed(ILogger logger, string provider);

    [LoggerMessage(3203, LogLevel.Error, "The credentials of {Merchant} at {Provider} cannot be read; nothing is sent.")]
    public static partial void CredentialsUnreadable(ILogger logger, MerchantId merchant, string provider, Exception exception);
}
