namespace Payments.Domain.Providers.Credentials;

/// <summary>The credentials for calls to a provider: named values, such as <c>secret_key</c>. They are never logged.</summary>
public sealed class ProviderSecrets(IReadOnlyDictionary<string, string> values)
{
    public IReadOnlyDictionary<string, string> Values => values;

    /// <exception cref="KeyNotFoundException">There is no such value. Required values always exist.</exception>
    public string this[string name] => values[name];

    public string? Find(string name) => values.GetValueOrDefault(name);

    public override string ToString() => $"{values.Count} values";
}

/// <summary>One value that a kind of provider takes as credentials.</summary>
/// <param name="Name">The name in the API. The setting of the platform's own value has the same name without underscores.</param>
/// <param name="IsSecret">Whether the API shows it only as a hint.</param>
public sealed record CredentialField(string Name, bool IsSecret, bool IsRequired);

/// <summary>
/// Finds the credentials for a merchant's payments: the merchant's own, otherwise the platform's. Null if there are none.
/// </summary>
public delegate ValueTask<ProviderSecrets?> CredentialSource(MerchantId merchant, CancellationToken ct);
