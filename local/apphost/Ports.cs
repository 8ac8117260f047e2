using System.Globalization;
using Payments.Kit;

namespace Payments.AppHost;

/// <summary>One port of a run: who listens there, and how the user chooses another.</summary>
internal sealed record Port(int Number, string Owner, string ChosenBy)
{
    public override string ToString() => Number.ToString(CultureInfo.InvariantCulture);

    /// <exception cref="KitException">Another program listens on the port.</exception>
    public void RequireFree()
    {
        if (!FreePorts.IsFree(Number))
            throw new KitException($"port {Number}, meant for {Owner}, is taken: stop what listens there, or choose another port with {ChosenBy}.");
    }
}

/// <summary>The ports of a run. Instance n of the app listens on the n-th port of <see cref="Apps"/>.</summary>
internal sealed record Ports(
    IReadOnlyList<Port> Apps, Port Acquirer, Port Postgres, Port Blobs, Port Queues, Port Tables, Port ServiceBus, Port Dashboard, Port Telemetry)
{
    public AzuritePorts Azurite => new(Blobs.Number, Queues.Number, Tables.Number);

    /// <summary>The app's instances come first, then one port for each server in this order.</summary>
    private const int FirstServer = 10;

    private const int Taken = FirstServer + 8;

    public static Ports Choose(string? appPort, string? basePort, int instances)
    {
        var first = basePort is null ? (int?)null : Parse(basePort, "the first of all", "--base-port");
        if (first > ushort.MaxValue - Taken)
            throw new KitException($"--base-port {basePort} is too high: a run takes {Taken} ports from there.");

        var app = appPort is not null
            ? Parse(appPort, "the app", "--port")
            : first ?? FromEnvironment("APP_PORT", "the app") ?? 7071;
        Port Server(int offset, string owner, string variable, int standard) =>
            new(FromEnvironment(variable, owner) ?? (first + FirstServer + offset) ?? standard, owner, variable);
        return new(
            [.. Enumerable.Range(0, instances).Select(i => new Port(app + i, i == 0 ? "the app" : $"instance {i + 1} of the app", "--port"))],
            Server(0, "the sandbox acquirer", "ACQUIRER_PORT", 7090),
            Server(1, "Postgres", "POSTGRES_PORT", 54329),
            Server(2, "Azurite's blobs", "AZURITE_BLOB_PORT", 10000),
            Server(3, "Azurite's queues", "AZURITE_QUEUE_PORT", 10001),
            Server(4, "Azurite's tables", "AZURITE_TABLE_PORT", 10002),
            Server(5, "the Service Bus double", "SERVICEBUS_PORT", 5672),
            Server(6, "the dashboard", "DASHBOARD_PORT", 7091),
            Server(7, "the telemetry of all", "TELEMETRY_PORT", 7092));
    }

    /// <summary>
    /// Refuses a run for which another program holds a port. Postgres' port is checked later: a server that a killed run left behind still
    /// listens there.
    /// </summary>
    /// <exception cref="KitException">Names the first such port.</exception>
    public void RequireFree(string transport)
    {
        List<Port> all = [.. Apps, Acquirer, Blobs, Queues, Tables, Dashboard, Telemetry];
        if (transport == Transports.ServiceBus)
            all.Add(ServiceBus);
        all.ForEach(port => port.RequireFree());
    }

    private static int? FromEnvironment(string variable, string owner) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } text ? Parse(text, owner, variable) : null;

    private static int Parse(string text, string owner, string chosenBy) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port is > 0 and <= ushort.MaxValue
            ? port
            : throw new KitException($"'{text}' is not a port ({chosenBy} sets the port of {owner}).");
}
