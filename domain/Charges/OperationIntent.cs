using System.Text.Json;
using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Database;
using Payments.Domain.Idempotency;
using Payments.Domain.Messaging;
using Payments.Domain.Observability;
using Payments.Domain.Providers;
using Payments.Domain.Refunds;

namespace Payments.Domain.Charges;

/// <summary>The record of a capture, cancel or refund before the provider is called.</summary>
/// <param name="Request">Null if the platform started the operation by itself.</param>
/// <param name="Amount">Minor units of the charge's currency. Null takes everything that is left.</param>
public sealed record OperationIntent(
    MerchantId Merchant, ChargeId Charge, PaymentOperation Operation, long? Amount, AttemptId Attempt, IdempotentRequest? Request, DateTimeOffset Now)
{
    /// <summary>For a capture: it is the last one, and the rest is given back.</summary>
    public bool IsFinal { get; init; }

    /// <summary>For a cancel: the charge has lapsed.</summary>
    public bool IsExpiry { get; init; }

    /// <summary>The id of the new refund. Null for other operations.</summary>
    public RefundId? Refund { get; init; }

    public RefundReason? Reason { get; init; }

    /// <summary>
    /// For a refund that a rule makes to prevent a chargeback. It is refused once there is a chargeback, because it would pay the customer
    /// twice.
    /// </summary>
    public bool BeforeChargebackOnly { get; init; }

    /// <summary>A person made it at the provider. It is recorded as it is, even if disputes hold a part of the charge.</summary>
    public bool MadeElsewhere { get; init; }

    /// <summary>The amount of the charge that disputes hold, read under the charge's lock. Null if the charge has no chargeback.</summary>
    internal Money? Disputed { get; init; }

    public string MetadataJson { get; init; } = "{}";

    /// <summary>The trace of the request. The intents of a batch have different traces, and each event continues its own.</summary>
    public string? TraceParent { get; } = System.Diagnostics.Activity.Current?.Id;
}

/// <summary>
/// The result of an intent: a state or a refusal. With neither, the key was taken before, and the first request with it decides.
/// </summary>
public sealed record OperationStart(ChargeState? State, Refusal? Refusal)
{
    public static OperationStart KeyTaken { get; } = new(null, null);
}

