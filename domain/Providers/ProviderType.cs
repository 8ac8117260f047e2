using System.Text.Json;
using Microsoft.Extensions.Configuration;
using Payments.Domain.Disputes.Evidence;
using Payments.Domain.Providers.Credentials;
using Payments.Domain.Providers.Http;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Domain.Providers;

/// <summary>
/// A kind of provider: everything that one folder of Providers adds to the platform. Several providers of one kind can be configured, each
/// with its own name and address. Settings: <c>Providers:NAME:Type</c>, which defaults to the name, and <c>Providers:NAME:BaseAddress</c>.
/// </summary>
/// <param name="Credentials">The credentials that its API needs.</param>
/// <param name="DefaultAddress">The address without a setting. Null if the setting is required.</param>
/// <param name="Events">Creates the mapper of the events of the provider with this name.</param>
public sealed record ProviderType(
    string Name, IReadOnlyList<CredentialField> Credentials, Uri? DefaultAddress, Func<ProviderSetup, IPaymentProvider> Create,
    Func<string, INeutralEventMapper> Events)
{
    /// <summary>True if it moves no money. One provider of this kind may then take live and test payments.</summary>
    public bool MovesNoMoney { get; init; }

    /// <summary>The mode that credentials reveal, as Stripe's keys do. Null if they do not.</summary>
    public Func<IReadOnlyDictionary<string, string>, Mode?> ModeOf { get; init; } = _ => null;

    /// <summary>Creates the mappers of the dispute webhooks of the provider with the given name.</summary>
    public Func<string, IReadOnlyList<INeutralEventMapper>> DisputeEvents { get; init; } = _ => [];

    /// <summary>The mode that the provider's address reveals; null if it reveals none.</summary>
    public Func<Uri, Mode?> ModeOfAddress { get; init; } = _ => null;

    /// <summary>The mode that an event reveals; null if it reveals none.</summary>
    public Func<JsonElement, Mode?> ModeOfEvent { get; init; } = _ => null;

    /// <summary>Creates the provider's client for dispute responses. Null if responses are not sent through it.</summary>
    public Func<ProviderSetup, IServiceProvider, IDisputeProvider>? Disputes { get; init; }
}

/// <summary>The parts that a provider is created from.</summary>
/// <param name="Settings">The provider's section of the settings.</param>
/// <param name="HttpTo">Creates a client for another address of the same provider, with its own circuit.</param>
public sealed record ProviderSetup(
    string Name, IConfigurationSection Settings, ProviderHttp Http, ProviderAccess Access, CredentialSource Credentials, Func<Uri, ProviderHttp> HttpTo);
