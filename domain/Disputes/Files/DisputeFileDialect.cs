using System.Text;
using Payments.Domain.Database;

namespace Payments.Domain.Disputes.Files;

/// <summary>The fields that a line of a dispute file can have.</summary>
public enum DisputeField
{
    DisputeId,
    ChargeReference,
    Stage,
    Status,
    Amount,
    Currency,
    ReturnedAmount,
    MerchantAmount,
    MerchantCurrency,
    Network,
    ReasonCode,
    Reason,
    EvidenceDueBy,
    OccurredAt,
}

public enum DisputeFileFormat
{
    /// <summary>A header line, then one dispute per line.</summary>
    Csv,

    /// <summary>One JSON object per line.</summary>
    JsonLines,
}

public enum DisputeAmountFormat
{
    /// <summary>Whole minor units: <c>1050</c> is EUR 10.50.</summary>
    Minor,

    /// <summary>Major units with the dialect's separators: <c>10,50</c>.</summary>
    Decimal,
}

/// <summary>
/// How one partner writes disputes: one entry of the configuration, <c>Disputes:Partners:{partner}</c>. Field names are those of
/// <see cref="DisputeField"/>.
/// </summary>
public sealed class DisputeFileDialect
{
    /// <summary>The provider of the file's disputes and charges.</summary>
    public string Provider { get; set; } = "";

    public DisputeFileFormat Format { get; set; } = DisputeFileFormat.Csv;

    /// <summary>The character between two fields.</summary>
    public string Delimiter { get; set; } = ",";

    /// <summary>The IANA name of the encoding. A byte-order mark takes precedence.</summary>
    public string Encoding { get; set; } = "utf-8";

    /// <summary>Maps a field to the column or JSON property that holds it. Column names ignore case.</summary>
    public Dictionary<DisputeField, string> Columns { get; set; } = [];

    /// <summary>The value of a field that the partner has no column for, or leaves empty.</summary>
    public Dictionary<DisputeField, string> Constants { get; set; } = [];

    /// <summary>Maps the partner's word to a stage (<c>chargeback</c>). A word that is not listed must itself be a stage.</summary>
    public Dictionary<string, string> Stages { get; set; } = [];

    /// <summary>
    /// Maps the partner's word to a status (<c>needs_response</c>), or to a stage and status (<c>chargeback/needs_response</c>).
    /// A word that is not listed must itself be one of these.
    /// </summary>
    public Dictionary<string, string> Statuses { get; set; } = [];

    public DisputeAmountFormat AmountFormat { get; set; } = DisputeAmountFormat.Minor;

    public string DecimalSeparator { get; set; } = ".";

    public string? ThousandsSeparator { get; set; }

    /// <summary>Whether the partner writes the amounts that it takes with a minus sign.</summary>
    public bool NegativeAmounts { get; set; }

    /// <summary>
    /// .NET date formats. The first that fits is used. A format without hours gives only a day. An opening then counts at the start of its
    /// day, a verdict at the end, and a review between them. A due date counts at the end of its day.
    /// </summary>
    public string[] DateFormats { get; set; } = ["yyyy-MM-ddTHH:mm:ss.FFFFFFFK", "yyyy-MM-dd"];

    /// <summary>The IANA time zone of dates without an offset.</summary>
    public string TimeZone { get; set; } = "UTC";

    /// <summary>
    /// Whether the last line may end without a line break. Otherwise such a line is rejected, because it may be cut in the middle of an
    /// amount.
    /// </summary>
    public bool LastLineMayLackBreak { get; set; }

    /// <summary>One sentence for the operator about each problem of the entry. Empty when the entry is valid.</summary>
    public IReadOnlyList<string> Validate()
    {
        var problems = new List<string>();
        if (string.IsNullOrWhiteSpace(Provider))
            problems.Add("Provider is required.");
        if (Format == DisputeFileFormat.Csv && (Delimiter.Length != 1 || !char.IsAscii(Delimiter[0]) || Delimiter[0] is '"' or '\r' or '\n'))
            problems.Add("Delimiter must be one ASCII character, but not a quote or a line break.");
        if (Find(Encoding) is null)
            problems.Add($"Encoding must be the IANA name of an encoding, but is '{Encoding}'.");
        if (!TimeZoneInfo.TryFindSystemTimeZoneById(TimeZone, out _))
            problems.Add($"TimeZone must be the IANA name of a time zone, but is '{TimeZone}'.");
        if (DateFormats.Length == 0)
            problems.Add("DateFormats must have at least one format.");
        if (DecimalSeparator.Length != 1 || ThousandsSeparator is { Length: not 1 } || DecimalSeparator == ThousandsSeparator)
            problems.Add("DecimalSeparator and ThousandsSeparator must be one character each, and must differ.");
        foreach (var field in (DisputeField[])[DisputeField.DisputeId, DisputeField.Status, DisputeField.Amount, DisputeField.Currency, DisputeField.OccurredAt])
        {
            if (!Columns.ContainsKey(field) && !Constants.ContainsKey(field))
                problems.Add($"{field} must have a column or a constant.");
        }

        foreach (var (word, stage) in Stages)
        {
            if (!DbText.TryParse<DisputeStage>(stage, out _))
                problems.Add($"Stages:{word} must be a stage, but is '{stage}'.");
        }

        foreach (var (word, place) in Statuses)
        {
            if (!TryPlace(place, out _, out _))
                problems.Add($"Statuses:{word} must be a status or a stage and status, but is '{place}'.");
        }

        if (!Columns.ContainsKey(DisputeField.Stage) && !Constants.ContainsKey(DisputeField.Stage)
            && Statuses.Values.Any(place => !place.Contains('/', StringComparison.Ordinal)))
        {
            problems.Add("Stage must have a column or a constant, unless every entry of Statuses names a stage.");
        }

        return problems;
    }

    /// <summary>Reads <c>status</c> or <c>stage/status</c> in neutral words.</summary>
    internal static bool TryPlace(string text, out DisputeStage? stage, out DisputeStatus status)
    {
        stage = null;
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        if (slash >= 0)
        {
            if (!DbText.TryParse<DisputeStage>(text[..slash], out var parsed))
            {
                status = default;
                return false;
            }

            stage = parsed;
        }

        return DbText.TryParse(text[(slash + 1)..], out status);
    }

    /// <summary>Bytes that are invalid in the encoding become U+FFFD, which no line may contain.</summary>
    internal static Encoding? Find(string name)
    {
        try
        {
            return CodePagesEncodingProvider.Instance.GetEncoding(name) ?? System.Text.Encoding.GetEncoding(name);
        }
        catch (ArgumentException)
        {
            return null;
        }
    }
}
