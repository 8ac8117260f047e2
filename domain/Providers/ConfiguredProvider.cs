using Microsoft.Extensions.Configuration;
using Payments.Domain.Providers.Credentials;

namespace Payments.Domain.Providers;

/// <summary>A provider as the settings of this installation name it.</summary>
/// <param name="Mode">The mode whose payments it takes; null for both, which only a provider can be set to that moves no money.</param>
/// <param name="Platform">The platform's own credentials, for merchants that have none; null when they are not set, or not all of them.</param>
public sealed record ConfiguredProvider(string Name, ProviderType Type, Uri Address, IConfigurationSection Settings, Mode? Mode,
    ProviderSecrets? Platform)
{
    public bool Serves(Mode mode) => Mode is null || Mode == mode;
}
