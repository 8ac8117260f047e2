using System.Text.Json;

namespace Payments.Faults;

/// <summary>One effect at the acquirer, under one of the platform's references.</summary>
internal sealed class AcquirerEffect(string reference, string kind, string id, long amount, string currency, long seq)
{
    public string Reference { get; } = reference;

    /// <summary><c>payment</c>, <c>capture</c>, <c>cancel</c>, <c>refund</c> or <c>payout</c>.</summary>
    public string Kind { get; } = kind;

    public string Id { get; } = id;

    /// <summary>Minor units of <see cref="Currency"/>.</summary>
    public long Amount { get; } = amount;

    public string Currency { get; } = currency;

    /// <summary>Its sequence number in the journal.</summary>
    public long Seq { get; } = seq;

    public string Status { get; set; } = "";

    /// <summary>The authorized amount of a payment. An approved payment is authorized in full.</summary>
    public long Authorized { get; set; }

    public long Captured { get; set; }

    public long Released { get; set; }

    public long Refunded { get; set; }

    public long RefundsPending { get; set; }

    /// <summary>For a payout: whether the bank ever reported it as paid.</summary>
    public bool WasPaid { get; set; }

    /// <summary>Whether the sandbox bank holds the payout.</summary>
    public bool IsHeld { get; init; }

    /// <summary>Whether a payment was ever approved.</summary>
    public bool IsApproved => Authorized > 0;

    public override string ToString() => $"{Kind} {Id} ({Reference}) of {Amount} {Currency}, {Status}";
}

/// <param name="DisputeId">The acquirer's id of the dispute.</param>
internal sealed record DisputeVersion(string DisputeId, int Version, string Stage, string Status, DateTime At, long Seq)
{
    /// <summary>The dispute update that should report this version to the platform.</summary>
    public DisputeWord Word => new(DisputeId, Stage, Status, At.Ticks / TimeSpan.TicksPerMicrosecond);
}

/// <summary>Identifies an update of a dispute, as far as both sides know its content.</summary>
/// <param name="Microseconds">When it happened at the acquirer, from the same origin as <see cref="DateTime.Ticks"/>.</param>
internal readonly record struct DisputeWord(string DisputeId, string Stage, string Status, long Microseconds);

/// <summary>
/// The real effects at the acquirer and its bank, from their durable journal. Each read adds only the new entries.
/// </summary>
internal sealed class AcquirerJournal(HttpClient acquirer)
{
    private readonly Dictionary<string, AcquirerEffect> _effects = new(StringComparer.Ordinal);
    private readonly Dictionary<string, AcquirerEffect> _payments = new(StringComparer.Ordinal);
    private readonly Dictionary<string, AcquirerEffect> _payouts = new(StringComparer.Ordinal);
    private readonly List<DisputeVersion> _disputes = [];
    private readonly Dictionary<string, long> _webhooks = new(StringComparer.Ordinal);

    /// <summary>The sequence number of the last entry that was read.</summary>
    public long Seq { get; private set; }

    /// <summary>By reference. The acquirer uses each reference once.</summary>
    public IReadOnlyDictionary<string, AcquirerEffect> Effects => _effects;

    public IReadOnlyList<DisputeVersion> Disputes => _disputes;

    /// <summary>How many webhooks of each type the acquirer has created.</summary>
    public IReadOnlyDictionary<string, long> Webhooks => _webhooks;

    public async Task ReadAsync(CancellationToken ct)
    {
        using var response = await acquirer.GetAsync(new Uri($"/control/journal?after={Seq}", UriKind.Relative), HttpCompletionOption.ResponseHeadersRead, ct);
        response.EnsureSuccessStatusCode();
        using var lines = new StreamReader(await response.Content.ReadAsStreamAsync(ct));
        while (await lines.ReadLineAsync(ct) is { } line)
        {
            using var entry = JsonDocument.Parse(line);
            Apply(entry.RootElement);
            Seq = entry.RootElement.GetProperty("seq").GetInt64();
        }
    }

    /// <summary>How many webhooks the acquirer has not delivered yet.</summary>
    public async Task<long> PendingWebhooksAsync(CancellationToken ct)
    {
        using var health = JsonDocument.Parse(await acquirer.GetStringAsync(new Uri("/health", UriKind.Relative), ct));
        return health.RootElement.GetProperty("pending_webhooks").GetInt64();
    }

