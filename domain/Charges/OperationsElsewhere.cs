using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Npgsql;
using Payments.Domain.Database;
using Payments.Domain.Messaging;
using Payments.Domain.Providers;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Domain.Charges;

/// <summary>
/// Books captures, cancels and refunds that a person made at the provider, for example in its dashboard. One rule holds for all providers.
/// An operation that fits the charge is booked as made elsewhere, with the same limits, journals and events as one of ours. One that does
/// not fit waits while an operation of ours is in progress. Otherwise it fails: its event is kept, and the platform's operators are
/// alerted.
/// </summary>
/// <remarks>
/// The attempt's id is derived from the provider's id of the operation. So an operation is booked once, whatever the order and number of
/// its events, and after any crash.
/// </remarks>
public sealed class OperationsElsewhere(
    NpgsqlDataSource dataSource, GroupCommit<OperationIntent, OperationStart> intents, AttemptOutcomes outcomes, AttemptReads attempts,
    OutboxSignal signal, TimeProvider time)
{
    /// <summary>Books an operation whose event names the payment only by the provider's id.</summary>
    public async Task<ApplyResult> ApplyAsync(ReportedOperation told, PaymentAnswer answer, CancellationToken ct)
    {
        var (charge, none) = await FindAsync(told.Provider, told.Payment, ct);
        return charge is null ? none : await ApplyAsync(charge, told, answer, ct);
    }

    /// <summary>Books an operation of a charge that was not requested here.</summary>
    public async Task<ApplyResult> ApplyAsync(Charge charge, ReportedOperation told, PaymentAnswer answer, CancellationToken ct)
    {
        var operation = DbText.Of(told.Operation);
        if (charge.Provider != told.Provider)
            return new(ApplyOutcome.Failed,
                $"{told.Provider} reports a {operation} of the charge {charge.Id}, which is at {charge.Provider}.");
        if (told.Amount is { } amount && amount.Currency != charge.Currency)
            return new(ApplyOutcome.Failed,
                $"The {operation} {answer.Reference} was made elsewhere in {amount.Currency}, and the charge {charge.Id} is in {charge.Currency}.");
        if (told is { Operation: PaymentOperation.Cancel, Amount: null })
            return await GiveBackAsync(charge, answer, ct);
        if (answer.Reference is not { Length: > 0 } id)
            return new(ApplyOutcome.Failed,
                $"The provider gives the {operation} of the charge {charge.Id} no id: it cannot be told from another.");
        if (told.TakesBack)
            return await TakeBackAsync(charge, told, id, answer, ct);
        if (answer.Result is PaymentResult.Declined && told.Operation is not PaymentOperation.Refund)
            return new(ApplyOutcome.Ignored, $"The {operation} {id} was made elsewhere and declined: nothing was moved.");
        return told.Operation is PaymentOperation.Capture && IsCapturedByItself(charge, told)
            ? new(ApplyOutcome.Ignored, $"The provider captured the charge {charge.Id} by itself, as it was asked to. That is booked.")
            : await BookAsync(charge, told.Operation, told.Amount, isFinal: false, id, answer, ct);
    }

    /// <summary>
    /// The provider reports how much of the payment it has captured in total. The excess over the captures recorded here was captured
    /// elsewhere.
    /// </summary>
    public async Task<ApplyResult> CaptureAsync(ReportedCapture told, CancellationToken ct)
    {
        if (await attempts.FindAsync(told.Charge, ct) is not var (charge, attempt))
            return new(ApplyOutcome.Waiting, $"There is no attempt {told.Charge}.");
        if (charge.Provider != told.Provider || told.Amount.Currency != charge.Currency)
            return new(ApplyOutcome.Failed,
                $"{told.Amount} was captured at {told.Provider} of the charge {charge.Id}, which is in {charge.Currency} and at {charge.Provider}.");
        if (told.Amount <= charge.Captured)
            return new(ApplyOutcome.Ignored, $"All that was captured of the charge {charge.Id} is booked.");

        // The provider's total may include a capture in progress, so the outcome of that capture must be recorded first.
        if (!charge.Capturing.IsZero || !attempt.IsSettled)
            return new(ApplyOutcome.Waiting,
                $"{told.Amount} is captured of the charge {charge.Id}; an operation of ours is under way, and what is left is known when it has ended.");
        var total = string.Create(CultureInfo.InvariantCulture, $"{charge.ProviderReference}:{told.Amount.MinorUnits}");
        return await BookAsync(
            charge, PaymentOperation.Capture, told.Amount - charge.Captured, told.IsFinal, total,
            new PaymentAnswer(PaymentResult.Succeeded, charge.ProviderReference), ct);
    }

    /// <summary>
    /// Checks that every refund in the provider's total is recorded here. If one is missing, the event waits for it, and finally alerts the
    /// platform's operators.
    /// </summary>
    public async Task<ApplyResult> CheckAsync(RefundedInAll told, CancellationToken ct)
    {
        var (charge, none) = await FindAsync(told.Provider, told.Payment, ct);
        if (charge is null)
            return none;
        await using var command = dataSource.CreateCommand(ChargeSql.RefundsTakenOn);
        command.Parameters.Add(new() { Value = charge.Merchant.Value });
        command.Parameters.Add(new() { Value = charge.Id.Value });
        var known = (long)(await command.ExecuteScalarAsync(ct))!;
        return told.Amount.Currency == charge.Currency && told.Amount.MinorUnits <= known
            ? new(ApplyOutcome.Ignored, $"All refunds of the charge {charge.Id} are booked.")
            : new(ApplyOutcome.Waiting,
                $"{told.Amount} of the charge {charge.Id} is refunded at {told.Provider}, and {new Money(known, charge.Currency)} here: the event of a refund is missing.");
    }

    /// <summary>Translates an outcome into the result of the event that reported it.</summary>
    internal static ApplyResult Result(AttemptOutcome outcome, AttemptReference reference, PaymentAnswer answer) => outcome switch
    {
        { Found: false } => new(ApplyOutcome.Waiting, $"There is no attempt {reference}."),
        { IsOfAnotherProvider: true, Attempt: { } attempt } => new(
            ApplyOutcome.Failed, $"The attempt {reference.Attempt} was made at {attempt.Provider}, and another provider reports it."),
        { Contradicts: true } => new(ApplyOutcome.Failed, $"The attempt {reference.Attempt} has ended otherwise."),
        { Changed: true } => new(ApplyOutcome.Applied),

        // The provider gave the rest back, and an operation of ours is in progress. Its outcome decides how much the rest is.
        { Charge: { Status: ChargeStatus.Authorized or ChargeStatus.PartiallyCaptured } charge }
            when answer.Result is PaymentResult.Canceled or PaymentResult.Expired =>
            new(ApplyOutcome.Waiting,
                $"The provider holds nothing for the charge {charge.Id} any more, and an operation of ours is under way."),
        _ => new(ApplyOutcome.Ignored,
            $"The attempt {reference.Attempt} stands so already"
            + $"{(outcome.Attempt is { } settled ? $": it is {DbText.Of(settled.Status)}" : "")}."),
    };

    private async Task<ApplyResult> BookAsync(
        Charge charge, PaymentOperation operation, Money? amount, bool isFinal, string operationId, PaymentAnswer answer, CancellationToken ct)
    {
        var reference = new AttemptReference(charge.Merchant, IdOf(charge, operation, operationId));
        if (await attempts.FindAsync(reference, ct) is null
            && await BeginAsync(charge, operation, amount, isFinal, reference.Attempt, ct) is { } refusal
            && await attempts.FindAsync(reference, ct) is null)
        {
            return Unfit(await ReadAsync(charge, ct), operation, amount, operationId, answer, refusal);
        }

        return Result(await outcomes.RecordAsync(reference, answer, ct), reference, answer);
    }

    /// <returns>
    /// The reason why it does not fit the charge. Null if it is recorded, by this process or by another one that handles an event of the
    /// same operation. That other process may also have caused the refusal, so the caller must look again.
    /// </returns>
    private async Task<Refusal?> BeginAsync(
        Charge charge, PaymentOperation operation, Money? amount, bool isFinal, AttemptId attempt, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        var intent = new OperationIntent(charge.Merchant, charge.Id, operation, amount?.MinorUnits, attempt, null, now)
        {
            MadeElsewhere = true,
            IsFinal = isFinal,
            Refund = operation is PaymentOperation.Refund ? PrefixedId.New<RefundId>(now) : null,
        };
        try
        {
            var start = await intents.SubmitAsync(intent, ct);
            signal.Set();
            return start.Refusal;
        }
        catch (PostgresException e) when (DatabaseErrors.IsUniqueViolation(e, "attempts_pkey"))
        {
            return null;
        }
    }

    /// <summary>The current charge. The charge that was read before the refusal may be older than the reason for it.</summary>
    private async Task<Charge> ReadAsync(Charge charge, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(ChargeSql.Get);
        command.Parameters.Add(new() { Value = charge.Merchant.Value });
        command.Parameters.Add(new() { Value = charge.Id.Value });
        await using var row = await command.ExecuteReaderAsync(ct);
        return await row.ReadAsync(ct) ? ChargeRows.ReadCharge(row) : charge;
    }

    private static ApplyResult Unfit(
        Charge charge, PaymentOperation operation, Money? amount, string operationId, PaymentAnswer answer, Refusal refusal)
    {
        var what = $"The {DbText.Of(operation)} {operationId} of {amount} was made elsewhere";
        if (answer.Result is PaymentResult.Declined)
            return new(ApplyOutcome.Ignored, $"{what} and declined: nothing was moved.");
        var isUnderWay = charge.Status is ChargeStatus.Pending or ChargeStatus.Processing or ChargeStatus.RequiresAction
            || !charge.Capturing.IsZero || !charge.Canceling.IsZero || !charge.Refunding.IsZero;
        return new(isUnderWay ? ApplyOutcome.Waiting : ApplyOutcome.Failed, $"{what} and does not fit the charge {charge.Id}: {refusal.Detail}");
    }

    /// <summary>The provider gave back everything that was held. It is recorded as an answer to the charge's own attempt.</summary>
    private async Task<ApplyResult> GiveBackAsync(Charge charge, PaymentAnswer answer, CancellationToken ct)
    {
        if (answer.Result is not PaymentResult.Succeeded)
            return new(ApplyOutcome.Ignored,
                $"A cancel of the charge {charge.Id} was made elsewhere and is {DbText.Of(answer.Result)}: nothing was given back.");
        var canceled = answer with { Result = PaymentResult.Canceled, Reference = null };
        var first = new AttemptReference(charge.Merchant, await LatestChargeAttemptAsync(charge, ct));
        return Result(await outcomes.RecordAsync(first, canceled, ct), first, canceled);
    }

    private async Task<AttemptId> LatestChargeAttemptAsync(Charge charge, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(ChargeSql.GetWithAttempt);
        command.Parameters.Add(new() { Value = charge.Merchant.Value });
        command.Parameters.Add(new() { Value = charge.Id.Value });
        await using var row = await command.ExecuteReaderAsync(ct);
        return await row.ReadAsync(ct)
            ? ChargeRows.ReadAttempt(row, charge, ChargeRows.ChargeWidth).Id
            : throw new InvalidOperationException($"The charge {charge.Id} has no attempt.");
    }

    /// <summary>
    /// The provider reports that an operation made elsewhere has failed after it succeeded. A refund goes back to the merchant. If the
    /// event has an id of its own, it means the only refund of this amount. If there are several, an operator decides. A capture is never
    /// taken back automatically: it is recorded as a contradiction.
    /// </summary>
    private async Task<ApplyResult> TakeBackAsync(
        Charge charge, ReportedOperation told, string operationId, PaymentAnswer answer, CancellationToken ct)
    {
        var reference = new AttemptReference(charge.Merchant, IdOf(charge, told.Operation, operationId));
        if (await attempts.FindAsync(reference, ct) is null)
        {
            if (told.Operation is not PaymentOperation.Refund)
            {
                reference = reference with { Attempt = await LatestChargeAttemptAsync(charge, ct) };
                return Result(await outcomes.RecordAsync(reference, answer, ct), reference, answer);
            }

            var candidates = await RefundsElsewhereAsync(charge, told.Amount, ct);
            if (candidates.Count != 1)
            {
                return candidates.Count == 0
                    ? new(ApplyOutcome.Waiting,
                        $"The refund {operationId} of {told.Amount} was made elsewhere and taken back, and no refund of the charge {charge.Id} is known to be it.")
                    : new(ApplyOutcome.Failed,
                        $"The refund {operationId} of {told.Amount} was made elsewhere and taken back, and several refunds of the charge {charge.Id} may be it.");
            }

            reference = reference with { Attempt = candidates[0] };
        }

        return Result(await outcomes.RecordAsync(reference, answer, ct), reference, answer);
    }

    private async Task<List<AttemptId>> RefundsElsewhereAsync(Charge charge, Money? amount, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(ChargeSql.RefundsElsewhere);
        command.Parameters.Add(new() { Value = charge.Merchant.Value });
        command.Parameters.Add(new() { Value = charge.Id.Value });
        command.Parameters.Add(new() { Value = amount?.MinorUnits ?? 0 });
        var found = new List<AttemptId>();
        await using var row = await command.ExecuteReaderAsync(ct);
        while (await row.ReadAsync(ct))
            found.Add(new AttemptId(row.GetGuid(0)));
        return found;
    }

    private async Task<(Charge? Charge, ApplyResult None)> FindAsync(string provider, string? payment, CancellationToken ct)
    {
        if (payment is null)
            return (null, new(ApplyOutcome.Failed,
                $"Money was moved at {provider}, and the event names no payment: nothing here can be told from it."));
        await using var command = dataSource.CreateCommand(ChargeSql.OfPayment);
        command.Parameters.Add(new() { Value = payment });
        command.Parameters.Add(new() { Value = provider });
        var charges = new List<Charge>();
        await using var row = await command.ExecuteReaderAsync(ct);
        while (await row.ReadAsync(ct))
            charges.Add(ChargeRows.ReadCharge(row));
        return charges.Count switch
        {
            1 => (charges[0], default),
            0 => (null, new(ApplyOutcome.Waiting, $"Money was moved at {provider}, and no charge is known by its payment {payment}.")),
            _ => (null, new(ApplyOutcome.Failed,
                $"Money was moved at {provider}, and several charges are known by its payment {payment}.")),
        };
    }

    private static bool IsCapturedByItself(Charge charge, ReportedOperation told) =>
        charge.CaptureMethod is CaptureMethod.Automatic && charge.Captured == charge.Amount
        && (told.Amount is not { } amount || amount == charge.Amount);

    /// <summary>
    /// A version 7 id with the time of the charge, so that ids still sort. Its other bits are a hash of the provider's id.
    /// </summary>
    private static AttemptId IdOf(Charge charge, PaymentOperation operation, string operationId)
    {
        Span<byte> id = stackalloc byte[16];
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        charge.Id.Value.TryWriteBytes(id, bigEndian: true, out _);
        SHA256.HashData(Encoding.UTF8.GetBytes($"elsewhere\n{charge.Id}\n{charge.Provider}\n{DbText.Of(operation)}\n{operationId}"), hash);
        hash[..10].CopyTo(id[6..]);
        id[6] = (byte)((id[6] & 0x0f) | 0x70);
        id[8] = (byte)((id[8] & 0x3f) | 0x80);
        return new AttemptId(new Guid(id, bigEndian: true));
    }
}
