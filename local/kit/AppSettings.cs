using System.Text.Json.Nodes;

namespace Payments.Kit;

/// <summary>What the app needs to know of the servers around it.</summary>
public sealed record AppSurroundings(string Storage, string Postgres, Uri Acquirer, Secrets Secrets)
{
    /// <summary>What carries messages: <c>storage</c> or <c>servicebus</c>.</summary>
    public string Transport { get; init; } = Transports.Storage;

    /// <summary>The connection string of Service Bus, for that transport.</summary>
    public string ServiceBus { get; init; } = "";

    /// <summary>The name under which the app knows the platform's key.</summary>
    public string PlatformKeyName { get; init; } = "local";
}

/// <summary>The names of the two transports of messages.</summary>
public static class Transports
{
    public const string Storage = "storage";
    public const string ServiceBus = "servicebus";

    /// <exception cref="KitException">There is no such transport.</exception>
    public static string Parse(string name) => name is Storage or ServiceBus
        ? name
        : throw new KitException($"the transport is '{Storage}' or '{ServiceBus}', not '{name}'.");
}

/// <summary>The app's settings file: the sample, filled in for one instance.</summary>
public static class AppSettings
{
    // The platform in the examples' bank files. The IBAN is the example of the IBAN registry.
    private static readonly Dictionary<string, string> BankFiles = new()
    {
        ["Payouts__OriginatorName"] = "Payment Functions",
        ["Payouts__OriginatorIban"] = "DE89370400440532013000",
        ["Payouts__OriginatorAddress__StreetName"] = "Beispielstrasse",
        ["Payouts__OriginatorAddress__BuildingNumber"] = "1",
        ["Payouts__OriginatorAddress__PostCode"] = "10117",
        ["Payouts__OriginatorAddress__TownName"] = "Berlin",
        ["Payouts__OriginatorAddress__Country"] = "DE",
        ["Payouts__NachaDestination"] = "091000019",
        ["Payouts__NachaDestinationName"] = "SANDBOX BANK",
        ["Payouts__NachaOrigin"] = "1000000000",
        ["Payouts__NachaCompanyId"] = "1000000000",
        ["Payouts__NachaOdfi"] = "09100001",
    };

    /// <summary>The content of <c>local.settings.json</c>.</summary>
    /// <param name="surroundings">The servers of this instance.</param>
    /// <param name="settings">Further settings, which replace those before them.</param>
    public static string Compose(AppSurroundings surroundings, IEnumerable<KeyValuePair<string, string>>? settings = null)
    {
        var file = JsonNode.Parse(File.ReadAllText(Path.Combine(Repository.Root, "local.settings.sample.json")))!;
        var values = file["Values"]!.AsObject();

        // The sample disables the functions of Service Bus. On that transport they run, and their counterparts for Storage queues do not.
        if (surroundings.Transport == Transports.ServiceBus)
        {
            foreach (var name in values.Select(value => value.Key).Where(name => name.EndsWith("FromServiceBus.Disabled", StringComparison.Ordinal)).ToArray())
            {
                values.Remove(name);
                var storage = name.Replace("FromServiceBus", "FromStorage", StringComparison.Ordinal);
                values[storage.Replace("DeadFromStorage", "PoisonFromStorage", StringComparison.Ordinal)] = "true";
            }
        }

        values["AzureWebJobsStorage"] = surroundings.Storage;
        values["Messaging__Transport"] = surroundings.Transport;
        values["ServiceBus"] = surroundings.ServiceBus;
        values["ConnectionStrings__Postgres"] = surroundings.Postgres;
        values["Platform__ApiKeyHashes"] = $"{surroundings.PlatformKeyName}:{surroundings.Secrets.PlatformKeyHash}";
        values["Providers__Sandbox__BaseAddress"] = surroundings.Acquirer.ToString();
        values["Providers__Sandbox__ApiKey"] = surroundings.Secrets.AcquirerKey;
        values["Webhooks__Inbound__sandbox__Secret"] = surroundings.Secrets.WebhookSecret;
        values["Secrets__Keys__local"] = surroundings.Secrets.EncryptionKey;
        values["Logging__Console__Enabled"] = "true";

        // A currency that goes to the bank by file does not start without these.
        foreach (var (name, value) in BankFiles)
            values[name] = value;
        foreach (var (name, value) in settings ?? [])
            values[name] = value;
        return file.ToJsonString(new() { WriteIndented = true });
    }
}
