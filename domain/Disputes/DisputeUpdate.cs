using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Payments.Domain.Disputes;

/// <summary>
/// One report about one dispute, in neutral words, from a webhook, file line, import, command or timer. A dispute is the set of its
/// updates: the same update twice counts once, and the order of arrival does not matter.
/// </summary>
/// <param name="ChargeReference">
/// The provider's reference of the payment. An update without one is applied if the dispute is already known.
/// </param>
/// <param name="Amount">The disputed amount, in the dispute's currency. The platform's own commands give none.</param>
/// <param name="Returned">With <see cref="DisputeStatus.Won"/>: the returned part, in the dispute's currency. Null means all of it.</param>
/// <param name="MerchantAmount">
/// The amount that the provider takes, if it reports one besides the disputed amount. It counts only in the charge's currency.
/// </param>
/// <param name="Reason">
/// The provider's reason in neutral words, if it gives one. It takes precedence over the one derived from the code.
/// </param>
/// <param name="OccurredAt">UTC. When it happened at the provider.</param>
/// <param name="SourceReference">The event's id, the file and line, or the caller's idempotency key.</param>
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
    /// <summary>The longest text of an outside identifier that is stored, in characters.</summary>
    public const int MaxReferenceLength = 200;

    /// <summary>
    /// Identifies the content of an update: everything that it says, but not its source. Only an update of the platform's own clock never
    /// equals one of another source. A file line that repeats the content of a webhook is a duplicate.
    /// </summary>
    public Guid Fingerprint()
    {
        // Outside text takes at most three bytes a character. The other values are short.
        var length = 3 * (Provider.Length + ProviderDisputeId.Length + (ChargeReference?.Length ?? 0) + (Network?.Length ?? 0) + (NetworkReasonCode?.Length ?? 0)) + 512;
        Span<byte> buffer = length <= 2048 ? stackalloc byte[length] : new byte[length];
        var end = 0;
        Append(buffer, ref end, Provider);
        Append(buffer, ref end, ProviderDisputeId);
        Append(buffer, ref end, ChargeReference);
        Append(buffer, ref end, (long)Stage);
        Append(buffer, ref end, (long)Status);
        Append(buffer, ref end, Amount);
        Append(buffer, ref end, Returned);
        Append(buffer, ref end, MerchantAmount);
        Append(buffer, ref end, Network);
        Append(buffer, ref end, NetworkReasonCode);
        Append(buffer, ref end, Reason is { } reason ? (long)reason : null);
        Append(buffer, ref end, EvidenceDueBy is { } due ? Microseconds(due) : null);
        Append(buffer, ref end, Microseconds(OccurredAt));
        Append(buffer, ref end, Source == DisputeSource.Clock ? "clock" : null);
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(buffer[..end], hash);
        return new Guid(hash[..16], bigEndian: true);
    }

    /// <summary>Why the update can never be applied, whatever the dispute's state, or null.</summary>
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

    /// <summary>A Postgres text cannot hold a NUL, and longer identifiers are not stored.</summary>
    private static bool IsUnstorable(string? text) => text is not null && (text.Length > MaxReferenceLength || text.Contains('\0', StringComparison.Ordinal));

    // Each value follows its length in characters, so that no two sets of values give the same bytes.
    private static void Append(Span<byte> buffer, ref int end, string? value)
    {
        Write(buffer, ref end, value?.Length ?? -1);
        buffer[end++] = (byte)':';
        end += Encoding.UTF8.GetBytes(value, buffer[end..]);
    }

    private static void Append(Span<byte> buffer, ref int end, long? value)
    {
        Span<byte> digits = stackalloc byte[20];
        var length = 0;
        if (value is { } number)
            Write(digits, ref length, number);
        Write(buffer, ref end, value is null ? -1 : length);
        buffer[end++] = (byte)':';
        digits[..length].CopyTo(buffer[end..]);
        end += length;
    }

    private static void Append(Span<byte> buffer, ref int end, Money? value)
    {
        if (value is not { } money)
        {
            Append(buffer, ref end, (string?)null);
            return;
        }

        Span<byte> text = stackalloc byte[32];
        var length = 0;
        Write(text, ref length, money.MinorUnits);
        text[length++] = (byte)' ';
        length += Encoding.UTF8.GetBytes(money.Currency.Code, text[length..]);
        Write(buffer, ref end, length);
        buffer[end++] = (byte)':';
        text[..length].CopyTo(buffer[end..]);
        end += length;
    }

    private static void Write(Span<byte> buffer, ref int end, long value)
    {
        Utf8Formatter.TryFormat(value, buffer[end..], out var written);
        end += written;
    }

    // The database keeps microseconds. A finer time must give the same fingerprint after a round trip.
    private static long Microseconds(DateTimeOffset instant) => instant.UtcTicks / TimeSpan.TicksPerMicrosecond;
}

/// <summary>Why an update cannot be applied.</summary>
public enum DisputeUpdateRefusal
{
    DisputeIdInvalid,
    ChargeReferenceInvalid,
    TextInvalid,
    StatusNotOfStage,
    AmountNotPositive,
    ReturnedAmountInvalid,
}
