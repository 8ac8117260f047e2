using System.Text.Json;
using Azure;

namespace FunctionsHost.Blobs;

/// <summary>What a queue message says of a version of a blob, in the form that Microsoft's host writes.</summary>
internal sealed record BlobMessage(string Type, string FunctionId, string BlobType, string ContainerName, string BlobName, string ETag)
{
    /// <summary>Where versions are reported that failed too often.</summary>
    public const string PoisonQueue = "webjobs-blobtrigger-poison";

    private const string FunctionPrefix = "Host.Functions.";

    public static BlobMessage Of(string function, string container, string blob, ETag version) =>
        new("BlobTrigger", FunctionPrefix + function, "BlockBlob", container, blob, version.ToString("H"));

    /// <summary>The name in a function's id; null for other texts.</summary>
    public static string? FunctionIn(string? id) =>
        id?.StartsWith(FunctionPrefix, StringComparison.OrdinalIgnoreCase) == true ? id[FunctionPrefix.Length..] : null;

    /// <summary>The body of a message: base64, as the host's own queues always are.</summary>
    public string ToBody() => Convert.ToBase64String(JsonSerializer.SerializeToUtf8Bytes(this));
}
