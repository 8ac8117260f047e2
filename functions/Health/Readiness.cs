using System.Text.Json.Serialization;
using Azure.Storage.Blobs;
using Npgsql;

namespace Payments.Functions.Health;

/// <param name="Status"><c>ready</c> or <c>not_ready</c>.</param>
/// <param name="Dependencies">Each dependency's name, with <c>up</c> or its failure.</param>
public sealed record HealthReport(string Status, IReadOnlyDictionary<string, string> Dependencies);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(HealthReport))]
internal sealed partial class HealthJson : JsonSerializerContext;

/// <summary>Checks whether the app can serve requests. Each check asks every dependency, with a short time limit.</summary>
public sealed class Readiness(NpgsqlDataSource dataSource, BlobServiceClient storage)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    public async Task<HealthReport> CheckAsync(CancellationToken ct)
    {
        var postgres = AskAsync(PostgresAsync, ct);
        var storage = AskAsync(StorageAsync, ct);
        var dependencies = new Dictionary<string, string> { ["postgres"] = await postgres, ["storage"] = await storage };
        return new HealthReport(dependencies.Values.All(state => state == "up") ? "ready" : "not_ready", dependencies);
    }

    private static async Task<string> AskAsync(Func<CancellationToken, Task<string>> question, CancellationToken ct)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(Patience);
        try
        {
            return await question(limit.Token).WaitAsync(Patience, ct);
        }
        catch (Exception e) when (!ct.IsCancellationRequested)
        {
            // Only the kind of failure is shown. Its text may hold addresses and names that are not public.
            return e is PostgresException { SqlState: var state } ? $"down ({state})" : $"down ({e.GetType().Name})";
        }
    }

    private async Task<string> PostgresAsync(CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand("SELECT to_regclass('payments.charges') IS NOT NULL");
        return (bool?)await command.ExecuteScalarAsync(ct) is true ? "up" : "not migrated";
    }

    private async Task<string> StorageAsync(CancellationToken ct)
    {
        // The container of the host's locks. Any answer shows that storage is up. The check needs no rights beyond those for the app's
        // data.
        await storage.GetBlobContainerClient("azure-webjobs-hosts").ExistsAsync(ct);
        return "up";
    }
}
