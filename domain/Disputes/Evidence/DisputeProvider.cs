namespace Payments.Domain.Disputes.Evidence;

/// <summary>What a merchant answers to a dispute.</summary>
public enum DisputeResponseKind
{
    /// <summary>Contest it with evidence.</summary>
    Submit,

    /// <summary>Give in: the money stays with the cardholder.</summary>
    Accept,
}

/// <summary>What is known in the merchant's favour; complete enough to be sent again.</summary>
public sealed record EvidencePack(string? Text, IReadOnlyDictionary<string, string> Fields, IReadOnlyList<EvidenceFile> Files)
{
    public bool IsEmpty => string.IsNullOrWhiteSpace(Text) && Fields.Count == 0 && Files.Count == 0;
}

/// <param name="Hash">SHA-256 of the content, in hexadecimal: its name in storage.</param>
/// <param name="Size">Bytes.</param>
public sealed record EvidenceFile(string Hash, string Purpose, string Name, string ContentType, int Size);

public enum DisputeAnswerKind
{
    /// <summary>The provider took it; the update says how the dispute stands now.</summary>
    Done,

    /// <summary>The provider refuses it: the dispute takes no answer. Nothing happened.</summary>
    Refused,

    /// <summary>Whether it was taken is not known; the provider is asked until it is.</summary>
    Unknown,
}

public readonly record struct DisputeAnswer(DisputeAnswerKind Kind, DisputeUpdate? Update, string? Detail)
{
    public static DisputeAnswer Done(DisputeUpdate update) => new(DisputeAnswerKind.Done, update, null);

    public static DisputeAnswer Refused(string detail) => new(DisputeAnswerKind.Refused, null, detail);

    public static DisputeAnswer Unknown(string detail) => new(DisputeAnswerKind.Unknown, null, detail);
}

/// <summary>A provider that takes answers to disputes.</summary>
public interface IDisputeProvider
{
    string Name { get; }

    /// <summary>
    /// Sends an answer. Asked again after an unknown outcome, it first looks whether the dispute has gone on, so that nothing is sent twice.
    /// </summary>
    Task<DisputeAnswer> RespondAsync(string providerDisputeId, DisputeResponseKind kind, EvidencePack evidence, CancellationToken ct);
}
