namespace Payments.Kit;

/// <summary>The commands of the programs built in this clone.</summary>
public static class Programs
{
    /// <summary>The sandbox processor and bank.</summary>
    /// <param name="port">Its port.</param>
    /// <param name="secrets">Its key, and the secret of its webhooks.</param>
    /// <param name="data">The folder of its journal.</param>
    /// <param name="webhooks">Where it sends webhooks; null sends none.</param>
    public static Command Acquirer(int port, Secrets secrets, string data, Uri? webhooks)
    {
        var command = Command.Dotnet(Repository.Built("local/acquirer", "Payments.Acquirer.dll")).With(
        [
            new("Acquirer__Port", $"{port}"),
            new("Acquirer__ApiKey", secrets.AcquirerKey),
            new("Acquirer__DataDirectory", data),
        ]);
        return webhooks is null
            ? command
            : command.With([new("Acquirer__WebhookUrl", webhooks.ToString()), new("Acquirer__WebhookSecret", secrets.WebhookSecret)]);
    }

    /// <summary>The double of Azure Service Bus.</summary>
    /// <param name="port">Its port.</param>
    /// <param name="data">The file that keeps messages; null keeps them in memory.</param>
    /// <param name="queues">The file that lists queues; null is the app's own list.</param>
    public static Command ServiceBus(int port, string? data, string? queues = null)
    {
        string[] kept = data is null ? [] : ["--data", data];
        return Command.Dotnet(
            Repository.Built("local/servicebus", "Payments.ServiceBusDouble.dll"),
            ["--port", $"{port}", "--queues", queues ?? Path.Combine(Repository.Root, "local", "servicebus", "queues.json"), .. kept]);
    }

    /// <summary>The connection string of <see cref="ServiceBus"/>.</summary>
    public static string ServiceBusConnectionString(int port) =>
        $"Endpoint=sb://localhost:{port};SharedAccessKeyName=local;SharedAccessKey=local;UseDevelopmentEmulator=true;";

    /// <summary>Applies pending migrations.</summary>
    /// <param name="logins">The connection strings of the app, of the owner, and of the administrator if roles and database are made first.</param>
    public static Command Migrate(DatabaseLogins logins) => Command.Dotnet(
        Repository.Built("domain.migrate", "Payments.Migrate.dll"), logins.Admin is null ? ["apply"] : ["apply", "--bootstrap"]).With(
    [
        new("ConnectionStrings__Postgres", logins.App),
        new("ConnectionStrings__PostgresOwner", logins.Owner),
        new("ConnectionStrings__PostgresAdmin", logins.Admin ?? ""),
    ]);

    /// <summary>The Functions host with an app.</summary>
    /// <param name="app">The folder of the published app, with its settings.</param>
    /// <param name="port">The port of HTTP.</param>
    public static Command Host(string app, int port) =>
        Command.Dotnet(Repository.Built("local/host", "FunctionsHost.dll"), "--app", app, "--port", $"{port}") with { Folder = app };

    /// <summary>The app on Azure Functions Core Tools, from the same folder.</summary>
    /// <inheritdoc cref="Host"/>
    public static Command CoreTools(string app, int port) => new("func", ["start", "--no-build", "--port", $"{port}"]) { Folder = app };

    /// <summary>Copies the published app, so that a build does not replace files of an app that runs, and writes its settings.</summary>
    public static void CopyApp(string folder, string settings)
    {
        if (!File.Exists(Path.Combine(Repository.PublishedApp, "Payments.Functions.dll")))
            throw new KitException($"The app is not published: run 'dotnet build Functions.sln -c {Repository.Configuration}'.");
        if (Directory.Exists(folder))
            Directory.Delete(folder, recursive: true);
        Copy(Repository.PublishedApp, folder);
        PrivateFile.Write(Path.Combine(folder, "local.settings.json"), settings);
    }

    private static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var file in Directory.EnumerateFiles(from))
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
        foreach (var folder in Directory.EnumerateDirectories(from))
            Copy(folder, Path.Combine(to, Path.GetFileName(folder)));
    }
}
