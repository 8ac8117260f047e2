using System.Net.Http.Headers;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Payments.Domain.Database;
using Payments.Domain.Providers.Adyen;
using Payments.Domain.Providers.Credentials;
using Payments.Domain.Providers.Http;
using Payments.Domain.Providers.Routing;
using Payments.Domain.Providers.Sandbox;
using Payments.Domain.Providers.Stripe;
using Payments.Domain.Secrets;

namespace Payments.Domain.Providers;

public static partial class ProvidersRegistration
{
    private static readonly ProviderType[] Types = [SandboxType.Type, StripeType.Type, AdyenType.Type];

    /// <summary>
    /// Each section <c>Providers:NAME</c> configures the provider of that name. The sandbox needs no section. <c>Providers:Default</c>
    /// takes the live charges of merchants without routing rules, <c>Providers:TestDefault</c> their test charges.
    /// <c>Providers:NAME:Mode</c> is live or test, because a provider takes payments of one mode. It defaults to the mode of the platform's
    /// key if the key reveals it, otherwise to live. The sandbox moves no money and takes both modes by default.
    /// </summary>
    /// <exception cref="InvalidOperationException">A setting is missing or wrong. The message names it.</exception>
    public static IServiceCollection AddProviders(this IServiceCollection services, IConfiguration configuration)
    {
        services.TryAddSingleton(_ => SecretBox.FromConfiguration(configuration));
        var root = configuration.GetSection("Providers");
        var names = root.GetChildren().Where(section => section.GetChildren().Any()).Select(section => section.Key.ToLowerInvariant()).ToHashSet(StringComparer.Ordinal);
        names.Add(SandboxProvider.ProviderName);
        var configured = names.Order(StringComparer.Ordinal).Select(name => Read(name, root.GetSection(name))).ToList();
        services.AddSingleton(provider => new ProviderCredentials(
            provider.GetRequiredService<Npgsql.NpgsqlDataSource>(), provider.GetRequiredService<SecretBox>(), configured, provider.GetRequiredService<TimeProvider>()));
        foreach (var one in configured)
        {
            AddHttp(services, one);
            services.AddKeyedSingleton(one.Name, (provider, _) => Setup(provider, one));
            services.AddSingleton(provider => one.Type.Create(provider.GetRequiredKeyedService<ProviderSetup>(one.Name)));
            foreach (var mapper in one.Type.DisputeEvents(one.Name).Append(one.Type.Events(one.Name)))
                services.AddSingleton(one.Mode is { } mode ? new OneModeMapper(mapper, mode, one.Type.ModeOfEvent) : mapper);
            if (one.Type.Disputes is { } disputes)
                services.AddSingleton(provider => disputes(provider.GetRequiredKeyedService<ProviderSetup>(one.Name), provider));
        }

        // Disputes can come from a provider that takes no payments of this platform.
        foreach (var type in Types.Where(type => !names.Contains(type.Name)))
        {
            foreach (var mapper in type.DisputeEvents(type.Name))
                services.AddSingleton(mapper);
        }

        services.AddSingleton(provider => new PaymentProviders(
            provider.GetServices<IPaymentProvider>(), DefaultOf(root, "Default"), DefaultOf(root, "TestDefault"),
            configured.Where(one => one.Mode is not null).ToDictionary(one => one.Name, one => one.Mode!.Value, StringComparer.Ordinal)));
        services.AddSingleton<RoutingRules>();
        services.AddSingleton<DisputeOwners>();
        return services;
    }

    private static string DefaultOf(IConfigurationSection root, string setting) =>
        root[setting] is { Length: > 0 } name ? name.ToLowerInvariant() : SandboxProvider.ProviderName;

    private static Mode? ModeOf(IConfigurationSection section, ProviderType type, Uri address, ProviderSecrets? platform)
    {
        var ofKey = (platform is null ? null : type.ModeOf(platform.Values)) ?? type.ModeOfAddress(address);
        Mode? mode = section["Mode"] switch
        {
            null or "" => ofKey ?? (type.MovesNoMoney ? null : Mode.Live),
            "live" => Mode.Live,
            "test" => Mode.Test,
            var other => throw new InvalidOperationException($"Providers__{section.Key}__Mode must be live or test, but is '{other}'."),
        };
        return ofKey is null || ofKey == mode
            ? mode
            : throw new InvalidOperationException(
                $"Providers__{section.Key}__Mode must be {DbText.Of(ofKey.Value)}, as its key or address says.");
    }

