using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Payments.Acquirer;

/// <summary>The files that a processor's customer fetches daily, streamed from the journal. A day's file never changes once the day is over.</summary>
internal static class PartnerFiles
{
    public const string SettlementHeader =
        "settlement_date,type,payment_id,payment_reference,operation_id,operation_reference,currency,gross_amount,cost_amount,net_amount,created_at";

    public const string DisputeHeader =
        "dispute_id,version,payment_id,payment_reference,stage,status,reason_code,currency,amount,evidence_due_by,withdrawn_amount,reinstated_amount,updated_at";

    public static async Task WriteAsync(Stream output, JournalFile journal, DateOnly date, string header, Func<JournalEntry, string?> line, CancellationToken ct)
    {
        await using var writer = new StreamWriter(output, new UTF8Encoding(false), 64 * 1024, leaveOpen: true) { NewLine = "\n" };
        await writer.WriteLineAsync(header.AsMemory(), ct);
        await foreach (var (_, bytes) in journal.ReadAsync(0, ct))
        {
            var entry = JsonSerializer.Deserialize(bytes.Span, AcquirerJson.Default.JournalLine)!.Entry;
            if (DateOnly.FromDateTime(entry.At) == date && line(entry) is { } text)
                await writer.WriteLineAsync(text.AsMemory(), ct);
        }
    }

    /// <summary>What moved between the customer and the processor; amounts have the customer's sign.</summary>
    public static string? Settlement(JournalEntry entry, AcquirerOptions options) => entry switch
    {
        { Type: EntryType.Payment or EntryType.Completion, PaymentStatus: PaymentStatus.Captured } => Line(entry, "capture", entry.Amount!.Value, Cost(entry.Amount.Value, options)),
        { Type: EntryType.Capture } => Line(entry, "capture", entry.Amount!.Value, Cost(entry.Amount.Value, options)),
        { Type: EntryType.Refund or EntryType.RefundResult, OperationStatus: OperationStatus.Succeeded } => Line(entry, "refund", -entry.Amount!.Value, 0),
        { Withdrawn: { } withdrawn } => Line(entry, "dispute_withdrawal", -withdrawn, 0),
        { Reinstated: { } reinstated } => Line(entry, "dispute_reinstatement", reinstated, 0),
        _ => null,
    };

    public static string? Dispute(JournalEntry entry) => entry.Type is EntryType.Dispute or EntryType.DisputeChange
        ? string.Join(
            ',', entry.Id, entry.Version, entry.PaymentId, Quoted(entry.PaymentReference), JsonText.Of(entry.Stage!.Value), JsonText.Of(entry.DisputeStatus!.Value),
            Quoted(entry.Code), entry.Currency, entry.Amount, Exact(entry.EvidenceDueBy!.Value), entry.Withdrawn, entry.Reinstated, Exact(entry.At))
        : null;

    /// <summary>Rounded half up to a whole minor unit, never more than the capture.</summary>
    private static long Cost(long amount, AcquirerOptions options) =>
        Math.Min(amount, (((amount * options.CostBasisPoints) + 5000) / 10_000) + options.CostFixed);

    private static string Line(JournalEntry entry, string type, long gross, long cost) => string.Join(
        ',', DateOnly.FromDateTime(entry.At).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture), type, entry.PaymentId ?? entry.Id,
        Quoted(entry.PaymentReference ?? entry.Reference), entry.Id ?? entry.PaymentId, Quoted(entry.Reference ?? entry.PaymentReference),
        entry.Currency, gross, cost, gross - cost, Time(entry.At));

    private static string Time(DateTime at) => at.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);

    /// <summary>As finely as the webhook of the same change says it, so that both tell of one instant.</summary>
    private static string Exact(DateTime at) => at.ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'", CultureInfo.InvariantCulture);

    private static string Quoted(string? text) =>
        text is null ? "" : text.AsSpan().ContainsAny(",\"\r\n") ? $"\"{text.Replace("\"", "\"\"", StringComparison.Ordinal)}\"" : text;
}
