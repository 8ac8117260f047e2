using System.Text;
using Npgsql;
using Payments.Domain.Balances;
using Payments.Domain.Database;
using Payments.Domain.Idempotency;
using Payments.Domain.Messaging;

namespace Payments.Domain.Payouts;

/// <param name="Amount">Minor units. Without it everything payable is paid.</param>
/// <param name="Method">
/// <c>standard</c> (the default) or <c>instant</c>. An instant payout needs the bank's API and a currency of
/// <see cref="SandboxBank.PaysInstantly"/>.
/// </param>
public sealed record CreatePayoutRequest(long? Amount, string? Currency, string? Method);

/// <summary>An operation that takes no parameters.</summary>
public sealed record CancelPayoutRequest;

/// <summary>Creates and cancels payouts that a merchant requests.</summary>
public sealed class ManualPayouts
{
    private readonly IdempotencyStore _idempotency;
    private readonly ReleaseFunds _release;
    private readonly PayoutWriter _writer;
    private readonly PayoutResults _results;
    private readonly PayoutsOptions _options;
    private readonly OutboxSignal _signal;
    private readonly TimeProvider _time;

    internal ManualPayouts(
        IdempotencyStore idempotency, ReleaseFunds release, PayoutWriter writer, PayoutResults results, PayoutsOptions options,
            OutboxSignal signal, TimeProvider time)
    {
        _idempotency = idempotency;
        _release = release;
        _writer = writer;
        _results = results;
        _options = options;
        _signal = signal;
        _time = time;
    }

    /// <summary>
    /// Creates a payout now, whatever the schedule says. Limits, holds and the state of the bank account count as they do for a run. One
    /// transaction sets the money aside and stores the answer. Idempotent by the request's key.
    /// </summary>
    public async Task<Result<StoredResponse>> CreateAsync(IdempotentRequest request, CreatePayoutRequest input, string actor, CancellationToken ct)
    {
        if (!Currency.TryParse(input.Currency, out var currency))
        {
            return Refusal.Invalid("currency", "`currency` must be an ISO 4217 code, such as EUR.");
        }

        if (input.Amount is <= 0)
        {
            return new Refusal(RefusalCode.AmountTooSmall, "`amount` must be at least 1 minor unit.", "amount");
        }

        var method = PayoutMethod.Standard;
        if (input.Method is not null && !DbText.TryParse(input.Method, out method))
        {
            return Refusal.Invalid("method", "`method` must be standard or instant.");
        }

        if (method == PayoutMethod.Instant && !(_options.HasBankApi && SandboxBank.PaysInstantly(currency)))
        {
            return Refusal.Invalid("method", $"`method` must be standard. The bank makes no instant payments in {currency}.");
        }

        // Release what is due first, as before a run, so that the payout does not depend on the timer.
        await _release.RunAsync(request.Merchant, ct);
        var result = await _idempotency.RunAsync(request, (connection, transaction) => CreateAsync(connection, transaction, request.Merchant, currency, input.Amount, method, actor, ct), ct);
        _signal.Set();
        return result;
    }

    /// <summary>
    /// Cancels a payout and gives the money back to the balance. Refused once the payout's submission to the bank has begun. Idempotent by
    /// the request's key.
    /// </summary>
    public Task<Result<StoredResponse>> CancelAsync(IdempotentRequest request, PayoutId payout, string actor, CancellationToken ct) =>
        _idempotency.RunAsync(request, (connection, transaction) => CancelAsync(connection, transaction, request.Merchant, payout, actor, ct), ct);