    private static ConfiguredProvider Read(string name, IConfigurationSection section)
    {
        if (!ProviderName().IsMatch(name))
            throw new InvalidOperationException(
                $"Providers__{section.Key} has an invalid name. Rename it to 1 to 32 letters, digits and underscores.");
        var typeName = section["Type"] ?? name;
        var type = Types.FirstOrDefault(t => t.Name == typeName)
            ?? throw new InvalidOperationException(
                $"Providers__{section.Key}__Type must be one of {string.Join(", ", Types.Select(t => t.Name))}, but is '{typeName}'.");
        var address = section["BaseAddress"] is { Length: > 0 } text
            ? Uri.TryCreate(text.TrimEnd('/') + '/', UriKind.Absolute, out var given) && given.Scheme is "https" or "http" ? given
                : throw new InvalidOperationException($"Providers__{section.Key}__BaseAddress must be an http or https address.")
            : type.DefaultAddress ?? throw new InvalidOperationException(
                $"Providers__{section.Key}__BaseAddress is missing. Set it: providers of type '{type.Name}' have no default address.");

        // A live key that is sent in clear text must count as stolen. Only a loopback address is safe without TLS.
        if (address.Scheme == "http" && !address.IsLoopback)
            throw new InvalidOperationException($"Providers__{section.Key}__BaseAddress must begin with https://.");
        var values = type.Credentials
            .Select(field => (field.Name, Value: section[field.Name.Replace("_", "", StringComparison.Ordinal)]))
            .Where(field => !string.IsNullOrEmpty(field.Value))
            .ToDictionary(field => field.Name, field => field.Value!, StringComparer.Ordinal);
        var complete = type.Credentials.All(field => !field.IsRequired || values.ContainsKey(field.Name));
        var platform = complete ? new ProviderSecrets(values) : null;
        return new ConfiguredProvider(name, type, address, section, ModeOf(section, type, address, platform), platform);
    }

    private static void AddHttp(IServiceCollection services, ConfiguredProvider configured)
    {
        var options = Options(configured);
        services.AddHttpClient(configured.Name, http =>
        {
            http.BaseAddress = configured.Address;

            // The sandbox client for dispute responses sends the platform's own credentials.
            if (configured.Type == SandboxType.Type && configured.Platform is { } platform)
                http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", platform["api_key"]);
        }).ConfigurePrimaryHttpMessageHandler(() => new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
            ConnectTimeout = options.ConnectTimeout,
        }).RemoveAllLoggers();
    }

    private static ProviderSetup Setup(IServiceProvider services, ConfiguredProvider configured)
    {
        var log = services.GetRequiredService<ILoggerFactory>().CreateLogger("Payments.Providers");
        var credentials = services.GetRequiredService<ProviderCredentials>();
        CredentialSource source = (merchant, ct) => credentials.FindAsync(merchant, configured.Name, ct);
        return new ProviderSetup(
            configured.Name, configured.Settings, HttpTo(configured.Address), new ProviderAccess(configured.Name, source, log), source, HttpTo);

        ProviderHttp HttpTo(Uri address)
        {
            var http = services.GetRequiredService<IHttpClientFactory>().CreateClient(configured.Name);
            http.BaseAddress = address;
            return new ProviderHttp(configured.Name, http, Options(configured), services.GetRequiredService<TimeProvider>(), log);
        }
    }

    private static ProviderHttpOptions Options(ConfiguredProvider configured)
    {
        var options = new ProviderHttpOptions();
        configured.Settings.GetSection("Http").Bind(options);
        if (configured.Settings["Timeout"] is { Length: > 0 } timeout)
            options.Timeout = TimeSpan.Parse(timeout, System.Globalization.CultureInfo.InvariantCulture);
        return options;
    }

    [GeneratedRegex("^[a-z0-9_]{1,32}$", RegexOptions.CultureInvariant)]
    private static partial Regex ProviderName();
}
