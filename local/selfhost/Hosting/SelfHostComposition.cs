using System.Net;
using System.Reflection;
using System.Text.Json;
using Azure.Core.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Azure.Functions.Worker.Middleware;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Payments.SelfHost.Http;

namespace Payments.SelfHost.Hosting;

/// <summary>Puts an app together: settings, functions, middleware, the web server and the listeners of the other triggers.</summary>
internal sealed class SelfHostComposition
{
    private readonly List<Func<FunctionExecutionDelegate, FunctionExecutionDelegate>> _middleware = [];
    private readonly string[] _arguments;
    private readonly string _folder;
    private bool _http;

    public SelfHostComposition(string[] args)
    {
        _arguments = ArgumentsAsSettings(args);
        Builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions
        {
            EnvironmentName = Environment.GetEnvironmentVariable("AZURE_FUNCTIONS_ENVIRONMENT")
                ?? Environment.GetEnvironmentVariable("DOTNET_ENVIRONMENT"),
        });
        // As the platform's builder does: a scoped service in a singleton is found at start, not in production.
        var validate = Builder.Environment.IsDevelopment();
        ((IHostApplicationBuilder)Builder).ConfigureContainer(
            new DefaultServiceProviderFactory(new ServiceProviderOptions { ValidateScopes = validate, ValidateOnBuild = validate }));
        Builder.Logging.AddConfiguration(Builder.Configuration.GetSection("Logging"));
        Builder.Services.AddOptions<WorkerOptions>();
        Builder.Services.Configure<JsonSerializerOptions>(static json => json.PropertyNameCaseInsensitive = true);
        _folder = FolderOf(_arguments);
        AddSettings(_folder);
    }

    public SelfHostOptions Options { get; } = new();

    public WebApplicationBuilder Builder { get; }

    public void AddMiddleware(Func<FunctionExecutionDelegate, FunctionExecutionDelegate> step) => _middleware.Add(step);

    public void EnableHttp()
    {
        if (_http)
            return;
        _http = true;
        _middleware.Add(HttpFunctions.ServeResults);
        // IActionResult needs MVC's executors and formatters; the rest of MVC would cost start-up time for nothing.
        Builder.Services.AddMvcCore();
    }

    public IHost Build()
    {
        var settings = Builder.Configuration;
        var hostJson = HostJson.Load(_folder, settings);
        var console = new HostConsole(Options.Output);

        Builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            if (settings["FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"] is { } limit)
                kestrel.Limits.MaxRequestBodySize = long.Parse(limit, System.Globalization.CultureInfo.InvariantCulture);
            kestrel.Listen(IPAddress.Parse(settings["SelfHost:Address"] ?? "127.0.0.1"), Settings.Port(settings));
        });
        Builder.Services.AddRouting();
        Builder.Services.Configure<HostOptions>(host =>
            host.ShutdownTimeout = Settings.Time(settings, "SelfHost:ShutdownTimeout", TimeSpan.FromSeconds(30)));
        // Registered last, hence stopped first: listeners drain while what the app registered still runs.
        Builder.Services.AddSingleton<TriggerHost>();
        Builder.Services.AddHostedService(static services => services.GetRequiredService<TriggerHost>());

        var app = Builder.Build();
        try
        {
            Compose(app, settings, hostJson, console);
        }
        catch
        {
            ((IDisposable)app).Dispose();
            throw;
        }
        return app;
    }

    private void Compose(WebApplication app, IConfiguration settings, HostJson hostJson, HostConsole console)
    {
        var worker = app.Services.GetRequiredService<IOptions<WorkerOptions>>().Value;
        var serializer = worker.Serializer ?? new JsonObjectSerializer(app.Services.GetRequiredService<IOptions<JsonSerializerOptions>>().Value);
        var assembly = Options.Assembly ?? Assembly.GetEntryAssembly()
            ?? throw new InvalidOperationException("There is no entry assembly to find functions in.");
        var functions = FunctionCatalog.Scan(assembly.GetTypes().Where(Options.Include), serializer);
        var enabled = functions.Where(function => !Settings.IsDisabled(settings, function.Name)).ToList();
        if (!_http && enabled.Find(f => f.Trigger is HttpTriggerAttribute) is { } first)
            throw new InvalidOperationException($"Function '{first.Name}' has an HTTP trigger: call builder.ConfigureFunctionsWebApplication().");

        var executor = new FunctionExecutor(
            _middleware,
            app.Services.GetRequiredService<ILoggerFactory>(),
            console,
            functionSpans: worker.Capabilities.ContainsKey("WorkerOpenTelemetryEnabled"));
        app.UseRouting();
        HttpFunctions.Map(app, enabled.Where(f => f.Trigger is HttpTriggerAttribute), hostJson, executor);
        app.Services.GetRequiredService<TriggerHost>().Configure(new TriggerSetup(
            functions, enabled, settings, hostJson, executor, console, Options.Time ?? app.Services.GetService<TimeProvider>() ?? TimeProvider.System));
    }

    private void AddSettings(string folder)
    {
        var settings = Builder.Configuration;
        settings.AddJsonFile(Path.Combine(folder, "appsettings.json"), optional: true, reloadOnChange: false);
        settings.AddJsonFile(Path.Combine(folder, $"appsettings.{Builder.Environment.EnvironmentName}.json"), optional: true, reloadOnChange: false);
        settings.AddInMemoryCollection(LocalSettings(Path.Combine(folder, "local.settings.json")));
        settings.AddEnvironmentVariables("AZURE_FUNCTIONS_");
        settings.AddEnvironmentVariables();
        settings.AddCommandLine(_arguments);
    }

    private static IEnumerable<KeyValuePair<string, string?>> LocalSettings(string path)
    {
        if (!File.Exists(path))
            return [];
        using var document = JsonDocument.Parse(
            File.ReadAllText(path), new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
        if (!document.RootElement.TryGetProperty("Values", out var values))
            return [];
        // Core Tools hands them to the worker as environment variables, where a double underscore means a section.
        return [.. values.EnumerateObject().Select(value => KeyValuePair.Create(
            value.Name.Replace("__", ":", StringComparison.Ordinal),
            value.Value.ValueKind == JsonValueKind.String ? value.Value.GetString() : value.Value.GetRawText()))];
    }

    private static string FolderOf(string[] arguments)
    {
        // host.json decides before there are settings, so only the environment and the command line can move it.
        var root = new ConfigurationBuilder().AddEnvironmentVariables().AddCommandLine(arguments).Build()["SelfHost:Root"];
        if (root is not null)
            return root;
        string[] candidates = [Directory.GetCurrentDirectory(), AppContext.BaseDirectory];
        return Array.Find(candidates, candidate => File.Exists(Path.Combine(candidate, "host.json"))) ?? candidates[0];
    }

    /// <summary>The real host owns the names <c>--port</c> and <c>--host</c>, so here they mean the listening address and never reach the app.</summary>
    private static string[] ArgumentsAsSettings(string[] args) =>
    [
        .. args.Select(argument => argument switch
        {
            "--port" => "--SelfHost:Port",
            _ when argument.StartsWith("--port=", StringComparison.Ordinal) => string.Concat("--SelfHost:Port=", argument.AsSpan("--port=".Length)),
            _ => argument,
        }),
    ];
}
