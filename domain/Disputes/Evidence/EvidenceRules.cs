namespace Payments.Domain.Disputes.Evidence;

/// <summary>The rules for evidence and answers, checked before anything is stored or sent.</summary>
public static class EvidenceRules
{
    public const int MaximumText = 20_000;
    public const int MaximumFields = 50;
    public const int MaximumFile = 5 * 1024 * 1024;
    public const int MaximumFiles = 10;

    public static Refusal? CheckDraft(string? text, IReadOnlyDictionary<string, string?>? fields)
    {
        if (text is { Length: > MaximumText })
            return Refusal.Invalid("text", $"`text` must have at most {MaximumText} characters.");
        if (fields is { Count: > MaximumFields })
            return Refusal.Invalid("fields", $"`fields` must hold at most {MaximumFields} fields.");
        foreach (var (name, value) in fields ?? new Dictionary<string, string?>())
        {
            if (name.Length is 0 or > 60 || name.Any(c => c is not ((>= 'a' and <= 'z') or (>= '0' and <= '9') or '_')))
                return Refusal.Invalid("fields", "Each name in `fields` must have 1 to 60 lower-case letters, digits and underscores.");
            if (value is not null && (value.Length > MaximumText || value.Contains('\0', StringComparison.Ordinal)))
                return Refusal.Invalid($"fields.{name}", $"A field must have at most {MaximumText} characters.");
        }

        return text?.Contains('\0', StringComparison.Ordinal) is true ? Refusal.Invalid("text", "`text` must not contain the character NUL.") : null;
    }

    /// <summary>Why the answer may not be sent now, or null if it may.</summary>
    public static Refusal? CheckResponse(DisputeState state, DisputeResponseKind kind, EvidencePack evidence)
    {
        if (!DisputeTransitions.AwaitsResponse(state.Status))
            return new Refusal(RefusalCode.StateConflict, $"The dispute is {Database.DbText.Of(state.Status)} and needs no response.");
        return kind switch
        {
            DisputeResponseKind.Submit when evidence.IsEmpty => new Refusal(RefusalCode.StateConflict, "There is no evidence to submit. Save text, fields or files first."),
            DisputeResponseKind.Submit => null,
            DisputeResponseKind.Accept when !DisputeTransitions.Belongs(state.Stage, DisputeStatus.Accepted) =>
                new Refusal(RefusalCode.StateConflict, "The dispute has not moved money, so there is nothing to accept. A refund may prevent the chargeback."),
            DisputeResponseKind.Accept => null,
        };
    }

    /// <summary>
    /// The type by the first bytes, whatever the name or the header say. Providers take PDF, PNG and JPEG. Null for other content.
    /// </summary>
    public static string? TypeOf(ReadOnlySpan<byte> content)
    {
        if (content.StartsWith("%PDF-"u8))
            return "application/pdf";
        if (content.StartsWith((ReadOnlySpan<byte>)[0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]))
            return "image/png";
        return content.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xD8, 0xFF]) ? "image/jpeg" : null;
    }
}