    private async Task<Result<StoredResponse>> CreateAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, MerchantId merchant, Currency currency, long? amount, PayoutMethod method, string actor, CancellationToken ct)
    {
        var now = _time.GetUtcNow();
        PayoutCandidate candidate;
        await using (var command = new NpgsqlCommand(PayoutSql.LockOne, connection, transaction) { Parameters = { new() { Value = merchant.Value }, new() { Value = currency.Code } } })
        {
            await using var reader = await command.ExecuteReaderAsync(ct);
            if (!await reader.ReadAsync(ct))
            {
                return Refused(PayoutRefusal.NoBankAccount, currency);
            }

            candidate = PayoutCandidate.Read(reader, currency, _options, method);
        }

        candidate = (await PayoutWriter.CollectAsync(connection, transaction, currency, [candidate], ct))[0];
        var decision = PayoutRules.DecideManual(candidate.Position, amount, now);
        if (decision.Refusal is { } refusal)
        {
            return refusal == PayoutRefusal.BankAccountUnreachable
                && method == PayoutMethod.Instant ? NotInstant() : Refused(refusal, currency);
        }

        if (method == PayoutMethod.Instant && candidate.InstantReachable == false)
        {
            return NotInstant();
        }

        // The bank's API takes a payout at once, on any day. On the file rail it waits for the files of the next run, one business day
        // later.
        var today = Availability.DueDate(now, currency);
        var rail = _options.RailOf(currency, merchant.Mode, method);
        if (rail == PayoutRail.Sandbox && !_options.HasBankApi)
        {
            return new Refusal(
                RefusalCode.StateConflict, "There is no bank for this payout. Nothing was paid. The platform has to configure one.");
        }

        var arrival = method == PayoutMethod.Instant ? today
            : BusinessCalendar.Of(currency).Add(PayoutRunClock.ExecutionDate(now, currency), rail == PayoutRail.File ? 2 : 1);
        var terms = new PayoutTerms(null, currency, rail, method, today, arrival);
        var written = await _writer.WriteAsync(connection, transaction, terms, [(candidate, decision)], now, ct);
        if (written.Payouts is not [var payout])
        {
            return Refused(PayoutRefusal.NothingAvailable, currency);
        }

        await PayoutAudit.WriteAsync(connection, transaction, merchant, actor, "payout_created", payout.Id.ToString(), PayoutResource.Json(payout), now, ct);
        return new StoredResponse(201, Encoding.UTF8.GetBytes(PayoutResource.Json(payout)));
    }

    private async Task<Result<StoredResponse>> CancelAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, MerchantId merchant, PayoutId id, string actor, CancellationToken ct)
    {
        var now = _time.GetUtcNow();
        Payout payout;
        await using (var command = new NpgsqlCommand(PayoutSql.LockToCancel, connection, transaction) { Parameters = { new() { Value = merchant.Value }, new() { Value = id.Value } } })
        {
            await using var reader = await command.ExecuteReaderAsync(ct);
            if (!await reader.ReadAsync(ct))
            {
                return Refusal.NotFound(id.ToString());
            }

            payout = Payout.Read(reader);
        }

        if (payout.Status != PayoutStatus.Pending || payout.SubmissionStartedAt is not null || (payout is { Rail: PayoutRail.File, Run: not null } && !await RunIsOpenAsync(connection, transaction, payout, ct)))
        {
            return new Refusal(RefusalCode.StateConflict, $"The payout is {DbText.Of(payout.Status)} and cannot be canceled.");
        }

        await _results.ApplyAsync(connection, transaction, [new PayoutWord(merchant, id, PayoutStatus.Canceled)], now, ct);
        payout = payout with { Status = PayoutStatus.Canceled, UpdatedAt = now };
        await PayoutAudit.WriteAsync(connection, transaction, merchant, actor, "payout_canceled", id.ToString(), PayoutResource.Json(payout), now, ct);
        return new StoredResponse(200, Encoding.UTF8.GetBytes(PayoutResource.Json(payout)));
    }

    // Locks the run, so that it cannot plan its files while the payout is being canceled. Lock order: payout, run, as in
    // AccountCorrections.
    private static async Task<bool> RunIsOpenAsync(NpgsqlConnection connection, NpgsqlTransaction transaction, Payout payout, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(PayoutSql.RunIsOpen, connection, transaction) { Parameters = { new() { Value = payout.Run!.Value.Value } } };
        return await command.ExecuteScalarAsync(ct) is true;
    }

    private static Refusal NotInstant() => Refusal.Invalid(
        "method", "`method` must be standard. Instant payments do not reach the bank account.");

    private static Refusal Refused(PayoutRefusal reason, Currency currency) => reason switch
    {
        PayoutRefusal.Held => new(RefusalCode.StateConflict, $"Payouts in {currency} are held. See the payout preview for the reason."),
        PayoutRefusal.MerchantNotActive => new(RefusalCode.MerchantInactive, "The merchant is not active and gets no payouts."),
        PayoutRefusal.NoBankAccount => new(RefusalCode.StateConflict, $"There is no bank account for {currency}. Add one first."),
        PayoutRefusal.BankAccountUnreachable => new(RefusalCode.StateConflict,
            $"Payouts in {currency} do not reach the bank account. Set another account."),
        PayoutRefusal.PayeeBlocked => new(RefusalCode.StateConflict,
            "The bank says that the account belongs to somebody else. Set another account."),
        PayoutRefusal.PayeeHeld => new(RefusalCode.StateConflict,
            "The bank could not confirm the account's holder. The platform must accept the account first."),
        PayoutRefusal.BankAccountNotVerified => new(RefusalCode.StateConflict, "The bank account is not verified yet."),
        PayoutRefusal.BankAccountCooling => new(RefusalCode.StateConflict, "The bank account was changed recently. Payouts wait until its `usable_from`."),
        PayoutRefusal.BankAccountErrored => new(RefusalCode.StateConflict, "The bank refused the account. Set another account."),
        PayoutRefusal.NothingAvailable or PayoutRefusal.NegativeBalance => new(RefusalCode.InsufficientFunds, "No money is available for a payout."),
        PayoutRefusal.KeptInReserve => new(RefusalCode.InsufficientFunds, "The reserve keeps all of the available money."),
        PayoutRefusal.BelowMinimum => new(RefusalCode.AmountTooSmall, "The payout is below the `minimum` of the payout settings.", "amount"),
        PayoutRefusal.AmountTooLarge => new(RefusalCode.AmountTooLarge, "`amount` is more than a payout can take now.", "amount"),
        PayoutRefusal.NotDue or PayoutRefusal.ManualSchedule => throw new InvalidOperationException("A schedule does not refuse a payout that is asked for."),
    };
}
