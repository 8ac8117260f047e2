using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Payments.Domain.Disputes;

/// <summary>
/// What one webhook, file line, import, command or timer says about one dispute, in neutral words. A dispute is the set of its updates: the
/// same update twice is one, and the order of arrival means nothing.
/// </summary>
/// <param name="ChargeReference">The processor's reference of the payment. An update without one is applied if the dispute is already known.</param>
/// <param name="Amount">What is disputed, in the dispute's currency. Our own commands give none.</param>
/// <param name="Returned">With <see cref="DisputeStatus.Won"/>: the part given back, in the dispute's currency; null means all of it.</param>
/// <param name="MerchantAmount">What the processor takes in the charge's currency, where it says so and the dispute's currency is another.</param>
/// <param name="Reason">The provider's reason in neutral words, where it gives one; it precedes the one derived from the code.</param>
/// <param name="OccurredAt">UTC, when it happened at the provider.</param>
/// <param name="SourceReference">The event's id, the file and line, or the key of the caller.</param>
public sealed record DisputeUpdate(
    string Provider,
    string ProviderDisputeId,
    string? ChargeReference,
    DisputeStage Stage,
    DisputeStatus Status,
    Money? Amount,
    Money? Returned,
    Money? MerchantAmount,
    string? Network,
    string? NetworkReasonCode,
    DisputeReason? Reason,
    DateTimeOffset? EvidenceDueBy,
    DateTimeOffset OccurredAt,
    DisputeSource Source,
    string SourceReference)
{
    /// <summary>Longest text of an outside identifier that is stored.</summary>
    public const int MaxReferenceLength = 200;

    /// <summary>
    /// What makes two updates the same one: everything they say, and not who said it, except that our own clock is never taken for a
    /// provider. A webhook repeated by a file line with the same content is a duplicate.
    /// </summary>
    public Guid Fingerprint()
    {
        var text = new StringBuilder(256);
        Append(text, Provider);
        Append(text, ProviderDisputeId);
        Append(text, ChargeReference);
        Append(text, ((int)Stage).ToString(CultureInfo.InvariantCulture));
        Append(text, ((int)Status).ToString(CultureInfo.InvariantCulture));
        Append(text, Amount);
        Append(text, Returned);
        Append(text, MerchantAmount);
        Append(text, Network);
        Append(text, NetworkReasonCode);
        Append(text, Reason is { } reason ? ((int)reason).ToString(CultureInfo.InvariantCulture) : null);
        Append(text, EvidenceDueBy is { } due ? Microseconds(due) : null);
        Append(text, Microseconds(OccurredAt));
        Append(text, Source == DisputeSource.Clock ? "clock" : null);
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString()), hash);
        return new Guid(hash[..16], bigEndian: true);
    }

    /// <summary>Why the update cannot be applied whatever the dispute's state is, or null.</summary>
    public DisputeUpdateRefusal? Check()
    {
        if (string.IsNullOrWhiteSpace(ProviderDisputeId) || ProviderDisputeId.Length > MaxReferenceLength)
        {
            return DisputeUpdateRefusal.DisputeIdInvalid;
        }

        if (ChargeReference is { Length: 0 or > MaxReferenceLength })
        {
            return DisputeUpdateRefusal.ChargeReferenceInvalid;
        }

        if (IsUnstorable(ProviderDisputeId) || IsUnstorable(ChargeReference) || IsUnstorable(Network) || IsUnstorable(NetworkReasonCode))
        {
            return DisputeUpdateRefusal.TextInvalid;
        }

        if (!DisputeTransitions.Belongs(Stage, Status))
        {
            return DisputeUpdateRefusal.StatusNotOfStage;
        }

        if (Amount is { IsPositive: false } || MerchantAmount is { IsPositive: false })
        {
            return DisputeUpdateRefusal.AmountNotPositive;
        }

        if (Returned is { } returned && (Amount is not { } amount || returned.IsNegative || returned.Currency != amount.Currency || returned > amount))
        {
            return DisputeUpdateRefusal.ReturnedAmountInvalid;
        }

        return null;
    }

    /// <summary>Text of the database has no NUL; whoever sends one is guessing.</summary>
    private static bool IsUnstorable(string? text) => text is not null && (text.Length > MaxReferenceLength || text.Contains('\0', StringComparison.Ordinal));

    private static void Append(StringBuilder text, string? value) => text.Append(value?.Length ?? -1).Append(':').Append(value);

    private static void Append(StringBuilder text, Money? value) =>
        Append(text, value is { } money ? $"{money.MinorUnits.ToString(CultureInfo.InvariantCulture)} {money.Currency.Code}" : null);

    // The database keeps microseconds: a finer instant must not look like another update after a round trip.
    private static string Microseconds(DateTimeOffset instant) =>
        (instant.UtcTicks / TimeSpan.TicksPerMicrosecond).ToString(CultureInfo.InvariantCulture);
}

/// <summary>Why an update says nothing that can be applied.</summary>
public enum DisputeUpdateRefusal
{
    DisputeIdInvalid,
    ChargeReferenceInvalid,
    TextInvalid,
    StatusNotOfStage,
    AmountNotPositive,
    ReturnedAmountInvalid,
}
