using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;
using Payments.Domain.Database;

namespace Payments.Benchmarks;

internal sealed record BareRequest(long Amount, string Currency, string PaymentMethod, string? Description);

internal sealed record BareAnswer(Guid Id, long Amount, string Currency);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(BareRequest))]
[JsonSerializable(typeof(BareAnswer))]
internal sealed partial class BareJson : JsonSerializerContext;

/// <summary>
/// What charges are compared with: an ASP.NET Core endpoint that reads the same body and does one INSERT, committed by itself, with prepared statements and a pool. It runs as a process of its
/// own (<c>bare-endpoint</c> as the only argument), as the app does.
/// </summary>
internal static class BareEndpoint
{
    public const string Argument = "bare-endpoint";
    public const string PortVariable = "BARE_PORT";
    public const string PostgresVariable = "BARE_POSTGRES";

    public const string Table =
        """
        CREATE TABLE payments.bare_charges (id uuid PRIMARY KEY, amount bigint NOT NULL, currency text NOT NULL, payment_method text NOT NULL, description text, created_at timestamptz NOT NULL);
        GRANT INSERT ON payments.bare_charges TO payments_app;
        """;

    public static async Task<int> RunAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.ConfigureHttpJsonOptions(options => options.SerializerOptions.TypeInfoResolverChain.Insert(0, BareJson.Default));
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, int.Parse(Required(PortVariable), System.Globalization.CultureInfo.InvariantCulture)));
        await using var dataSource = PaymentsDataSource.Create(Required(PostgresVariable));
        await using var app = builder.Build();
        app.MapGet("/health/ready", () => Results.Ok());
        app.MapPost("/v1/charges", async (HttpContext context) =>
        {
            var request = (await context.Request.ReadFromJsonAsync(BareJson.Default.BareRequest))!;
            var now = TimeProvider.System.GetUtcNow();
            var id = Guid.CreateVersion7(now);
            await using var command = dataSource.CreateCommand(
                "INSERT INTO payments.bare_charges (id, amount, currency, payment_method, description, created_at) VALUES ($1, $2, $3, $4, $5, $6)");
            command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = id });
            command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = request.Amount });
            command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = request.Currency });
            command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = request.PaymentMethod });
            command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = request.Description ?? "" });
            command.Parameters.Add(new NpgsqlParameter<DateTime> { TypedValue = now.UtcDateTime });
            await command.ExecuteNonQueryAsync();
            var body = JsonSerializer.SerializeToUtf8Bytes(new BareAnswer(id, request.Amount, request.Currency), BareJson.Default.BareAnswer);
            context.Response.StatusCode = StatusCodes.Status201Created;
            context.Response.ContentType = "application/json";
            context.Response.ContentLength = body.Length;
            await context.Response.Body.WriteAsync(body);
        });
        await app.RunAsync();
        return 0;
    }

    private static string Required(string variable) => Environment.GetEnvironmentVariable(variable) ?? throw new InvalidOperationException($"{variable} is not set.");
}
