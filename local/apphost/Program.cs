using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Payments.AppHost;
using Payments.Kit;

// Ctrl-C and its like end the run in order; the exit code is the one a shell gives for the signal.
using var stop = new CancellationTokenSource();
var signalled = 0;
void OnSignal(PosixSignalContext context)
{
    context.Cancel = true;
    signalled = context.Signal switch { PosixSignal.SIGINT => 130, PosixSignal.SIGTERM => 143, _ => 129 };
    stop.Cancel();
}

using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal);
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal);
using var hangup = PosixSignalRegistration.Create(PosixSignal.SIGHUP, OnSignal);

try
{
    var options = RunOptions.Parse(args);
    using var files = new RunFiles(Instance.DataFolder);
    if (!files.TryLock())
        return await WithOtherRunAsync(options.Command, files);
    if (options.Command == RunCommand.Reset)
    {
        Instance.Remove();
        Terminal.Say("The local data is gone.");
        return 0;
    }

    options.Ports.RequireFree(options.Transport);
    var instance = await Instance.PrepareAsync(options, files.Logs);
    if (!instance.Migrates)
        Terminal.Say("Using the database as it is: ConnectionStrings__PostgresOwner is not set, so it is not migrated.");

    using var logs = new LogFiles(files.Logs);
    var token = Environment.GetEnvironmentVariable("ASPIRE_DASHBOARD_FRONTEND_BROWSERTOKEN") is { Length: > 0 } given
        ? given
        : Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
    var dashboard = $"http://127.0.0.1:{options.Ports.Dashboard}/login?t={token}";
    var builder = DistributedApplication.CreateBuilder(new DistributedApplicationOptions
    {
        // Everything listens on loopback, and the dashboard asks for the token.
        AllowUnsecuredTransport = true,
        Args =
        [
            $"ASPNETCORE_URLS=http://127.0.0.1:{options.Ports.Dashboard}",
            $"ASPIRE_DASHBOARD_OTLP_HTTP_ENDPOINT_URL=http://127.0.0.1:{options.Ports.Telemetry}",
            $"ASPIRE_DASHBOARD_FRONTEND_BROWSERTOKEN={token}",
            // Otherwise it would be HTTPS, with a certificate that this machine may not have.
            $"ASPIRE_RESOURCE_SERVICE_ENDPOINT_URL=http://127.0.0.1:{FreePorts.Take()}",
            "ASPIRE_DASHBOARD_TELEMETRY_OPTOUT=true",
            "ASPIRE_VERSION_CHECK_DISABLED=true",
            "DcpPublisher:WaitForResourceCleanup=true",
        ],
    });
    builder.Services.AddSingleton<IHostLifetime, OwnLifetime>();
    builder.Services.AddLogging(logging => logging.ClearProviders().AddProvider(logs));
    var stack = new Stack(builder, options, instance, files.DemoMerchant);
    stack.Add();

    // They come with the environment, but belong to one resource each.
    foreach (var name in new[] { "Messaging__Transport", "ConnectionStrings__PostgresOwner", "ConnectionStrings__PostgresAdmin" })
        Environment.SetEnvironmentVariable(name, null);

    await using var run = new LocalRun(builder.Build(), stack, logs, dashboard);
    await run.StartAsync(stop.Token);
    files.WriteRunning(
    [
        new("PAYMENTS_URL", options.AppUrl),
        new("PAYMENTS_PLATFORM_KEY", instance.Secrets.PlatformKey),
        new("PAYMENTS_ACQUIRER_URL", $"http://127.0.0.1:{options.Ports.Acquirer}"),
        new("PAYMENTS_ACQUIRER_KEY", instance.Secrets.AcquirerKey),
        new("PAYMENTS_STORAGE", Azurite.ConnectionStringOf(options.Ports.Azurite)),
    ]);
    if (options.Command == RunCommand.Demo)
        return await DemoAsync(files, stop.Token);

    Terminal.Ready(options, files, instance, dashboard);
    await run.WatchAsync(stop.Token);
    return 0;
}
catch (OperationCanceledException) when (signalled != 0)
{
    return signalled;
}
catch (KitException problem)
{
    Terminal.Say($"run: {problem.Message}");
    return 1;
}

async Task<int> WithOtherRunAsync(RunCommand command, RunFiles files)
{
    if (command == RunCommand.Reset)
        throw new KitException($"it is running ({files.Holder}): stop it first.");
    if (command == RunCommand.Serve)
        throw new KitException($"it is already running ({files.Holder}), its address is in {files.Running}.");
    if (!File.Exists(files.Running))
        throw new KitException($"it is still starting ({files.Holder}): try again when it is ready.");
    return await DemoAsync(files, stop.Token);
}

async Task<int> DemoAsync(RunFiles files, CancellationToken cancellation)
{
    var start = new ProcessStartInfo("node", [Path.Combine(Repository.Root, "local", "demo.mjs")]);
    foreach (var (name, value) in files.ReadRunning())
        start.Environment[name] = value;
    using var demo = Process.Start(start)!;
    try
    {
        await demo.WaitForExitAsync(cancellation);
        return demo.ExitCode;
    }
    catch (OperationCanceledException)
    {
        demo.Kill();
        throw;
    }
}
