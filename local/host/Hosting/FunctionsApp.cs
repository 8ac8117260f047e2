using System.Net;
using System.Net.Sockets;
using FunctionsHost.Http;
using FunctionsHost.Worker;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;

namespace FunctionsHost.Hosting;

/// <summary>Puts a host together and runs it until it is told to stop.</summary>
internal static class FunctionsApp
{
    /// <returns>0 after an orderly stop; 1 where the app cannot be started, or its worker cannot be kept running.</returns>
    public static async Task<int> RunAsync(string[] args, TextWriter output)
    {
        var console = new HostConsole(output);
        try
        {
            var settings = HostSettings.Load(args);
            var command = WorkerCommand.Load(settings.Folder);
            using var socket = GrpcServer.Listen(out var port);
            // Started first of all: the worker takes longer to start than the host.
            var first = WorkerProcess.Start(settings, command, port);
            try
            {
                return await RunAsync(settings, console, socket, first, () => WorkerProcess.Start(settings, command, port));
            }
            finally
            {
                first.Kill();
            }
        }
        catch (Exception e) when (e is InvalidOperationException or IOException or SocketException)
        {
            console.Line($"The host cannot start: {e.Message}");
            return 1;
        }
    }

    private static async Task<int> RunAsync(
        HostSettings settings, HostConsole console, Socket socket, WorkerProcess first, Func<WorkerProcess> start)
    {
        var hostJson = HostJson.Load(settings.Folder, settings.Values);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ContentRootPath = settings.Folder });
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = settings.Values["FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"] is { } limit
                ? long.Parse(limit, System.Globalization.CultureInfo.InvariantCulture)
                : 104_857_600;
            kestrel.Listen(IPAddress.Parse(settings.Values["FunctionsHost:Address"] ?? "127.0.0.1"), Settings.Port(settings.Values));
        });
        var services = builder.Services;
        services.AddRoutingCore();
        services.AddHttpForwarder();
        services.AddGrpc(grpc => grpc.MaxReceiveMessageSize = null);
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(console);
        services.AddSingleton(settings);
        services.AddSingleton(hostJson);
        services.AddSingleton(
            provider => new WorkerSupervisor(settings, console, provider.GetRequiredService<TimeProvider>(), first, start));
        services.AddSingleton<WorkerForwarder>();
        services.AddSingleton<ServiceBus.MessagesInWork>();
        services.AddSingleton<ServiceBus.SettlementService>();
        services.AddSingleton(provider => new GrpcServer(provider, socket));
        services.AddSingleton<FunctionsHostService>();
        services.AddHostedService(static provider => provider.GetRequiredService<FunctionsHostService>());
        services.Configure<HostOptions>(host =>
            host.ShutdownTimeout = Settings.Time(settings.Values, "FunctionsHost:ShutdownTimeout", TimeSpan.FromSeconds(30)));

        await using var app = builder.Build();
        var functions = app.Services.GetRequiredService<FunctionsHostService>();
        app.Run(functions.ServeAsync);
        try
        {
            await app.StartAsync();
            await app.WaitForShutdownAsync();
        }
        catch (OperationCanceledException)
        {
            // The time of a stop is up, and what still ran has been abandoned.
        }
        finally
        {
            await functions.EndWorkerAsync();
        }
        return functions.HasFailed ? 1 : 0;
    }
}
