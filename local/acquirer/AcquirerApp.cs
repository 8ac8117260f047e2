using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using OpenTelemetry;

namespace Payments.Acquirer;

/// <summary>Puts the program together.</summary>
public static class AcquirerApp
{
    /// <summary>Reads the journal back and answers an app that is ready to start. Throws <see cref="AcquirerSetupException"/> with one clear line.</summary>
    public static async Task<WebApplication> CreateAsync(string[] args)
    {
        var builder = WebApplication.CreateSlimBuilder(args);
        var options = builder.Configuration.GetSection("Acquirer").Get<AcquirerOptions>() ?? new();
        options.Validate();
        builder.Logging.SetMinimumLevel(LogLevel.Warning);

        // Each request would begin a trace if this logger were on, even where no collector takes traces.
        builder.Logging.AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None);
        builder.WebHost.ConfigureKestrel(server =>
        {
            server.AddServerHeader = false;
            server.Listen(IPAddress.Loopback, options.Port);
        });
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(5));
        if (!string.IsNullOrEmpty(builder.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"]))
        {
            builder.Services.AddOpenTelemetry()
                .WithTracing(traces => traces.AddSource("Microsoft.AspNetCore").AddSource("System.Net.Http"))
                .WithMetrics(metrics => metrics.AddMeter("Microsoft.AspNetCore.*").AddMeter("System.Net.Http").AddMeter("System.Runtime"))
                .WithLogging()
                .UseOtlpExporter();
        }

        var journal = JournalFile.Open(Path.Combine(Directory.CreateDirectory(options.DataDirectory).FullName, "journal.jsonl"), options.FlushToDisk);
        builder.Services.AddSingleton(options);
        builder.Services.AddSingleton(_ => journal);
        builder.Services.AddSingleton<AcquirerClock>();
        builder.Services.AddSingleton(new FaultPlan(options.Seed));
        builder.Services.AddSingleton<WebhookDispatcher>();
        builder.Services.AddSingleton<Processor>();
        builder.Services.AddSingleton<Calls>();
        builder.Services.AddHostedService(services => services.GetRequiredService<WebhookDispatcher>());
        builder.Services.AddHostedService<StepService>();
        var app = builder.Build();
        try
        {
            var processor = app.Services.GetRequiredService<Processor>();
            processor.Address = $"http://127.0.0.1:{options.Port}";
            app.Lifetime.ApplicationStarted.Register(() => processor.Address = AddressOf(app));
            await processor.RestoreAsync(CancellationToken.None);
            app.Use(RefuseAsync);
            app.Use(AuthenticateWith(options.ApiKey));
            app.MapGet("/health", context =>
            {
                var health = processor.Health();
                return Calls.WriteAsync(context, Answer.Of(health.Status == "ok" ? 200 : 503, health, AcquirerJson.Default.HealthView));
            });
            PaymentApi.Map(app, processor, app.Services.GetRequiredService<Calls>(), journal, options);
            ControlApi.Map(app, processor, app.Services.GetRequiredService<FaultPlan>(), journal);
            return app;
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }
    }

    /// <summary>Where a started app listens.</summary>
    public static string AddressOf(WebApplication app) =>
        app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();

    private static async Task RefuseAsync(HttpContext context, RequestDelegate next)
    {
        try
        {
            await next(context);
        }
        catch (BadRequestException bad)
        {
            await Calls.WriteAsync(context, Answer.Refused(bad.Refusal));
        }
        catch (IOException) when (!context.RequestAborted.IsCancellationRequested && !context.Response.HasStarted)
        {
            await Calls.WriteAsync(context, Answer.Refused(new(503, "journal_failed", "The journal cannot be written; nothing is accepted.")));
        }
    }

    private static Func<HttpContext, RequestDelegate, Task> AuthenticateWith(string key)
    {
        var expected = SHA256.HashData(Encoding.UTF8.GetBytes("Bearer " + key));
        return (context, next) =>
        {
            var path = context.Request.Path;
            if (path.StartsWithSegments("/health") || path.StartsWithSegments("/redirect"))
                return next(context);
            var given = SHA256.HashData(Encoding.UTF8.GetBytes(context.Request.Headers.Authorization.ToString()));
            return CryptographicOperations.FixedTimeEquals(expected, given)
                ? next(context)
                : Calls.WriteAsync(context, Answer.Refused(new(401, "unauthorized", "Give the key: Authorization: Bearer ...")));
        };
    }
}

/// <summary>Takes due steps and notices a journal that failed: without it the program must not go on.</summary>
internal sealed class StepService(Processor processor, JournalFile journal, IHostApplicationLifetime lifetime, ILogger<StepService> logger) : BackgroundService
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(20);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Tick);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
                await TakeAsync();
        }
        catch (OperationCanceledException)
        {
            // The program stops; what is due is found again in the journal.
        }
    }

    private async Task TakeAsync()
    {
        try
        {
            await processor.RunDueAsync();
        }
        catch (IOException problem) when (journal.Failure is not null)
        {
            logger.JournalFailed(problem);
            lifetime.StopApplication();
        }
        catch (Exception problem) when (problem is InvalidOperationException or ArgumentException or OverflowException)
        {
            logger.StepFailed(problem);
        }
    }
}
