using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;
using Npgsql;

namespace Payments.Benchmarks;

internal sealed record BareRequest(long Amount, string Currency, string PaymentMethod, string? Description);

internal sealed record BareAnswer(Guid Id, long Amount, string Currency);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(BareRequest))]
[JsonSerializable(typeof(BareAnswer))]
internal sealed partial class BareJson : JsonSerializerContext;

/// <summary>The work that charges are compared with: read the same body, and do one INSERT that commits by itself.</summary>
internal static class BareCharge
{
    public const string PostgresVariable = "BARE_POSTGRES";

    public const string Table =
        """
        CREATE TABLE payments.bare_charges (id uuid PRIMARY KEY, amount bigint NOT NULL, currency text NOT NULL, payment_method text NOT NULL, description text, created_at timestamptz NOT NULL);
        GRANT INSERT ON payments.bare_charges TO payments_app;
        """;

    public static async Task InsertAsync(HttpContext context, NpgsqlDataSource dataSource)
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
    }
}
