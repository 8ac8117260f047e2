using Microsoft.Extensions.Configuration;
using Payments.Domain.Disputes.Evidence;
using Payments.Domain.Providers.Credentials;
using Payments.Domain.Providers.Http;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Domain.Providers;

/// <summary>
/// A kind of provider: what a folder of Providers adds to the platform. One kind can be there under several names, with addresses of their own:
/// settings <c>Providers:NAME:Type</c> (the name itself where it is absent) and <c>Providers:NAME:BaseAddress</c>.
/// </summary>
/// <param name="Credentials">What it takes to call it.</param>
/// <param name="DefaultAddress">Where it is when no address is set; null when one has to be.</param>
/// <param name="Events">Translates the webhooks of the provider of this name.</param>
public sealed record ProviderType(
    string Name, IReadOnlyList<CredentialField> Credentials, Uri? DefaultAddress, Func<ProviderSetup, IPaymentProvider> Create, Func<string, INeutralEventMapper> Events)
{
    /// <summary>It moves no money, so that one provider of this kind may take live and test payments.</summary>
    public bool MovesNoMoney { get; init; }

    /// <summary>The mode that credentials say themselves, as Stripe's keys do; null where they do not.</summary>
    public Func<IReadOnlyDictionary<string, string>, Mode?> ModeOf { get; init; } = _ => null;

    /// <summary>Takes answers to disputes; null where they are given elsewhere.</summary>
    public Func<ProviderSetup, IServiceProvider, IDisputeProvider>? Disputes { get; init; }
}

/// <summary>What a provider is made of.</summary>
/// <param name="Settings">Its section of the settings.</param>
/// <param name="HttpTo">A way to another address of the same provider, with a circuit of its own.</param>
public sealed record ProviderSetup(
    string Name, IConfigurationSection Settings, ProviderHttp Http, ProviderAccess Access, CredentialSource Credentials, Func<Uri, ProviderHttp> HttpTo);
