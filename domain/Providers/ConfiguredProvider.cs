using Microsoft.Extensions.Configuration;
using Payments.Domain.Providers.Credentials;

namespace Payments.Domain.Providers;

/// <summary>A provider as the settings configure it.</summary>
/// <param name="Mode">The mode whose payments it takes. Null means both, which is allowed only for a provider that moves no money.</param>
/// <param name="Platform">
/// The platform's own credentials, for merchants without credentials. Null if the settings lack some or all of them.
/// </param>
public sealed record ConfiguredProvider(
    string Name, ProviderType Type, Uri Address, IConfigurationSection Settings, Mode? Mode, ProviderSecrets? Platform)
{
    public bool Serves(Mode mode) => Mode is null || Mode == mode;
}
