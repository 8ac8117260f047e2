using Dapper;
using Payments.Domain.Charges;
using Payments.Domain.Idempotency;
using Payments.Domain.Providers;
using Payments.Domain.Refunds;

namespace Payments.Postgres.Tests.Charges;

/// <summary>Two instances learn of one attempt at the same moment, the one by the processor's answer, the other by its webhook: each waits for the charge's row, and the second finds it recorded.</summary>
public sealed class RacingOutcomesTests(TestDatabase database) : IClassFixture<TestDatabase>, IAsyncDisposable
{
    private readonly ChargeWorld _one = new(database);
    private readonly ChargeWorld _other = new(database);

    public static TheoryData<PaymentOperation, PaymentResult, PaymentResult> Races => new()
    {
        { PaymentOperation.Charge, PaymentResult.Unknown, PaymentResult.Succeeded },
        { PaymentOperation.Charge, PaymentResult.Succeeded, PaymentResult.Unknown },
        { PaymentOperation.Refund, PaymentResult.Pending, PaymentResult.Unknown },
        { PaymentOperation.Refund, PaymentResult.Unknown, PaymentResult.Pending },
        { PaymentOperation.Refund, PaymentResult.Unknown, PaymentResult.Succeeded },
        { PaymentOperation.Refund, PaymentResult.Pending, PaymentResult.Succeeded },
    };

    [Theory]
    [MemberData(nameof(Races))]
    public async Task Record_TwoInstancesWaitForOneAttempt_BothTellWhatIsKeptAndNothingIsLost(PaymentOperation operation, PaymentResult first, PaymentResult second)
    {
        var (request, reference) = await StartAsync(operation);
        await using var locker = await database.Owner.OpenConnectionAsync();
        await using var transaction = await locker.BeginTransactionAsync();
        await locker.ExecuteAsync("SELECT FROM payments.charges WHERE merchant_id = @Value FOR UPDATE", reference.Merchant, transaction);
        var one = _one.Get<AttemptOutcomes>().RecordAsync(reference, Answer(first, reference), default);
        await WaitingAsync(1);
        var other = _other.Get<AttemptOutcomes>().RecordAsync(reference, Answer(second, reference), default);
        await WaitingAsync(2);
        await transaction.RollbackAsync();

        var outcomes = await Task.WhenAll(one, other);

        var kept = await _one.Get<IdempotencyStore>().FindAsync(request.Merchant, request.Key.Value, default);
        Assert.NotNull(kept);
        Assert.All(outcomes, outcome => Assert.Equal((kept.Status, Text(kept)), (outcome.Response!.Status, Text(outcome.Response))));
        if (operation is not PaymentOperation.Refund)
            return;
        var (told, status) = await locker.QuerySingleAsync<(string?, string)>("SELECT provider_reference, status FROM payments.refunds WHERE merchant_id = @Value", request.Merchant);
        Assert.Equal(($"pay_{reference.Attempt.Value:N}", second is PaymentResult.Succeeded ? "succeeded" : "pending"), (told, status));
    }

    public async ValueTask DisposeAsync()
    {
        await _one.DisposeAsync();
        await _other.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>The process that began it ends before the provider has answered.</summary>
    private async Task<(IdempotentRequest Request, AttemptReference Reference)> StartAsync(PaymentOperation operation)
    {
        var charge = await _one.ChargeAsync(await _one.MerchantAsync());
        var request = ChargeWorld.Request(charge.Merchant);
        AttemptReference reference = default;
        _one.Provider.OnSend = sent =>
        {
            reference = sent.Reference;
            throw new IOException("It ends here.");
        };
        try
        {
            _ = operation is PaymentOperation.Refund
                ? await _one.Get<ChargeOperations>().RefundAsync(request, new CreateRefundRequest(charge.Id.ToString(), 400, null, null), default)
                : await _one.Get<CreateCharge>().HandleAsync(request, new CreateChargeRequest(1_000, "EUR", "tok_visa", null, null, null, null, null, null), default);
        }
        catch (IOException)
        {
            // As it was told to.
        }

        return (request, reference);
    }

    private static PaymentAnswer Answer(PaymentResult result, AttemptReference reference) =>
        result is PaymentResult.Unknown ? PaymentAnswer.Unknown("Nobody answered.") : new PaymentAnswer(result, $"pay_{reference.Attempt.Value:N}");

    private static string Text(StoredResponse response) => System.Text.Encoding.UTF8.GetString(response.Body);

    /// <summary>Until so many sessions of the app wait for a row.</summary>
    private async Task WaitingAsync(int sessions)
    {
        // Not the connection that holds the lock: inside a transaction the list of sessions stays what it was.
        await using var connection = await database.Owner.OpenConnectionAsync();
        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        while (await connection.ExecuteScalarAsync<int>("SELECT count(DISTINCT l.pid) FROM pg_locks l JOIN pg_stat_activity s USING (pid) WHERE s.datname = current_database() AND NOT l.granted") < sessions)
            await Task.Delay(10, patience.Token);
    }
}