/// <summary>
/// Records the intents of a batch. Lock order: keys by (merchant, key), then charges by (merchant, id). Each intent is decided on the
/// charge as the intent before it left it. One statement takes the limits of all. A refused intent gives its key back, so a refusal stores
/// nothing.
/// </summary>
internal static class OperationIntents
{
    public static async ValueTask<IReadOnlyList<OperationStart>> RecordAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyList<OperationIntent> intents, CancellationToken ct)
    {
        var (taken, charges, disputed) = await LockAsync(connection, transaction, intents, ct);
        var begun = new List<(OperationIntent Intent, ChargeState State)>(intents.Count);
        var refused = new List<IdempotentRequest>();
        var starts = new OperationStart[intents.Count];
        for (var i = 0; i < starts.Length; i++)
        {
            var intent = intents[i];
            if (intent.Request is not null && !taken.Contains(intent.Attempt.Value))
            {
                starts[i] = OperationStart.KeyTaken;
                continue;
            }

            var key = (intent.Merchant, intent.Charge);
            var result = charges.TryGetValue(key, out var charge)
                ? OperationRules.Begin(charge, disputed.TryGetValue(key, out var held) ? intent with { Disputed = new Money(held, charge.Currency) } : intent)
                : Refusal.NotFound(intent.Charge.ToString());
            if (result.TryGet(out var state, out var refusal))
            {
                charges[key] = state.Charge;
                begun.Add((intent, state));
                starts[i] = new OperationStart(state, null);
                continue;
            }

            starts[i] = new OperationStart(null, refusal);
            if (intent.Request is { } request)
                refused.Add(request);
        }

        await WriteAsync(connection, transaction, begun, refused, ct);
        if (PaymentSteps.IsObserved(PaymentSteps.IntentWritten))
            PaymentSteps.Reached(PaymentSteps.IntentWritten, new PaymentStep([.. begun.Select(b => b.Intent.Operation)]) { Transaction = transaction });
        return starts;
    }

    private static async Task<(HashSet<Guid> Taken, Dictionary<(MerchantId, ChargeId), Charge> Charges, Dictionary<(MerchantId, ChargeId), long> Disputed)> LockAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyList<OperationIntent> intents, CancellationToken ct)
    {
        var keyed = intents.Where(i => i.Request is not null).ToList();
        await using var batch = new NpgsqlBatch(connection, transaction)
        {
            BatchCommands =
            {
                new NpgsqlBatchCommand(ChargeSql.TakeKeys)
                {
                    Parameters =
                    {
                        Columns.Of(keyed, i => i.Request!.Merchant.Value, NpgsqlDbType.Uuid),
                        Columns.Of(keyed, i => i.Request!.Key.Value, NpgsqlDbType.Text),
                        Columns.Of(keyed, i => i.Request!.Fingerprint, NpgsqlDbType.Bytea),
                        Columns.Of(keyed, i => i.Attempt.Value, NpgsqlDbType.Uuid),
                        Columns.Of(keyed, i => i.Now, NpgsqlDbType.TimestampTz),
                    },
                },
                new NpgsqlBatchCommand(ChargeSql.LockCharges)
                {
                    Parameters = { Columns.Of(intents, i => i.Merchant.Value, NpgsqlDbType.Uuid), Columns.Of(intents, i => i.Charge.Value, NpgsqlDbType.Uuid) },
                },
            },
        };
        var refunds = intents.Where(i => i.Operation is PaymentOperation.Refund).ToList();
        if (refunds.Count > 0)
        {
            // A statement of its own after the locks, so that it sees what other transactions committed during the wait.
            batch.BatchCommands.Add(new NpgsqlBatchCommand(ChargeSql.DisputedAmounts)
            {
                Parameters = { Columns.Of(refunds, i => i.Merchant.Value, NpgsqlDbType.Uuid), Columns.Of(refunds, i => i.Charge.Value, NpgsqlDbType.Uuid) },
            });
        }

        await using var row = await batch.ExecuteReaderAsync(ct);
        var taken = new HashSet<Guid>(keyed.Count);
        while (await row.ReadAsync(ct))
            taken.Add(row.GetGuid(0));
        await row.NextResultAsync(ct);
        var charges = new Dictionary<(MerchantId, ChargeId), Charge>();
        while (await row.ReadAsync(ct))
        {
            var charge = ChargeRows.ReadCharge(row);
            charges[(charge.Merchant, charge.Id)] = charge;
        }

        var disputed = new Dictionary<(MerchantId, ChargeId), long>();
        if (refunds.Count > 0)
        {
            await row.NextResultAsync(ct);
            while (await row.ReadAsync(ct))
                disputed[(new MerchantId(row.GetGuid(0)), new ChargeId(row.GetGuid(1)))] = row.GetInt64(2);
        }

        return (taken, charges, disputed);
    }

    private static async Task WriteAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, List<(OperationIntent Intent, ChargeState State)> begun, List<IdempotentRequest> refused, CancellationToken ct)
    {
        var takes = begun.GroupBy(b => (b.Intent.Merchant, b.Intent.Charge)).Select(group => Take(group.Key.Merchant, group.Key.Charge, group.Select(b => b.State))).ToList();
        var attempts = begun.Select(b => b.State.Attempt).ToList();
        var refunds = begun.Where(b => b.State.Refund is not null).ToList();
        await using var batch = new NpgsqlBatch(connection, transaction);
        NpgsqlBatchCommand? limits = null;
        if (takes.Count > 0)
        {
            batch.BatchCommands.Add(limits = TakeLimits(takes));
            batch.BatchCommands.Add(InsertAttempts(attempts));
        }

        if (refunds.Count > 0)
        {
            batch.BatchCommands.Add(InsertRefunds([.. refunds.Select(b => b.State.Refund!)]));
            batch.BatchCommands.Add(EventLog.Append([.. refunds.Select(b => Created(b.State.Refund!, b.Intent))]));
        }

        if (refused.Count > 0)
        {
            batch.BatchCommands.Add(new NpgsqlBatchCommand(ChargeSql.ReturnKeys)
            {
                Parameters = { Columns.Of(refused, r => r.Merchant.Value, NpgsqlDbType.Uuid), Columns.Of(refused, r => r.Key.Value, NpgsqlDbType.Text) },
            });
        }

        if (batch.BatchCommands.Count == 0)
            return;
        await batch.ExecuteNonQueryAsync(ct);
        if (limits is not null && limits.RecordsAffected != takes.Count)
            throw new InvalidOperationException("The rules and the database disagree about the limits of a locked charge.");
    }

    private static DomainEvent Created(Refund refund, OperationIntent intent) => new(
        PrefixedId.New<EventId>(intent.Now), refund.Merchant, "refund.created", "refund", refund.Id.Value,
        JsonSerializer.Serialize(RefundResource.Of(refund), ChargeJson.Default.RefundResource), intent.Now)
    {
        TraceParent = intent.TraceParent,
    };

    private static LimitTake Take(MerchantId merchant, ChargeId charge, IEnumerable<ChargeState> states)
    {
        var take = new LimitTake(merchant, charge, 0, 0, 0, default);
        foreach (var (_, attempt, _) in states)
        {
            var amount = attempt.Amount.MinorUnits;
            take = attempt.Operation switch
            {
                PaymentOperation.Capture => take with { Capturing = take.Capturing + amount, Canceling = take.Canceling + attempt.Released.MinorUnits },
                PaymentOperation.Cancel => take with { Canceling = take.Canceling + amount },
                PaymentOperation.Refund => take with { Refunding = take.Refunding + amount },
                PaymentOperation.Charge => take,
            } with
            {
                Now = attempt.CreatedAt,
            };
        }

        return take;
    }

    private sealed record LimitTake(MerchantId Merchant, ChargeId Charge, long Capturing, long Canceling, long Refunding, DateTimeOffset Now);

    private static NpgsqlBatchCommand TakeLimits(List<LimitTake> takes) => new(ChargeSql.TakeLimits)
    {
        Parameters =
        {
            Columns.Of(takes, t => t.Merchant.Value, NpgsqlDbType.Uuid),
            Columns.Of(takes, t => t.Charge.Value, NpgsqlDbType.Uuid),
            Columns.Of(takes, t => t.Capturing, NpgsqlDbType.Bigint),
            Columns.Of(takes, t => t.Canceling, NpgsqlDbType.Bigint),
            Columns.Of(takes, t => t.Refunding, NpgsqlDbType.Bigint),
            Columns.Of(takes, t => t.Now, NpgsqlDbType.TimestampTz),
        },
    };

    private static NpgsqlBatchCommand InsertAttempts(List<Attempt> attempts) => new(ChargeSql.InsertAttempts)
    {
        Parameters =
        {
            Columns.Of(attempts, a => a.Merchant.Value, NpgsqlDbType.Uuid),
            Columns.Of(attempts, a => a.Id.Value, NpgsqlDbType.Uuid),
            Columns.Of(attempts, a => a.Charge.Value, NpgsqlDbType.Uuid),
            Columns.Of(attempts, a => a.Refund?.Value, NpgsqlDbType.Uuid),
            Columns.Of(attempts, a => DbText.Of(a.Operation), NpgsqlDbType.Text),
            Columns.Of(attempts, a => a.Provider, NpgsqlDbType.Text),
            Columns.Of(attempts, a => a.Amount.MinorUnits, NpgsqlDbType.Bigint),
            Columns.Of(attempts, a => a.IdempotencyKey, NpgsqlDbType.Text),
            Columns.Of(attempts, a => a.NextCheckAt, NpgsqlDbType.TimestampTz),
            Columns.Of(attempts, a => a.CreatedAt, NpgsqlDbType.TimestampTz),
            Columns.Of(attempts, a => a.Released.MinorUnits, NpgsqlDbType.Bigint),
            Columns.Of(attempts, a => a.IsExpiry, NpgsqlDbType.Boolean),
            Columns.Of(attempts, a => a.MadeElsewhere, NpgsqlDbType.Boolean),
        },
    };

    private static NpgsqlBatchCommand InsertRefunds(List<Refund> refunds) => new(ChargeSql.InsertRefunds)
    {
        Parameters =
        {
            Columns.Of(refunds, r => r.Merchant.Value, NpgsqlDbType.Uuid),
            Columns.Of(refunds, r => r.Id.Value, NpgsqlDbType.Uuid),
            Columns.Of(refunds, r => r.Charge.Value, NpgsqlDbType.Uuid),
            Columns.Of(refunds, r => r.Amount.Currency.Code, NpgsqlDbType.Text),
            Columns.Of(refunds, r => r.Amount.MinorUnits, NpgsqlDbType.Bigint),
            Columns.Of(refunds, r => r.Reason is { } reason ? DbText.Of(reason) : null, NpgsqlDbType.Text),
            Columns.Of(refunds, r => r.MetadataJson, NpgsqlDbType.Text),
            Columns.Of(refunds, r => r.CreatedAt, NpgsqlDbType.TimestampTz),
            Columns.Of(refunds, r => r.MadeElsewhere, NpgsqlDbType.Boolean),
        },
    };
}
