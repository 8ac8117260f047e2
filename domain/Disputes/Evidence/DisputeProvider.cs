namespace Payments.Domain.Disputes.Evidence;

/// <summary>A merchant's answer to a dispute.</summary>
public enum DisputeResponseKind
{
    /// <summary>Contest it with evidence.</summary>
    Submit,

    /// <summary>Accept it: the money stays with the cardholder.</summary>
    Accept,
}

/// <summary>The merchant's evidence, complete enough to be sent again.</summary>
public sealed record EvidencePack(string? Text, IReadOnlyDictionary<string, string> Fields, IReadOnlyList<EvidenceFile> Files)
{
    public bool IsEmpty => string.IsNullOrWhiteSpace(Text) && Fields.Count == 0 && Files.Count == 0;
}

/// <param name="Hash">SHA-256 of the content in hexadecimal. It names the content in storage.</param>
/// <param name="Size">Bytes.</param>
public sealed record EvidenceFile(string Hash, string Purpose, string Name, string ContentType, int Size);

public enum DisputeAnswerKind
{
    /// <summary>The provider took the answer. The update gives the dispute's current state.</summary>
    Done,

    /// <summary>The provider refused the answer, because the dispute takes none. Nothing happened.</summary>
    Refused,

    /// <summary>It is not known whether the provider took the answer. The resolver asks until it is known.</summary>
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
    /// Sends an answer. After an unknown outcome it first checks whether the dispute has changed, so that nothing is sent twice.
    /// </summary>
    Task<DisputeAnswer> RespondAsync(string providerDisputeId, DisputeResponseKind kind, EvidencePack evidence, CancellationToken ct);
}
