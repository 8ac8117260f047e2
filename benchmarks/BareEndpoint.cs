using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Payments.Domain.Database;
using Payments.Kit;

namespace Payments.Benchmarks;

/// <summary>
/// The first baseline: a bare ASP.NET Core endpoint, with prepared statements and a pool. It runs as a process of its own (<c>bare-endpoint</c> as the only
/// argument), as the app does.
/// </summary>
internal static class BareEndpoint
{
    public const string Argument = "bare-endpoint";
    private const string PortVariable = "BARE_PORT";

    public static Command Command(int port, string postgres) =>
        Kit.Command.Dotnet(typeof(BareEndpoint).Assembly.Location, Argument).With([new(PortVariable, $"{port}"), new(BareCharge.PostgresVariable, postgres)]);

    public static async Task<int> RunAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.ConfigureHttpJsonOptions(options => options.SerializerOptions.TypeInfoResolverChain.Insert(0, BareJson.Default));
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, int.Parse(Required(PortVariable), CultureInfo.InvariantCulture)));
        await using var dataSource = PaymentsDataSource.Create(Required(BareCharge.PostgresVariable));
        await using var app = builder.Build();
        app.MapMethods("/empty", ["GET", "POST"], () => Results.StatusCode(StatusCodes.Status201Created));
        app.MapPost("/v1/charges", context => BareCharge.InsertAsync(context, dataSource));
        await app.RunAsync();
        return 0;
    }

    private static string Required(string variable) => Environment.GetEnvironmentVariable(variable) ?? throw new InvalidOperationException($"{variable} is not set.");
}