    private void Apply(JsonElement entry)
    {
        switch (Text(entry, "type"))
        {
            case "payment":
                {
                    var payment = Effect(entry, "payment");
                    _payments.Add(payment.Id, payment);
                    Decide(payment, entry);
                    break;
                }

            case "completion":
                Decide(PaymentOf(entry), entry);
                break;
            case "expiry":
                {
                    var payment = PaymentOf(entry);
                    if (payment.Status == "authorized")
                        payment.Released += payment.Authorized - payment.Captured - payment.Released;
                    else
                        payment.Status = "expired";
                    Close(payment, "expired");
                    Told("payment.expired");
                    break;
                }

            case "capture":
                {
                    var (payment, capture) = (PaymentOf(entry), Effect(entry, "capture"));
                    capture.Status = "succeeded";
                    payment.Captured += capture.Amount;
                    if (entry.TryGetProperty("final", out var final) && final.GetBoolean())
                        payment.Released += payment.Authorized - payment.Captured - payment.Released;
                    Close(payment, "canceled");
                    Told("capture.succeeded");
                    break;
                }

            case "cancel":
                {
                    var (payment, cancel) = (PaymentOf(entry), Effect(entry, "cancel"));
                    cancel.Status = "succeeded";
                    payment.Released += cancel.Amount;
                    if (payment.Status == "requires_action")
                        payment.Status = "canceled";
                    Close(payment, "canceled");
                    Told("payment.canceled");
                    break;
                }

            case "refund":
                {
                    var (payment, refund) = (PaymentOf(entry), Effect(entry, "refund"));
                    Refund(payment, refund, Text(entry, "operation_status")!);
                    break;
                }

            case "refund_result":
                Refund(PaymentOf(entry), _effects[Text(entry, "reference")!], Text(entry, "operation_status")!);
                break;
            case "payout":
                {
                    var payout = Effect(entry, "payout", isHeld: Text(entry, "token") is "ba_hold_pending" or "ba_hold_in_transit");
                    payout.Status = Text(entry, "payout_status")!;
                    _payouts.Add(payout.Id, payout);
                    break;
                }

            case "payout_change":
                {
                    var payout = _payouts[Text(entry, "id")!];
                    payout.Status = Text(entry, "payout_status")!;
                    payout.WasPaid |= payout.Status == "paid";
                    Told($"payout.{payout.Status}");
                    break;
                }

            case "dispute" or "dispute_change":
                Dispute(entry);
                break;
        }
    }

    private void Decide(AcquirerEffect payment, JsonElement entry)
    {
        payment.Status = Text(entry, "payment_status")!;
        if (payment.Status is "authorized" or "captured")
            payment.Authorized = payment.Amount;
        if (payment.Status == "captured")
            payment.Captured = payment.Amount;
        Told($"payment.{payment.Status}");
    }

    private void Refund(AcquirerEffect payment, AcquirerEffect refund, string status)
    {
        if (refund.Status == "pending")
            payment.RefundsPending -= refund.Amount;
        if (refund.Status == "succeeded")
            payment.Refunded -= refund.Amount;
        refund.Status = status;
        if (status == "pending")
            payment.RefundsPending += refund.Amount;
        if (status == "succeeded")
            payment.Refunded += refund.Amount;
        Told($"refund.{status}");
    }

    private void Dispute(JsonElement entry)
    {
        var status = Text(entry, "dispute_status")!;
        _disputes.Add(new DisputeVersion(
            Text(entry, "id")!, entry.GetProperty("version").GetInt32(), Text(entry, "stage")!, status, entry.GetProperty("at").GetDateTime(), entry.GetProperty("seq").GetInt64()));
        Told(Text(entry, "type") == "dispute" ? "dispute.opened"
            : status is "warning_closed" or "won" or "lost" or "accepted" or "expired" or "prevented" ? "dispute.closed"
            : "dispute.updated");
        if (entry.TryGetProperty("withdrawn", out _))
            Told("dispute.funds_withdrawn");
        if (entry.TryGetProperty("reinstated", out _))
            Told("dispute.funds_reinstated");
    }

    private AcquirerEffect Effect(JsonElement entry, string kind, bool isHeld = false)
    {
        var effect = new AcquirerEffect(
            Text(entry, "reference")!, kind, Text(entry, "id")!, entry.GetProperty("amount").GetInt64(), Text(entry, "currency")!, entry.GetProperty("seq").GetInt64())
        { IsHeld = isHeld };
        _effects.Add(effect.Reference, effect);
        return effect;
    }

    private static void Close(AcquirerEffect payment, string untouched)
    {
        if (payment.Status == "authorized" && payment.Captured + payment.Released == payment.Authorized)
            payment.Status = payment.Captured > 0 ? "captured" : untouched;
    }

    private AcquirerEffect PaymentOf(JsonElement entry) => _payments[Text(entry, "payment_id")!];

    private void Told(string type) => _webhooks[type] = _webhooks.GetValueOrDefault(type) + 1;

    private static string? Text(JsonElement entry, string name) => entry.TryGetProperty(name, out var value) ? value.GetString() : null;
}
