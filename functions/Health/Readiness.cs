using System.Text.Json.Serialization;
using Azure.Storage.Blobs;
using Npgsql;

namespace Payments.Functions.Health;

/// <param name="Status"><c>ready</c> or <c>not_ready</c>.</param>
/// <param name="Dependencies">Each dependency's name with <c>up</c>, or with what is wrong with it.</param>
public sealed record HealthReport(string Status, IReadOnlyDictionary<string, string> Dependencies);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(HealthReport))]
internal sealed partial class HealthJson : JsonSerializerContext;

/// <summary>Whether requests can be served: asks what they need, briefly, each time.</summary>
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
            // The kind of failure, not its text: that may hold addresses and names which are not for everyone.
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
        // What the host keeps its locks in. Any answer will do, and this question needs no right beyond those of the app's data.
        await storage.GetBlobContainerClient("azure-webjobs-hosts").ExistsAsync(ct);
        return "up";
    }
}
