using System.Buffers;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Payments.Acquirer;

/// <summary>A caller's idempotency key and what it came with.</summary>
internal readonly record struct IdempotencyKey(string Text, UInt128 Hash, UInt128 Fingerprint);

/// <summary>What a caller is told once it is durable.</summary>
internal readonly record struct Answer(int Status, ReadOnlyMemory<byte> Body, bool Replayed, PendingWebhook? Webhook)
{
    public static Answer Of<T>(int status, T value, JsonTypeInfo<T> type) => new(status, JsonSerializer.SerializeToUtf8Bytes(value, type), false, null);

    public static Answer Refused(Refusal refusal) =>
        Of(refusal.Status, new ErrorBody(new(refusal.Code, refusal.Message)), AcquirerJson.Default.ErrorBody);
}

/// <summary>What a request comes to: a refusal, or a fact to write down.</summary>
internal readonly record struct Decision(Refusal? Refusal, JournalEntry? Entry)
{
    public static implicit operator Decision(Refusal refusal) => new(refusal, null);

    public static implicit operator Decision(JournalEntry entry) => new(null, entry);
}

/// <summary>
/// The card processor and bank. Every change is decided under one lock, written to the journal, and told to nobody before it is
/// durable; so the answer to a key, the webhooks and the state always come from the same fact.
/// </summary>
internal sealed class Processor(
    AcquirerOptions options, JournalFile journal, WebhookDispatcher webhooks, FaultPlan faults, AcquirerClock clock, ILogger<Processor> logger) : IDisposable
{
    private const int IndexEvery = 1024;

    private static readonly TimeSpan LargestOffset = TimeSpan.FromDays(3652);

    private readonly Lock _gate = new();
    private readonly ArrayBufferWriter<byte> _line = new(4096);
    private readonly Utf8JsonWriter _json = new(Stream.Null, new() { SkipValidation = true });
    private readonly List<long> _index = [];
    private ProcessorState _state = new(options);
    private long _seq;

    /// <summary>Where this program can be reached; the cardholder's page is below it.</summary>
    public string Address { get; set; } = "";

    public void Dispose() => _json.Dispose();

    /// <summary>Rebuilds the state from the journal and takes up the webhooks that were not acknowledged.</summary>
    public async Task RestoreAsync(CancellationToken ct)
    {
        var length = journal.DurableEnd;
        var undelivered = new Dictionary<long, PendingWebhook>();
        long end = 0;
        (long Offset, Exception Problem)? broken = null;
        await foreach (var (offset, bytes) in journal.ReadAsync(0, ct))
        {
            if (broken is { } earlier)
                throw new AcquirerSetupException($"the journal is damaged at byte {earlier.Offset}: {earlier.Problem.Message}");
            JournalLine line;
            try
            {
                line = JsonSerializer.Deserialize(bytes.Span, AcquirerJson.Default.JournalLine)!;
            }
            catch (JsonException problem)
            {
                broken = (offset, problem);
                continue;
            }
            Restore(line, offset, bytes.Length, undelivered);
            end = offset + bytes.Length + 1;
        }
        if (end < length)
            logger.JournalCut(length - end);
        journal.Start(end);
        if (webhooks.Enabled)
        {
            foreach (var webhook in undelivered.Values)
                webhooks.Enqueue(webhook);
        }
        logger.JournalRead(_seq, _state.Payments.Count, undelivered.Count);
    }

    public Task<Answer> PayAsync(IdempotencyKey key, PaymentRequest request) => RunAsync(key, request.Reference!, now =>
    {
        var card = Tokens.Card(request.Token!)!;
        var capture = request.Capture ?? true;
        return new JournalEntry
        {
            Type = EntryType.Payment,
            Id = Ids.Text(Ids.Payment, Guid.CreateVersion7(now)),
            Reference = request.Reference,
            Amount = request.Amount,
            Currency = request.Currency,
            Token = request.Token,
            Capture = capture,
            PaymentStatus = card.DeclineCode is not null ? PaymentStatus.Declined
                : card.AuthenticationPasses is not null ? PaymentStatus.RequiresAction
                : Approved(capture),
            Code = card.DeclineCode,
            StatementDescriptor = request.StatementDescriptor,
            ReturnUrl = request.ReturnUrl,
            Customer = request.Customer,
            Metadata = request.Metadata,
        };
    });

    public Task<Answer> CaptureAsync(IdempotencyKey key, string id, OperationRequest request) =>
        OnPaymentAsync(key, id, request.Reference!, (payment, now) =>
        {
            var amount = request.Amount ?? payment.Capturable;
            if (PaymentRules.Capture(payment, Math.Max(amount, 1)) is { } refusal)
                return refusal;
            if (Tokens.Card(payment.Token)!.RefusesCapture)
                return new Refusal(422, "capture_refused", "The issuer no longer honours the authorization.");
            return Entry(EntryType.Capture, Ids.Capture, payment, request.Reference!, amount, now) with { Final = request.Final == true ? true : null };
        });

    public Task<Answer> CancelAsync(IdempotencyKey key, string id, OperationRequest request) =>
        OnPaymentAsync(key, id, request.Reference!, (payment, now) =>
        {
            var amount = request.Amount ?? payment.Cancelable;
            if (PaymentRules.Cancel(payment, Math.Max(amount, 1)) is { } refusal)
                return refusal;
            return Entry(EntryType.Cancel, Ids.Cancel, payment, request.Reference!, amount, now);
        });

    public Task<Answer> RefundAsync(IdempotencyKey key, string id, OperationRequest request) =>
        OnPaymentAsync(key, id, request.Reference!, (payment, now) =>
        {
            var amount = request.Amount ?? payment.Refundable;
            if (PaymentRules.Refund(payment, Math.Max(amount, 1)) is { } refusal)
                return refusal;
            var status = Tokens.Card(payment.Token)!.RefundStatus;
            return Entry(EntryType.Refund, Ids.Refund, payment, request.Reference!, amount, now) with
            {
                OperationStatus = status,
                Code = status == OperationStatus.Failed ? "refund_refused_by_issuer" : null,
            };
        });

    /// <summary>The cardholder answers the issuer's challenge. Once answered, the payment is told as it is.</summary>
    public Task<Answer> CompleteAsync(string id, bool passes) => RunAsync(null, null, _ =>
    {
        if (Find(id) is not { } payment)
            return NoSuchPayment(id);
        if (payment.Status != PaymentStatus.RequiresAction)
            return new Refusal(409, "payment_not_awaiting_action", $"The payment is {JsonText.Of(payment.Status)}.");
        var approved = passes && Tokens.Card(payment.Token)!.AuthenticationPasses == true;
        return new JournalEntry
        {
            Type = EntryType.Completion,
            PaymentId = payment.Id,
            PaymentReference = payment.Reference,
            Amount = payment.Amount,
            Currency = payment.Currency,
            PaymentStatus = approved ? Approved(payment.CaptureNow) : PaymentStatus.Declined,
            Code = approved ? null : "authentication_failed",
        };
    });

    /// <summary>The customer's bank sends a refund back: one that is pending fails, and one that had succeeded fails after all.</summary>
    public Task<Answer> ReturnRefundAsync(string id) => RunAsync(null, null, _ =>
        _state.References.Values.OfType<Operation>().FirstOrDefault(o => o.Kind == OperationKind.Refund && o.Id == id) is not { } refund
            ? new Refusal(404, "refund_not_found", $"There is no refund {id}.")
        : refund.Status == OperationStatus.Failed ? new Refusal(409, "refund_cannot_change", "The refund has failed already.")
        : RefundEnd(refund, succeeds: false));

    public Task<Answer> ExpireAsync(string id) => RunAsync(null, null, _ => Find(id) is not { } payment ? NoSuchPayment(id) : Expiry(payment));

    public Task<Answer> PayOutAsync(IdempotencyKey key, PayoutRequest request, string token) => RunAsync(key, request.Reference!, now =>
    {
        if (now >= request.ValidUntil)
            return new Refusal(400, "instant_too_late", "The time until which the payout could be taken is over.");
        if (request.Method == "instant" && !Tokens.ReachesInstantly(request.BankAccount!))
            return new Refusal(400, "instant_not_reachable", "Instant payments do not reach this account.");
        return new JournalEntry
        {
            Type = EntryType.Payout,
            Id = Ids.Text(Ids.Payout, Guid.CreateVersion7(now)),
            Reference = request.Reference,
            Amount = request.Amount,
            Currency = request.Currency,
            Token = token,
            PayoutStatus = PayoutStatus.Pending,
            Instant = request.Method == "instant" ? true : null,
            BankAccount = request.BankAccount,
            StatementDescriptor = request.StatementDescriptor,
        };
    });

    public Task<Answer> ChangePayoutAsync(string id, PayoutStatus to, string? failureCode) => RunAsync(null, null, _ =>
    {
        if (!Ids.TryParse(Ids.Payout, id, out var key) || !_state.Payouts.TryGetValue(key, out var payout))
            return new Refusal(404, "payout_not_found", $"There is no payout {id}.");
        return PayoutTransitions.Allows(payout.Status, to)
            ? PayoutChange(payout, to, failureCode)
            : new Refusal(409, "payout_cannot_change", $"A payout that is {JsonText.Of(payout.Status)} cannot become {JsonText.Of(to)}.");
    });

    public Task<Answer> OpenDisputeAsync(OpenDisputeRequest request) => RunAsync(null, null, now =>
    {
        var payment = request.PaymentId is { } id ? Find(id)
            : request.PaymentReference is { } reference ? _state.References.GetValueOrDefault(reference) as Payment
            : null;
        if (payment is null)
            return NoSuchPayment(request.PaymentId ?? request.PaymentReference ?? "");
        return payment.Captured == 0
            ? new Refusal(409, "payment_not_disputable", "Nothing of the payment was captured.")
            : Opening(payment, request, now.UtcDateTime);
    });

    public Task<Answer> ChangeDisputeAsync(string id, ChangeDisputeRequest request) => OnDisputeAsync(id, dispute => DisputeRules.Change(dispute, request));

    public Task<Answer> AnswerDisputeAsync(string id, EvidenceRequest request) => OnDisputeAsync(id, dispute => DisputeRules.TakeEvidence(dispute, request));

    public Task<Answer> AcceptDisputeAsync(string id) => OnDisputeAsync(id, DisputeRules.Accept);

    public Task<Answer> PaymentAsync(string id) => ReadAsync(state =>
        Find(id) is { } payment ? Answer.Of(200, Views.Of(payment, Address), AcquirerJson.Default.PaymentView) : Answer.Refused(NoSuchPayment(id)));

    public Task<Answer> DisputeAsync(string id) => ReadAsync(state =>
        Ids.TryParse(Ids.Dispute, id, out var key) && state.Disputes.TryGetValue(key, out var dispute)
            ? Answer.Of(200, Views.Of(dispute), AcquirerJson.Default.DisputeView)
            : Answer.Refused(NoSuchDispute(id)));

    public Task<Answer> PayoutAsync(string id) => ReadAsync(state =>
        Ids.TryParse(Ids.Payout, id, out var key) && state.Payouts.TryGetValue(key, out var payout)
            ? Answer.Of(200, Views.Of(payout), AcquirerJson.Default.PayoutView)
            : Answer.Refused(new(404, "payout_not_found", $"There is no payout {id}.")));

    public Task<Answer> PayoutByReferenceAsync(string reference) => ReadAsync(state => state.References.GetValueOrDefault(reference) is Payout payout
        ? Answer.Of(200, Views.Of(payout), AcquirerJson.Default.PayoutView)
        : Answer.Of(404, new ErrorBody(new("payout_not_found", "No payout has this reference.", clock.GetUtcNow().UtcDateTime)),
            AcquirerJson.Default.ErrorBody));

    /// <summary>What became of a reference. Not found means that it never happened, as far as calls have arrived.</summary>
    public Task<Answer> ByReferenceAsync(string reference) => ReadAsync(state => state.References.GetValueOrDefault(reference) switch
    {
        Payment payment => Found(new("payment", Views.Of(payment, Address), null, null)),
        Operation operation => Found(new(JsonText.Of(operation.Kind), null, Views.Of(operation, Address), null)),
        Payout payout => Found(new("payout", null, null, Views.Of(payout))),
        _ => Answer.Refused(new(404, "reference_not_found", "Nothing happened under this reference.")),
    });

    /// <summary>The card token of a payment, so that its later operations meet the token's faults; null where there is no such payment.</summary>
    public (string Token, string? ReturnUrl, PaymentStatus Status)? Glance(string id)
    {
        lock (_gate)
            return Find(id) is { } payment ? (payment.Token, payment.ReturnUrl, payment.Status) : null;
    }

    public Task<Answer> SetClockAsync(ClockRequest request)
    {
        lock (_gate)
        {
            var seconds = (request.OffsetSeconds ?? clock.Offset.TotalSeconds) + (request.AdvanceSeconds ?? 0);
            if (!(Math.Abs(seconds) <= LargestOffset.TotalSeconds))
                throw BadRequestException.Because("invalid_offset", "The clock moves by at most ten years.");
            var offset = TimeSpan.FromMilliseconds((long)(seconds * 1000));
            Commit_NeedsLock(new() { Type = EntryType.ClockSet, OffsetMilliseconds = (long)offset.TotalMilliseconds }, null);
            clock.Offset = offset;
        }
        return ReadAsync(_ => Answer.Of(200, new ClockView(clock.GetUtcNow().UtcDateTime, clock.Offset.TotalSeconds), AcquirerJson.Default.ClockView));
    }

    /// <summary>Forgets everything: journal, objects, webhooks, faults and the clock's offset.</summary>
    public void Reset()
    {
        lock (_gate)
        {
            webhooks.Clear();
            journal.Clear();
            _state = new(options);
            _index.Clear();
            _seq = 0;
            clock.Offset = TimeSpan.Zero;
            faults.Set([], null);
            faults.Webhooks = new();
        }
    }

    public HealthView Health()
    {
        lock (_gate)
            return new(journal.Failure is null ? "ok" : "journal_failed", _seq, _state.Payments.Count, webhooks.Pending);
    }

    /// <summary>Sums of payments by their reference, their customer or one key of their metadata.</summary>
    public List<GroupSums> Sums(string groupBy)
    {
        var metadataKey = Tokens.Tail(groupBy, "metadata.");
        var groups = new Dictionary<string, GroupSums>();
        lock (_gate)
        {
            foreach (var payment in _state.Payments.Values)
            {
                var name = metadataKey is not null ? payment.Metadata?.GetValueOrDefault(metadataKey)
                    : groupBy == "customer" ? payment.Customer
                    : payment.Reference;
                if (name is null)
                    continue;
                if (!groups.TryGetValue(name, out var sums))
                    groups.Add(name, sums = new(name));
                sums.Payments++;
                sums.Approved += payment.Authorized > 0 ? 1 : 0;
                sums.Captures += (payment.Captured > 0 && payment.CaptureNow ? 1 : 0) + payment.Operations.Count(o => o.Kind == OperationKind.Capture);
                sums.Refunds += payment.Operations.Count(o => o.Kind == OperationKind.Refund && o.Status != OperationStatus.Failed);
                sums.AuthorizedAmount += payment.Authorized;
                sums.CapturedAmount += payment.Captured;
                sums.CanceledAmount += payment.Canceled;
                sums.RefundedAmount += payment.Refunded;
                sums.PendingRefundAmount += payment.RefundsPending;
            }
        }
        return [.. groups.Values];
    }

    public SummaryView Summary()
    {
        var currencies = new SortedDictionary<string, CurrencySums>(StringComparer.Ordinal);
        lock (_gate)
        {
            foreach (var payment in _state.Payments.Values)
            {
                var sums = Of(payment.Currency);
                sums.Payments++;
                sums.AuthorizedAmount += payment.Authorized;
                sums.CapturedAmount += payment.Captured;
                sums.CanceledAmount += payment.Canceled;
                sums.RefundedAmount += payment.Refunded;
                sums.PendingRefundAmount += payment.RefundsPending;
            }
            foreach (var dispute in _state.Disputes.Values)
            {
                var sums = Of(dispute.Currency);
                sums.Disputes++;
                sums.DisputeHeldAmount += dispute.Held;
            }
            foreach (var payout in _state.Payouts.Values)
            {
                var sums = Of(payout.Currency);
                sums.Payouts++;
                switch (payout.Status)
                {
                    case PayoutStatus.Paid:
                        sums.PayoutsPaidAmount += payout.Amount;
                        break;
                    case PayoutStatus.Failed or PayoutStatus.Returned:
                        sums.PayoutsBackAmount += payout.Amount;
                        break;
                    default:
                        sums.PayoutsOpenAmount += payout.Amount;
                        break;
                }
            }
            return new(
                Count(_state.Payments.Values, p => p.Status), Count(_state.Payouts.Values, p => p.Status), Count(_state.Disputes.Values, d => d.Status),
                [.. currencies.Values]);
        }

        CurrencySums Of(string currency)
        {
            if (!currencies.TryGetValue(currency, out var sums))
                currencies.Add(currency, sums = new(currency));
            return sums;
        }

        static Dictionary<string, int> Count<T, TStatus>(IEnumerable<T> items, Func<T, TStatus> status)
            where TStatus : struct, Enum => items.CountBy(status).ToDictionary(pair => JsonText.Of(pair.Key), pair => pair.Value);
    }

    /// <summary>Where to start reading the journal for entries after one: at most a thousand lines early.</summary>
    public long OffsetBefore(long seq)
    {
        lock (_gate)
            return _index.Count == 0 ? 0 : _index[(int)Math.Min(Math.Max(seq, 0) / IndexEvery, _index.Count - 1)];
    }

    /// <summary>Ends when all that is known now is durable.</summary>
    public Task FlushedAsync() => journal.FlushedAsync();

    /// <summary>Takes the steps that are due by the clock, and records which webhooks were acknowledged.</summary>
    public async Task RunDueAsync()
    {
        while (true)
        {
            List<PendingWebhook> told = [];
            Task durable = Task.CompletedTask;
            var more = false;
            lock (_gate)
            {
                var delivered = webhooks.TakeDelivered();
                if (delivered.Length > 0)
                    Commit_NeedsLock(new() { Type = EntryType.WebhooksDelivered, Delivered = delivered }, null);
                var now = clock.GetUtcNow().UtcDateTime;
                var steps = 0;
                while (_state.Due.TryPeek(out var due, out var at) && at <= now)
                {
                    _state.Due.Dequeue();
                    if (Step(due, now) is not { } entry)
                        continue;
                    var written = Commit_NeedsLock(entry, null);
                    durable = written.Durable;
                    told.AddRange(written.Webhooks);
                    // A flood of steps must not keep callers waiting for the lock.
                    if (more = ++steps == 100)
                        break;
                }
            }
            await durable;
            foreach (var webhook in told)
                webhooks.Enqueue(webhook);
            if (!more)
                return;
        }
    }

    private static PaymentStatus Approved(bool capture) => capture ? PaymentStatus.Captured : PaymentStatus.Authorized;

    private static Refusal NoSuchPayment(string id) => new(404, "payment_not_found", $"There is no payment {id}.");

    private static Refusal NoSuchDispute(string id) => new(404, "dispute_not_found", $"There is no dispute {id}.");

    private static Answer Found(ReferenceView view) => Answer.Of(200, view, AcquirerJson.Default.ReferenceView);

    private static JournalEntry Entry(EntryType type, string prefix, Payment payment, string reference, long amount, DateTimeOffset now) => new()
    {
        Type = type,
        Id = Ids.Text(prefix, Guid.CreateVersion7(now)),
        Reference = reference,
        PaymentId = payment.Id,
        PaymentReference = payment.Reference,
        Amount = amount,
        Currency = payment.Currency,
        OperationStatus = OperationStatus.Succeeded,
    };

    private static Decision Expiry(Payment payment) => payment.Status is PaymentStatus.Authorized or PaymentStatus.RequiresAction
        ? new JournalEntry { Type = EntryType.Expiry, PaymentId = payment.Id, PaymentReference = payment.Reference, Amount = payment.Capturable, Currency = payment.Currency }
        : new Refusal(409, "payment_not_expirable", $"A payment that is {JsonText.Of(payment.Status)} does not expire.");

    private static JournalEntry PayoutChange(Payout payout, PayoutStatus to, string? failureCode) => new()
    {
        Type = EntryType.PayoutChange,
        Id = payout.Id,
        Reference = payout.Reference,
        Amount = payout.Amount,
        Currency = payout.Currency,
        PayoutStatus = to,
        Code = to is PayoutStatus.Failed or PayoutStatus.Returned ? failureCode ?? "could_not_process" : null,
    };

    private static JournalEntry Opening(Payment payment, OpenDisputeRequest request, DateTime now)
    {
        var card = Tokens.Card(payment.Token)!;
        var stage = request.Stage ?? DisputeStage.Chargeback;
        var amount = request.Amount ?? payment.Captured;
        var warning = DisputeTransitions.IsWarning(stage);
        return new()
        {
            Type = EntryType.Dispute,
            Id = Ids.Text(Ids.Dispute, Guid.CreateVersion7(new DateTimeOffset(now))),
            PaymentId = payment.Id,
            PaymentReference = payment.Reference,
            Amount = amount,
            Currency = request.Currency ?? payment.Currency,
            Code = request.ReasonCode ?? card.Brand switch { "mastercard" => "4837", "amex" => "F29", _ => "10.4" },
            Stage = stage,
            DisputeStatus = warning ? DisputeStatus.WarningNeedsResponse : DisputeStatus.NeedsResponse,
            EvidenceDueBy = request.EvidenceDueBy?.UtcDateTime ?? now + DisputeTransitions.ResponseTime(card.Brand),
            Withdrawn = warning ? null : amount,
            Version = 1,
        };
    }

    /// <summary>What a due step comes to; null when it no longer applies.</summary>
    private JournalEntry? Step(Due due, DateTime now) => due.Step switch
    {
        DueStep.ExpireAuthorization => Expiry((Payment)due.Subject).Entry,
        DueStep.EndRefund => EndRefund((Operation)due.Subject),
        DueStep.OpenDispute => _state.DisputedPayments.Contains(((Payment)due.Subject).Key) ? null : Opening((Payment)due.Subject, new(null, null, null, null, null, Tokens.Card(((Payment)due.Subject).Token)!.DisputeStage, null), now),
        DueStep.JudgeEvidence => DisputeRules.Judge((Dispute)due.Subject),
        DueStep.CloseUnanswered => DisputeRules.CloseUnanswered((Dispute)due.Subject, now),
        DueStep.AdvancePayout => Advance((Payout)due.Subject),
    };

    private static JournalEntry? EndRefund(Operation refund)
    {
        if (refund.Status != OperationStatus.Pending)
            return null;
        return RefundEnd(refund, Tokens.Card(refund.Payment.Token)!.RefundEndsWell);
    }

    private static JournalEntry RefundEnd(Operation refund, bool succeeds) => new()
    {
        Type = EntryType.RefundResult,
        Id = refund.Id,
        Reference = refund.Reference,
        PaymentId = refund.Payment.Id,
        PaymentReference = refund.Payment.Reference,
        Amount = refund.Amount,
        Currency = refund.Payment.Currency,
        OperationStatus = succeeds ? OperationStatus.Succeeded : OperationStatus.Failed,
        Code = succeeds ? null : "refund_refused_by_issuer",
    };

    private static JournalEntry? Advance(Payout payout) => payout.Status switch
    {
        PayoutStatus.Pending => payout.Token == "ba_hold_pending" ? null : PayoutChange(payout, PayoutStatus.InTransit, null),
        PayoutStatus.InTransit when payout.Token is "ba_hold_in_transit" or "ba_hold_pending" => null,
        PayoutStatus.InTransit => Tokens.Tail(payout.Token, "ba_fails_") is { } code
            ? PayoutChange(payout, PayoutStatus.Failed, code)
            : PayoutChange(payout, PayoutStatus.Paid, null),
        PayoutStatus.Paid => Tokens.Tail(payout.Token, "ba_returned_") is { } reason ? PayoutChange(payout, PayoutStatus.Returned, reason) : null,
        PayoutStatus.Failed or PayoutStatus.Returned => null,
    };

    private Payment? Find(string id) => Ids.TryParse(Ids.Payment, id, out var key) ? _state.Payments.GetValueOrDefault(key) : null;

    private Task<Answer> OnPaymentAsync(IdempotencyKey key, string id, string reference, Func<Payment, DateTimeOffset, Decision> decide) =>
        RunAsync(key, reference, now => Find(id) is { } payment ? decide(payment, now) : NoSuchPayment(id));

    private Task<Answer> OnDisputeAsync(string id, Func<Dispute, Decision> decide) => RunAsync(null, null, _ =>
        Ids.TryParse(Ids.Dispute, id, out var key) && _state.Disputes.TryGetValue(key, out var dispute) ? decide(dispute) : NoSuchDispute(id));

    private async Task<Answer> RunAsync(IdempotencyKey? key, string? reference, Func<DateTimeOffset, Decision> decide)
    {
        AnswerPlace? earlier = null;
        Refusal? refusal = null;
        Written written = default;
        lock (_gate)
        {
            if (key is { } known && _state.Answers.TryGetValue(known.Hash, out var place))
            {
                if (place.Fingerprint == known.Fingerprint)
                    earlier = place;
                else
                    refusal = new(422, "idempotency_key_reused", "The key came before with another request.");
            }
            else if (reference is not null && _state.References.ContainsKey(reference))
            {
                refusal = new(409, "reference_already_used", "The reference belongs to an operation that was asked for under another key.");
            }
            else
            {
                var decision = decide(clock.GetUtcNow());
                refusal = decision.Refusal;
                if (decision.Entry is { } entry)
                    written = Commit_NeedsLock(entry, key);
            }
        }
        if (refusal is not null)
        {
            // What it was refused for may be a moment old and not yet durable.
            await journal.FlushedAsync();
            return Answer.Refused(refusal);
        }
        if (earlier is { } there)
        {
            await journal.FlushedAsync();
            using var line = JsonDocument.Parse(await journal.ReadLineAsync(there.Offset, there.Length, CancellationToken.None));
            return new(there.Status, JsonMarshal.GetRawUtf8Value(line.RootElement.GetProperty("body"u8)).ToArray(), true, null);
        }
        await written.Durable;
        foreach (var webhook in written.Webhooks)
            webhooks.Enqueue(webhook);
        return new(200, written.Body, false, written.Webhooks is [var first, ..] ? first : null);
    }

    private async Task<Answer> ReadAsync(Func<ProcessorState, Answer> read)
    {
        Answer answer;
        lock (_gate)
            answer = read(_state);
        await journal.FlushedAsync();
        return answer;
    }

    private readonly record struct Written(byte[] Body, PendingWebhook[] Webhooks, Task Durable);

    private Written Commit_NeedsLock(JournalEntry fact, IdempotencyKey? key)
    {
        var now = clock.GetUtcNow();
        var entry = fact with { Seq = ++_seq, At = now.UtcDateTime };
        var subject = _state.Apply(entry);
        var body = Body(subject);
        var types = webhooks.Enabled ? EventTypes(entry, subject) : [];
        var ids = new string[types.Length];

        _line.ResetWrittenCount();
        _json.Reset(_line);
        _json.WriteStartObject();
        _json.WritePropertyName("entry"u8);
        JsonSerializer.Serialize(_json, entry, AcquirerJson.Default.JournalEntry);
        if (key is { } given)
        {
            _json.WritePropertyName("answer"u8);
            JsonSerializer.Serialize(_json, new(given.Text, given.Fingerprint.ToString("x32", null), 200), AcquirerJson.Default.JournalAnswer);
        }
        if (types.Length > 0)
        {
            _json.WriteStartArray("events"u8);
            for (var i = 0; i < types.Length; i++)
            {
                ids[i] = Ids.Text(Ids.Event, Guid.CreateVersion7(now));
                JsonSerializer.Serialize(_json, new(ids[i], types[i]), AcquirerJson.Default.JournalEvent);
            }
            _json.WriteEndArray();
        }
        if (key is not null || types.Length > 0)
        {
            // The answer's body and the data of each webhook: the object as this fact left it.
            _json.WritePropertyName("body"u8);
            _json.WriteRawValue(body, skipInputValidation: true);
        }
        _json.WriteEndObject();
        _json.Flush();

        var (offset, durable) = journal.Append(_line.WrittenSpan);
        var length = _line.WrittenCount;
        NoteLine(entry.Seq, offset);
        if (key is { } answered)
            _state.Answers[answered.Hash] = new(offset, length, 200, answered.Fingerprint);
        var pending = new PendingWebhook[types.Length];
        for (var i = 0; i < types.Length; i++)
            pending[i] = new(webhooks.Generation, (entry.Seq * 16) + i, ids[i], types[i], SubjectOf(entry), offset, length);
        return new(body, pending, durable);
    }

    private byte[] Body(object? subject) => subject switch
    {
        Payment payment => JsonSerializer.SerializeToUtf8Bytes(Views.Of(payment, Address), AcquirerJson.Default.PaymentView),
        Operation operation => JsonSerializer.SerializeToUtf8Bytes(Views.Of(operation, Address), AcquirerJson.Default.OperationView),
        Payout payout => JsonSerializer.SerializeToUtf8Bytes(Views.Of(payout), AcquirerJson.Default.PayoutView),
        Dispute dispute => JsonSerializer.SerializeToUtf8Bytes(Views.Of(dispute), AcquirerJson.Default.DisputeView),
        _ => [],
    };

    private static string[] EventTypes(JournalEntry entry, object? subject) => (entry.Type, subject) switch
    {
        (EntryType.Payment or EntryType.Completion, Payment payment) => ["payment." + JsonText.Of(payment.Status)],
        (EntryType.Expiry, Payment) => ["payment.expired"],
        (EntryType.Capture, _) => ["capture.succeeded"],
        (EntryType.Cancel, _) => ["payment.canceled"],
        (EntryType.Refund or EntryType.RefundResult, Operation refund) => ["refund." + JsonText.Of(refund.Status)],
        (EntryType.Payout, _) => [],
        (EntryType.PayoutChange, Payout payout) => ["payout." + JsonText.Of(payout.Status)],
        (EntryType.Dispute or EntryType.DisputeChange, Dispute dispute) =>
        [
            entry.Type == EntryType.Dispute ? "dispute.opened" : DisputeTransitions.IsClosed(dispute.Status) ? "dispute.closed" : "dispute.updated",
            .. entry.Withdrawn is null ? (string[])[] : ["dispute.funds_withdrawn"],
            .. entry.Reinstated is null ? (string[])[] : ["dispute.funds_reinstated"],
        ],
        _ => [],
    };

    private static string SubjectOf(JournalEntry entry) => entry.Reference ?? entry.PaymentReference ?? "";

    private void NoteLine(long seq, long offset)
    {
        if ((seq - 1) % IndexEvery == 0)
            _index.Add(offset);
    }

    private void Restore(JournalLine line, long offset, int length, Dictionary<long, PendingWebhook> undelivered)
    {
        var entry = line.Entry;
        _seq = entry.Seq;
        NoteLine(entry.Seq, offset);
        _state.Apply(entry);
        if (entry.OffsetMilliseconds is { } milliseconds)
            clock.Offset = TimeSpan.FromMilliseconds(milliseconds);
        foreach (var number in entry.Delivered ?? [])
            undelivered.Remove(number);
        if (line.Answer is { } answer)
        {
            var fingerprint = UInt128.Parse(answer.Fingerprint, System.Globalization.NumberStyles.HexNumber, null);
            _state.Answers[Requests.Hash(answer.Key)] = new(offset, length, answer.Status, fingerprint);
        }
        for (var i = 0; i < (line.Events?.Length ?? 0); i++)
        {
            var number = (entry.Seq * 16) + i;
            undelivered[number] = new(webhooks.Generation, number, line.Events![i].Id, line.Events[i].Type, SubjectOf(entry), offset, length);
        }
    }
}
