using System.Globalization;
using Payments.Domain.Database;

namespace Payments.Domain.Disputes.Files;

/// <summary>Why a line or a whole file was rejected.</summary>
public enum DisputeLineRejection
{
    /// <summary>The header lacks a column that the dialect maps. The whole file is rejected.</summary>
    HeaderColumnMissing,

    /// <summary>The file is empty.</summary>
    HeaderMissing,

    /// <summary>The line has a different number of fields than the header.</summary>
    FieldCount,

    /// <summary>A quote is not closed, or is in a wrong place.</summary>
    BadQuote,

    /// <summary>The line is not a JSON object.</summary>
    BadJson,

    /// <summary>The line has bytes that are invalid in the dialect's encoding.</summary>
    BadEncoding,

    /// <summary>The last line has no line break, so it may be cut.</summary>
    Unterminated,

    /// <summary>The line is longer than <see cref="LineReader.MaxLength"/> characters, more than any dispute needs.</summary>
    TooLong,

    /// <summary>The compressed file is damaged or ends too early. The lines before the damage are applied.</summary>
    BadCompression,
    FieldMissing,
    BadStage,
    BadStatus,
    BadAmount,
    BadCurrency,
    BadDate,
    BadReason,

    /// <summary>The fields are readable but contradict each other, for example a status that its stage does not have.</summary>
    Contradictory,
}

/// <summary>Turns the fields of one line into a neutral update, by the rules of the dialect.</summary>
public sealed class DisputeLineParser
{
    private static readonly int Fields = Enum.GetValues<DisputeField>().Length;

    private readonly DisputeFileDialect _dialect;
    private readonly TimeZoneInfo _zone;
    private readonly (string Format, bool HasTime)[] _dates;
    private readonly NumberFormatInfo _numbers;
    private readonly string?[] _constants = new string?[Fields];

    /// <exception cref="ArgumentException">The dialect is invalid.</exception>
    public DisputeLineParser(DisputeFileDialect dialect)
    {
        if (dialect.Validate() is { Count: > 0 } problems)
            throw new ArgumentException(string.Join(' ', problems), nameof(dialect));
        _dialect = dialect;
        _zone = TimeZoneInfo.FindSystemTimeZoneById(dialect.TimeZone);
        _dates = [.. dialect.DateFormats.Select(format => (format, format.Contains('H', StringComparison.OrdinalIgnoreCase)))];
        _numbers = new NumberFormatInfo { NumberDecimalSeparator = dialect.DecimalSeparator, NumberGroupSeparator = dialect.ThousandsSeparator ?? "" };
        foreach (var (field, value) in dialect.Constants)
            _constants[(int)field] = value;
    }

    /// <param name="fields">One entry for each <see cref="DisputeField"/>. It is null or blank if the line has no value.</param>
    /// <param name="reference">Names the file and the line.</param>
    public DisputeLineRejection? Parse(ReadOnlySpan<string?> fields, string reference, out DisputeUpdate? update, out string? detail)
    {
        update = null;
        detail = null;
        if (Text(fields, DisputeField.DisputeId) is not { } disputeId)
            return Missing(DisputeField.DisputeId, out detail);
        if (ReadPlace(fields, out var stage, out var status, out detail) is { } badPlace)
            return badPlace;
        if (!Currency.TryParse(Text(fields, DisputeField.Currency), out var currency))
            return Bad(DisputeLineRejection.BadCurrency, fields, DisputeField.Currency, out detail);
        if (ReadAmount(fields, DisputeField.Amount, currency, out var amount) is { } badAmount)
            return Bad(badAmount, fields, DisputeField.Amount, out detail);
        if (amount is null)
            return Missing(DisputeField.Amount, out detail);

        // Before the verdict, a returned amount corrects the disputed amount, which the line states. Only a verdict returns a part.
        Money? returned = null;
        if (status == DisputeStatus.Won && ReadAmount(fields, DisputeField.ReturnedAmount, currency, out returned) is { } badReturned)
            return Bad(badReturned, fields, DisputeField.ReturnedAmount, out detail);
        Money? merchantAmount = null;
        if (Text(fields, DisputeField.MerchantAmount) is not null)
        {
            if (!Currency.TryParse(Text(fields, DisputeField.MerchantCurrency), out var merchantCurrency))
                return Bad(DisputeLineRejection.BadCurrency, fields, DisputeField.MerchantCurrency, out detail);
            if (ReadAmount(fields, DisputeField.MerchantAmount, merchantCurrency, out merchantAmount) is { } badMerchant)
                return Bad(badMerchant, fields, DisputeField.MerchantAmount, out detail);
        }

        if (ReadTime(Text(fields, DisputeField.OccurredAt), Placed(status), out var occurredAt) is { } badTime)
            return Bad(badTime, fields, DisputeField.OccurredAt, out detail);
        if (occurredAt is null)
            return Missing(DisputeField.OccurredAt, out detail);
        if (ReadTime(Text(fields, DisputeField.EvidenceDueBy), EndOfDay, out var dueBy) is { } badDue)
            return Bad(badDue, fields, DisputeField.EvidenceDueBy, out detail);
        DisputeReason? reason = null;
        if (Text(fields, DisputeField.Reason) is { } word)
        {
            if (!DbText.TryParse<DisputeReason>(word, out var parsed))
                return Bad(DisputeLineRejection.BadReason, fields, DisputeField.Reason, out detail);
            reason = parsed;
        }

        var read = new DisputeUpdate(
            _dialect.Provider,
            disputeId,
            Text(fields, DisputeField.ChargeReference),
            stage,
            status,
            amount,
            returned,
            merchantAmount,
            Text(fields, DisputeField.Network)?.ToLowerInvariant(),
            Text(fields, DisputeField.ReasonCode),
            reason,
            dueBy,
            occurredAt.Value,
            DisputeSource.File,
            reference);
        if (read.Check() is { } refusal)
        {
            detail = refusal.ToString();
            return DisputeLineRejection.Contradictory;
        }

        update = read;
        return null;
    }

