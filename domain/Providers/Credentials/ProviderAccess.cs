using Microsoft.Extensions.Logging;

namespace Payments.Domain.Providers.Credentials;

/// <summary>Finds the credentials for a merchant's calls to a provider. A failure here happens before anything is sent.</summary>
public sealed class ProviderAccess(string provider, CredentialSource source, ILogger log)
{
    /// <returns>The credentials, or an answer that says that nothing was sent.</returns>
    public async ValueTask<(ProviderSecrets? Secrets, PaymentAnswer? Failure)> OpenAsync(MerchantId merchant, CancellationToken ct)
    {
        try
        {
            return await source(merchant, ct) is { } secrets
                ? (secrets, null)
                : (null, PaymentAnswer.NotSent($"There are no credentials for {provider}."));
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            ProviderLog.CredentialsUnreadable(log, merchant, provider, e);
            return (null, PaymentAnswer.NotSent($"The credentials for {provider} cannot be read."));
        }
    }
}
