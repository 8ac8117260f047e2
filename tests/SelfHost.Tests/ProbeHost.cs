using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Azure.Functions.Worker.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Payments.SelfHost.Hosting;

namespace Payments.SelfHost.Tests;

/// <summary>Hosts chosen function classes of this assembly on a free port, with a host.json of its own.</summary>
internal sealed class ProbeHost : IAsyncDisposable
{
    private readonly IHost _host;
    private readonly DirectoryInfo _folder;
    private bool _disposed;

    private ProbeHost(IHost host, DirectoryInfo folder, StringWriter output)
    {
        _host = host;
        _folder = folder;
        Output = output;
    }

    public HttpClient Client { get; private set; } = new();

    public StringWriter Output { get; }

    public IServiceProvider Services => _host.Services;

    public IHost Host => _host;

    public static Task<ProbeHost> StartAsync<TFunctions>(
        string hostJson = """{ "version": "2.0" }""",
        Action<FunctionsApplicationBuilder>? configure = null,
        Dictionary<string, string?>? settings = null,
        string? localSettings = null,
        TimeProvider? time = null) =>
        StartAsync([typeof(TFunctions)], hostJson, configure, settings, localSettings, time);

    public static async Task<ProbeHost> StartAsync(
        Type[] functions,
        string hostJson = """{ "version": "2.0" }""",
        Action<FunctionsApplicationBuilder>? configure = null,
        Dictionary<string, string?>? settings = null,
        string? localSettings = null,
        TimeProvider? time = null)
    {
        var folder = Directory.CreateTempSubdirectory("selfhost");
        await File.WriteAllTextAsync(Path.Combine(folder.FullName, "host.json"), hostJson);
        if (localSettings is not null)
            await File.WriteAllTextAsync(Path.Combine(folder.FullName, "local.settings.json"), localSettings);
        var output = new StringWriter();
        string[] args = [
            "--port", "0", "--SelfHost:Root", folder.FullName,
            .. (settings ?? []).Select(setting => $"--{setting.Key}={setting.Value}")];
        var builder = FunctionsApplication.CreateBuilder(args);
        if (configure is null)
            builder.ConfigureFunctionsWebApplication();
        else
            configure(builder);
        builder.ConfigureSelfHost(options =>
        {
            options.Assembly = typeof(ProbeHost).Assembly;
            options.Include = functions.Contains;
            options.Output = TextWriter.Synchronized(output);
            options.Time = time ?? TimeProvider.System;
        });
        var probe = new ProbeHost(builder.Build(), folder, output);
        try
        {
            await probe._host.StartAsync();
        }
        catch
        {
            await probe.DisposeAsync();
            throw;
        }
        probe.Client = new HttpClient
        {
            BaseAddress = new Uri(probe.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()),
        };
        return probe;
    }

    public async ValueTask DisposeAsync()
    {
        if (_disposed)
            return;
        _disposed = true;
        Client.Dispose();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        await _host.StopAsync(patience.Token);
        _host.Dispose();
        _folder.Delete(recursive: true);
    }
}
