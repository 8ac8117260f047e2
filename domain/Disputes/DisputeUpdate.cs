using System.Buffers.Text;
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
/// <param name="MerchantAmount">What the processor takes of its account, where it says so and that is not the disputed amount itself. It
/// counts where it is in the charge's currency.</param>
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
        // Text of the outside takes at most three bytes a character; what we write ourselves is short.
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

    // Each value behind its length in characters, so that no two sets of values spell alike.
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

    // The database keeps microseconds: a finer instant must not look like another update after a round trip.
    private static long Microseconds(DateTimeOffset instant) => instant.UtcTicks / TimeSpan.TicksPerMicrosecond;
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
