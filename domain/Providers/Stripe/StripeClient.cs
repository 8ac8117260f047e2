using System.Net.Http.Headers;
using Payments.Domain.Providers.Credentials;
using Payments.Domain.Providers.Http;

namespace Payments.Domain.Providers.Stripe;

/// <summary>Requests to one version of Stripe's API.</summary>
internal static class StripeClient
{
    /// <summary>
    /// The API version that this folder reads. Every request names it, so that the account's own version does not matter.
    /// (docs.stripe.com/api/versioning.)
    /// </summary>
    public const string Version = "2024-06-20";

    public static readonly CredentialField SecretKey = new("secret_key", IsSecret: true, IsRequired: true);

    /// <summary>The connected account on whose behalf requests are made. (docs.stripe.com/connect/authentication.)</summary>
    public static readonly CredentialField Account = new("account", IsSecret: false, IsRequired: false);

    public static HttpRequestMessage Get(string path, ProviderSecrets secrets) => Signed(new HttpRequestMessage(HttpMethod.Get, path), secrets);

    /// <param name="idempotencyKey">
    /// At most 255 characters. Stripe keeps answers for at least 24 hours. (docs.stripe.com/api/idempotent_requests.)
    /// </param>
    public static HttpRequestMessage Post(string path, StripeForm form, string idempotencyKey, ProviderSecrets secrets)
    {
        var message = new HttpRequestMessage(HttpMethod.Post, path) { Content = new SentContent(form.ToBytes(), "application/x-www-form-urlencoded") };
        message.Headers.Add("Idempotency-Key", idempotencyKey);
        return Signed(message, secrets);
    }

    /// <summary>A multipart request that uploads a file.</summary>
    public static HttpRequestMessage Upload(string path, byte[] body, string mediaType, string idempotencyKey, ProviderSecrets secrets)
    {
        var message = new HttpRequestMessage(HttpMethod.Post, path) { Content = new SentContent(body, mediaType) };
        message.Headers.Add("Idempotency-Key", idempotencyKey);
        return Signed(message, secrets);
    }

    private static HttpRequestMessage Signed(HttpRequestMessage message, ProviderSecrets secrets)
    {
        message.Headers.Authorization = new AuthenticationHeaderValue("Bearer", secrets[SecretKey.Name]);
        message.Headers.Add("Stripe-Version", Version);
        if (secrets.Find(Account.Name) is { Length: > 0 } account)
            message.Headers.Add("Stripe-Account", account);
        return message;
    }
}
