namespace Payments.Domain.Providers.Credentials;

/// <summary>How we prove to a provider who we are: named values, such as <c>secret_key</c>. Never written out.</summary>
public sealed class ProviderSecrets(IReadOnlyDictionary<string, string> values)
{
    public IReadOnlyDictionary<string, string> Values => values;

    /// <exception cref="KeyNotFoundException">The value is not there; required ones always are.</exception>
    public string this[string name] => values[name];

    public string? Find(string name) => values.GetValueOrDefault(name);

    public override string ToString() => $"{values.Count} values";
}

/// <summary>One value that a kind of provider takes as credentials.</summary>
/// <param name="Name">As the API spells it; the setting of the platform's own is the same without underscores.</param>
/// <param name="IsSecret">Whether it is shown as a hint only.</param>
public sealed record CredentialField(string Name, bool IsSecret, bool IsRequired);

/// <summary>Looks up the credentials for a merchant's payments: the merchant's own, else the platform's; null when there are none.</summary>
public delegate ValueTask<ProviderSecrets?> CredentialSource(MerchantId merchant, CancellationToken ct);
