using System.Buffers.Binary;
using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Azure.ServiceBus.Grpc;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Payments.ServiceBusExtension.Tests;

/// <summary>The host's end of the connection. It knows gRPC's framing only, so that what it records is what was on the wire.</summary>
public sealed class SettlementHost : IAsyncLifetime
{
    private readonly WebApplication _server;
    private ServiceProvider? _worker;

    public SettlementHost()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(System.Net.IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2));
        _server = builder.Build();
        _server.MapPost("/{**path}", AnswerAsync);
    }

    /// <summary>Path and message of each call.</summary>
    internal ConcurrentQueue<(string Path, byte[] Message)> Calls { get; } = new();

    /// <summary>The message that answers each call.</summary>
    internal byte[] Answer { get; set; } = [];

    /// <summary>gRPC's status of each answer. 0 is success.</summary>
    internal int Status { get; set; }

    /// <summary>The client as an app gets it from the extension.</summary>
    internal Settlement.SettlementClient Client => _worker!.GetRequiredService<Settlement.SettlementClient>();

    public async ValueTask InitializeAsync()
    {
        await _server.StartAsync();
        var address = _server.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        _worker = Worker(new() { ["Functions:Worker:HostEndpoint"] = address, ["Functions:Worker:GrpcMaxMessageLength"] = "8000000" });
    }

    public async ValueTask DisposeAsync()
    {
        await _worker!.DisposeAsync();
        await _server.DisposeAsync();
    }

    /// <summary>The services of an app with the extension.</summary>
    internal static ServiceProvider Worker(Dictionary<string, string?> settings)
    {
        var builder = new Builder();
        builder.Services.AddSingleton<IConfiguration>(new ConfigurationBuilder().AddInMemoryCollection(settings).Build());
        // The source generator of the worker's SDK wrote this class, which runs the startup of each extension that it found.
        new WorkerExtensionStartupCodeExecutor().Configure(builder);
        return builder.Services.BuildServiceProvider();
    }

    // A message travels behind one byte of flags and four of length.
    private async Task AnswerAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        Calls.Enqueue((context.Request.Path, body.ToArray()[5..]));
        context.Response.ContentType = "application/grpc";
        var frame = new byte[5 + Answer.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), Answer.Length);
        Answer.CopyTo(frame, 5);
        if (Status == 0)
        {
            await context.Response.Body.WriteAsync(frame, context.RequestAborted);
        }
        context.Response.AppendTrailer("grpc-status", $"{Status}");
    }

    private sealed class Builder : IFunctionsWorkerApplicationBuilder
    {
        public IServiceCollection Services { get; } = new ServiceCollection();

        public IFunctionsWorkerApplicationBuilder Use(
            Func<Microsoft.Azure.Functions.Worker.Middleware.FunctionExecutionDelegate, Microsoft.Azure.Functions.Worker.Middleware.FunctionExecutionDelegate> middleware) =>
            throw new NotSupportedException();
    }
}
