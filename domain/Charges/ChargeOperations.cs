using Microsoft.Extensions.Logging;
using Payments.Domain.Database;
using Payments.Domain.Idempotency;
using Payments.Domain.Merchants;
using Payments.Domain.Messaging;
using Payments.Domain.Observability;
using Payments.Domain.Providers;
using Payments.Domain.Refunds;

namespace Payments.Domain.Charges;

/// <param name="Amount">Minor units of the charge's currency. Everything that is left if omitted.</param>
/// <param name="IsFinal">True if this is the last capture. The rest is given back to the customer.</param>
public sealed record CaptureChargeRequest(long? Amount, bool? IsFinal);

/// <summary>A cancel has no parameters. It gives back everything that is not captured.</summary>
public sealed record CancelChargeRequest;

/// <summary>
/// Captures, cancels and refunds, in the steps of a charge: intent, call, outcome. The intent takes its part of the limits, so concurrent
/// operations cannot exceed them. No transaction is open while the provider is called. The first process that learns the outcome records
/// it.
/// </summary>
public sealed class ChargeOperations(
    GroupCommit<OperationIntent, OperationStart> intents, AttemptOutcomes outcomes, IdempotencyStore idempotency, MerchantReads merchants, PaymentProviders providers,
    OutboxSignal signal, TimeProvider time, ILogger<ChargeOperations> log)
{
    /// <returns>
    /// The charge with 200, or with 202 while the provider's answer is unknown. <c>operation</c> shows the outcome of the capture.
    /// </returns>
    /// <exception cref="OverloadedException">Nothing was done. The caller may repeat the request.</exception>
    public async Task<Result<StoredResponse>> CaptureAsync(IdempotentRequest request, ChargeId charge, CaptureChargeRequest input, CancellationToken ct)
    {
        if (TooSmall(input.Amount) is { } invalid)
            return invalid;
        if (await merchants.GetCachedAsync(request.Merchant, ct) is not { } merchant)
            return Refusal.NotFound(request.Merchant.ToString());
        if (merchant.Status is not MerchantStatus.Active)
            return new Refusal(RefusalCode.MerchantInactive, $"The merchant is {DbText.Of(merchant.Status)} and cannot capture charges. You can still cancel the charge.");
        return await HandleAsync(Intent(request, charge, PaymentOperation.Capture, input.Amount) with { IsFinal = input.IsFinal is true }, ct);
    }

    /// <summary>Gives back everything that is not captured, or ends a payment that awaits its customer.</summary>
    /// <inheritdoc cref="CaptureAsync"/>
    public Task<Result<StoredResponse>> CancelAsync(IdempotentRequest request, ChargeId charge, CancellationToken ct) =>
        HandleAsync(Intent(request, charge, PaymentOperation.Cancel, null), ct);

    /// <returns>The refund with 201, or with 202 while the provider's answer is unknown.</returns>
    /// <inheritdoc cref="CaptureAsync"/>
    public async Task<Result<StoredResponse>> RefundAsync(IdempotentRequest request, CreateRefundRequest input, CancellationToken ct)
    {
        if (input.Validate(out var charge, out var reason) is { } invalid)
            return invalid;
        if (TooSmall(input.Amount) is { } small)
            return small;
        var intent = Intent(request, charge, PaymentOperation.Refund, input.Amount);
        return await HandleAsync(intent with { Refund = PrefixedId.New<RefundId>(intent.Now), Reason = reason, MetadataJson = input.MetadataJson() }, ct);
    }

    /// <summary>Carries out an intent of a caller, or of the platform itself.</summary>
    internal async Task<Result<StoredResponse>> HandleAsync(OperationIntent intent, CancellationToken ct)
    {
        var start = await intents.SubmitAsync(intent, ct);
        if (start.Refusal is { } refusal)
            return refusal;
        if (start.State is not { } state)
            return await idempotency.RecallAsync(intent.Request!, ct);
        if (state.Refund is not null)
            signal.Set();

        // From here on the work ignores the caller's cancellation: the provider is called and its answer is recorded.
        // A capture that takes everything that is left is final, even if the caller does not say so. Providers keep an authorization open
        // only if the account allows several captures.
        var takesAll = state.Charge is { Capturable.IsZero: true, Canceling.IsZero: true } && state.Charge.Capturing == state.Attempt.Amount;
        var request = ChargeIntent.ToPaymentRequest(state.Charge, state.Attempt) with { IsFinal = intent.IsFinal || takesAll };
        PaymentSteps.Reached(PaymentSteps.IntentCommitted, intent.Operation);
        var answer = await providers.Get(state.Attempt.Provider).SendAsync(request, CancellationToken.None);
        PaymentSteps.Reached(PaymentSteps.Answered, intent.Operation);
        try
        {
            var outcome = await outcomes.RecordAsync(state.Attempt.Reference, answer, CancellationToken.None);
            PaymentSteps.Reached(PaymentSteps.OutcomeCommitted, intent.Operation);
            return outcome.Response ?? throw new InvalidOperationException($"The attempt {state.Attempt.Id} was recorded without an answer.");
        }
        catch (Exception e) when (e is not InvalidOperationException)
        {
            // The provider answered, but recording the outcome failed. The attempt stays open, and the resolver asks the provider again. Do
            // not answer the caller with the outcome: the resolver may record a different one.
            ChargeLog.OutcomeNotRecorded(log, state.Attempt.Id, e);
            return IdempotencyStore.Unrecorded();
        }
    }

    private OperationIntent Intent(IdempotentRequest request, ChargeId charge, PaymentOperation operation, long? amount)
    {
        var now = time.GetUtcNow();
        return new OperationIntent(request.Merchant, charge, operation, amount, PrefixedId.New<AttemptId>(now), request, now);
    }

    private static Refusal? TooSmall(long? amount) => amount < 1 ? new Refusal(RefusalCode.AmountTooSmall, "`amount` must be at least 1 minor unit.", "amount") : null;
}
