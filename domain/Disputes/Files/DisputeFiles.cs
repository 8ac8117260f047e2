using System.Text.Json.Serialization;
using Payments.Domain.Database;

namespace Payments.Domain.Disputes.Files;

public enum DisputeFileStatus
{
    /// <summary>Some lines may be applied. After an interruption, the next run continues where the last one stopped.</summary>
    Processing,

    /// <summary>Every line was applied, was a duplicate, was kept unmatched, or was rejected.</summary>
    Completed,

    /// <summary>Nothing was applied, because the header does not fit the partner's dialect.</summary>
    Rejected,
}

/// <summary>The summary of one file.</summary>
/// <param name="Hash">SHA-256 of the bytes as they arrived.</param>
/// <param name="Applied">Lines that are now part of a dispute's history.</param>
/// <param name="Duplicate">Lines whose update was known already.</param>
/// <param name="Unmatched">Lines whose charge is not known. They are kept.</param>
/// <param name="Arrivals">How often these bytes arrived.</param>
public sealed record DisputeFile(
    string Partner,
    byte[] Hash,
    string Name,
    DisputeFileStatus Status,
    long LinesDone,
    long Applied,
    long Duplicate,
    long Unmatched,
    long Rejected,
    int Arrivals,
    DateTimeOffset StartedAt,
    DateTimeOffset? FinishedAt);

/// <summary>A rejected line.</summary>
/// <param name="Content">The line, at most 1000 characters, with digits that may be a card number masked.</param>
public sealed record DisputeFileReject(long Line, string Reason, string? Detail, string? Content);

/// <summary>A rejected line as the API shows it.</summary>
public sealed record DisputeFileRejectResource(string Object, long Line, string Reason, string? Detail, string? Content)
{
    public static DisputeFileRejectResource Of(DisputeFileReject reject) => new("dispute_file_reject", reject.Line, reject.Reason, reject.Detail, reject.Content);
}

/// <summary>The summary of a file as the API and the event show it.</summary>
/// <param name="Id">The partner and the hash, <c>acme/9f86...</c>. It is also the file's folder in the archive.</param>
public sealed record DisputeFileResource(
    string Id,
    string Object,
    string Partner,
    string Hash,
    string Name,
    string Status,
    long Lines,
    long Applied,
    long Duplicate,
    long Unmatched,
    long Rejected,
    int Arrivals,
    DateTimeOffset StartedAt,
    DateTimeOffset? FinishedAt)
{
    public static DisputeFileResource Of(DisputeFile file) => new(
        $"{file.Partner}/{Convert.ToHexStringLower(file.Hash)}",
        "dispute_file",
        file.Partner,
        Convert.ToHexStringLower(file.Hash),
        file.Name,
        DbText.Of(file.Status),
        file.Applied + file.Duplicate + file.Unmatched + file.Rejected,
        file.Applied,
        file.Duplicate,
        file.Unmatched,
        file.Rejected,
        file.Arrivals,
        file.StartedAt,
        file.FinishedAt);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, Converters = [typeof(UtcTimeJson)])]
[JsonSerializable(typeof(DisputeFileResource))]
[JsonSerializable(typeof(DisputeFileRejectResource))]
public sealed partial class DisputeFileJson : JsonSerializerContext;
