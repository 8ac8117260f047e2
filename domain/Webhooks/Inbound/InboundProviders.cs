using Microsoft.Extensions.Configuration;

namespace Payments.Domain.Webhooks.Inbound;

/// <summary>
/// The providers whose webhooks are accepted. Each has the settings <c>Webhooks:Inbound:NAME:Scheme</c> (<c>standard</c> by default,
/// <c>stripe</c>, <c>adyen</c>, or one that an integration adds), <c>:Secret</c>, and <c>:PreviousSecret</c> while the partner changes its
/// secret.
/// </summary>
public sealed class InboundProviders
{
    private readonly Dictionary<string, IWebhookVerifier> _verifiers = new(StringComparer.Ordinal);

    public InboundProviders(IConfiguration configuration, IEnumerable<WebhookScheme> schemes)
    {
        var byName = schemes.ToDictionary(scheme => scheme.Name, StringComparer.Ordinal);
        foreach (var provider in configuration.GetSection("Webhooks:Inbound").GetChildren())
        {
            var name = provider.Key.ToLowerInvariant();
            var scheme = provider["Scheme"] ?? "standard";
            string[] secrets = [.. new[] { provider["Secret"], provider["PreviousSecret"] }.OfType<string>().Where(secret => secret.Length > 0)];
            if (!byName.TryGetValue(scheme, out var found))
            {
                var names = string.Join(", ", byName.Keys.Order());
                throw new InvalidOperationException(
                $"Webhooks__Inbound__{provider.Key}__Scheme must be one of {names}, but is '{scheme}'.");
            }

            if (secrets.Length == 0)
            {
                throw new InvalidOperationException(
                    $"Webhooks__Inbound__{provider.Key}__Secret is missing. Set it to the secret that '{name}' signs its webhooks with.");
            }

            _verifiers[name] = found.Create(secrets);
        }
    }

    public IWebhookVerifier? Find(string provider) => _verifiers.GetValueOrDefault(provider);
}