    private DisputeLineRejection? ReadPlace(ReadOnlySpan<string?> fields, out DisputeStage stage, out DisputeStatus status, out string? detail)
    {
        (stage, status, detail) = (default, default, null);
        if (Text(fields, DisputeField.Status) is not { } word)
            return Missing(DisputeField.Status, out detail);
        if (!DisputeFileDialect.TryPlace(_dialect.Statuses.GetValueOrDefault(word, word), out var named, out status))
            return Bad(DisputeLineRejection.BadStatus, fields, DisputeField.Status, out detail);
        if (named is { } own)
        {
            stage = own;
            return null;
        }

        if (Text(fields, DisputeField.Stage) is not { } stageWord)
            return Missing(DisputeField.Stage, out detail);
        return DbText.TryParse(_dialect.Stages.GetValueOrDefault(stageWord, stageWord), out stage)
            ? null
            : Bad(DisputeLineRejection.BadStage, fields, DisputeField.Stage, out detail);
    }

    /// <summary>An amount with more decimals than its currency has is rejected, not rounded.</summary>
    private DisputeLineRejection? ReadAmount(ReadOnlySpan<string?> fields, DisputeField field, Currency currency, out Money? amount)
    {
        amount = null;
        if (Text(fields, field) is not { } text)
            return null;
        long minorUnits;
        switch (_dialect.AmountFormat)
        {
            case DisputeAmountFormat.Minor:
                if (!long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out minorUnits))
                    return DisputeLineRejection.BadAmount;
                break;
            case DisputeAmountFormat.Decimal:
                var styles = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | (_dialect.ThousandsSeparator is null ? NumberStyles.None : NumberStyles.AllowThousands);
                if (!decimal.TryParse(text, styles, _numbers, out var major))
                    return DisputeLineRejection.BadAmount;
                for (var i = 0; i < currency.Exponent; i++)
                    major *= 10;
                if (major != decimal.Truncate(major) || Math.Abs(major) > long.MaxValue)
                    return DisputeLineRejection.BadAmount;
                minorUnits = (long)major;
                break;
            default:
                throw new InvalidOperationException($"Unknown amount format {_dialect.AmountFormat}.");
        }

        if (_dialect.NegativeAmounts)
            minorUnits = minorUnits == long.MinValue ? 0 : Math.Abs(minorUnits);
        amount = new Money(minorUnits, currency);
        return null;
    }

    private DisputeLineRejection? ReadTime(string? text, TimeSpan placeInDay, out DateTimeOffset? time)
    {
        time = null;
        if (text is null)
            return null;
        foreach (var (format, hasTime) in _dates)
        {
            if (!DateTime.TryParseExact(text, format, CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind, out var read))
                continue;

            // No dispute has a date outside these years, so the format has misread the digits.
            if (read.Year is < 1990 or > 2200)
                return DisputeLineRejection.BadDate;
            if (!hasTime)
                read += placeInDay;
            var utc = read.Kind switch
            {
                DateTimeKind.Utc => read,
                DateTimeKind.Local => read.ToUniversalTime(),
                DateTimeKind.Unspecified => DateTime.SpecifyKind(read - _zone.GetUtcOffset(read), DateTimeKind.Utc),
                _ => throw new InvalidOperationException($"Unknown kind of time {read.Kind}."),
            };
            // The database keeps microseconds.
            time = new DateTimeOffset(utc.Ticks - (utc.Ticks % TimeSpan.TicksPerMicrosecond), TimeSpan.Zero);
            return null;
        }

        return DisputeLineRejection.BadDate;
    }

    private static TimeSpan EndOfDay => TimeSpan.FromDays(1) - TimeSpan.FromMicroseconds(1);

    /// <summary>The time of day of an update that gives only a date: the further its status has advanced, the later.</summary>
    private static TimeSpan Placed(DisputeStatus status) => DisputeTransitions.Rank(status) is var rank and < 4 ? TimeSpan.FromHours(6 * rank) : EndOfDay;

    private string? Text(ReadOnlySpan<string?> fields, DisputeField field)
    {
        var text = fields[(int)field];
        return string.IsNullOrWhiteSpace(text) ? _constants[(int)field] : text.Trim();
    }

    private static DisputeLineRejection Missing(DisputeField field, out string detail)
    {
        detail = field.ToString();
        return DisputeLineRejection.FieldMissing;
    }

    private static DisputeLineRejection Bad(DisputeLineRejection rejection, ReadOnlySpan<string?> fields, DisputeField field, out string detail)
    {
        var text = fields[(int)field];
        detail = $"{field}: '{(text is { Length: > 64 } ? text[..64] : text)}'";
        return rejection;
    }
}
