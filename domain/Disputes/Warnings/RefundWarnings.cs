using System.Text.Json;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Charges;
using Payments.Domain.Database;
using Payments.Domain.Providers;
using Payments.Domain.Refunds;

namespace Payments.Domain.Disputes.Warnings;

/// <summary>
/// Refunds early warnings by the merchant's rule before they become chargebacks, and never after. The refund checks for a chargeback under
/// the charge's lock, which a chargeback takes too. A warning whose refund succeeded becomes <c>prevented</c>. Whatever crashes in between,
/// a warning has at most one successful refund.
/// </summary>
public sealed class RefundWarnings(
    NpgsqlDataSource dataSource, ChargeOperations operations, DisputeIngestion ingestion, TimeProvider time, ILogger<RefundWarnings> logger)
{
    private const int Attempts = 3;

    /// <summary>How soon a failed or refused refund is tried again.</summary>
    private static readonly TimeSpan RetryPause = TimeSpan.FromHours(1);

    /// <summary>
    /// Takes the warnings that a rule covers, and continues the refunds in progress. Running it again, or in several instances at once,
    /// refunds nothing twice.
    /// </summary>
    /// <returns>How many warnings were checked. Fewer than <paramref name="limit"/> means that no more are due.</returns>
    public async Task<int> RunAsync(int limit, CancellationToken ct)
    {
        await TakeAsync(limit, ct);
        var due = await DueAsync(limit, ct);
        foreach (var warning in due)
        {
            try
            {
                await GoOnAsync(warning, ct);
            }
            catch (Exception e) when (!ct.IsCancellationRequested)
            {
                // A warning that cannot be refunded must not keep the others waiting. A later run checks it again.
                DisputeLog.WarningFailed(logger, warning.Dispute, e);
            }
        }

        return due.Count;
    }

    private async Task TakeAsync(int limit, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        var covered = new List<(Guid Merchant, Guid Dispute)>();
        await using (var command = dataSource.CreateCommand(WarningSql.Covered))
        {
            command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = limit });
            await using var row = await command.ExecuteReaderAsync(ct);
            while (await row.ReadAsync(ct))
                covered.Add((row.GetGuid(0), row.GetGuid(1)));
        }

        if (covered.Count == 0)
            return;
        await using var take = dataSource.CreateCommand(WarningSql.Take);
        take.Parameters.Add(Columns.Of(covered, c => c.Merchant, NpgsqlDbType.Uuid));
        take.Parameters.Add(Columns.Of(covered, c => c.Dispute, NpgsqlDbType.Uuid));
        take.Parameters.Add(Columns.Of(covered, _ => PrefixedId.New<RefundId>(now).Value, NpgsqlDbType.Uuid));
        take.Parameters.Add(Time(now));
        await take.ExecuteNonQueryAsync(ct);
    }

    private async Task<List<Warning>> DueAsync(int limit, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(WarningSql.Due);
        command.Parameters.Add(Time(time.GetUtcNow()));
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = limit });
        var due = new List<Warning>();
        await using var row = await command.ExecuteReaderAsync(ct);
        while (await row.ReadAsync(ct))
            due.Add(new Warning(new MerchantId(row.GetGuid(0)), new DisputeId(row.GetGuid(1)), new RefundId(row.GetGuid(2)), row.GetInt32(3)));
        return due;
    }

    private async Task GoOnAsync(Warning warning, CancellationToken ct)
    {
        var (dispute, refund) = await LookAsync(warning, ct);
        if (refund is null)
        {
            if (dispute.State is not { Stage: DisputeStage.EarlyWarning, Status: DisputeStatus.WarningNeedsResponse })
                await EndAsync(warning, "refused", $"The warning is {DbText.Of(dispute.State.Stage)}/{DbText.Of(dispute.State.Status)} by now.", ct);
            else if (!(await RefundAsync(warning, dispute, ct)).TryGet(out _, out var refusal))
                await AgainAsync(warning, "refused", warning.Refund, refusal.Detail, ct);
            else
                (dispute, refund) = await LookAsync(warning, ct);
        }

        switch (refund?.Status)
        {
            case RefundStatus.Succeeded:
                await PreventedAsync(warning, dispute, refund.UpdatedAt, ct);
                break;
            case RefundStatus.Failed:
                await AgainAsync(warning, "failed", PrefixedId.New<RefundId>(time.GetUtcNow()), refund.FailureCode ?? "failed", ct);
                break;
            case RefundStatus.Pending or RefundStatus.Processing or null:
                break;
        }
    }

    private async Task<Result<Idempotency.StoredResponse>> RefundAsync(Warning warning, Dispute dispute, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        var amount = dispute.State.Amount.Currency == dispute.ChargeAmount.Currency ? dispute.State.Amount : dispute.State.MerchantAmount!.Value;
        return await operations.HandleAsync(
            new OperationIntent(warning.Merchant, dispute.Charge, PaymentOperation.Refund, amount.MinorUnits, PrefixedId.New<AttemptId>(now), null, now)
            {
                Refund = warning.Refund,
                Reason = RefundReason.Fraudulent,
                MetadataJson = JsonSerializer.Serialize(new Dictionary<string, string> { ["dispute"] = dispute.Id.ToString() }, Evidence.EvidenceJson.Default.DictionaryStringString),
                BeforeChargebackOnly = true,
            },
            ct);
    }

    /// <summary>Ends the warning: the cardholder has the money back. Later reports of the provider continue from this state.</summary>
    private async Task PreventedAsync(Warning warning, Dispute dispute, DateTimeOffset refundedAt, CancellationToken ct)
    {
        var prevented = new DisputeUpdate(
            dispute.Provider, dispute.ProviderDisputeId, ChargeReference: null, DisputeStage.EarlyWarning, DisputeStatus.Prevented, Amount: null, Returned: null, MerchantAmount: null,
            Network: null, NetworkReasonCode: null, Reason: null, EvidenceDueBy: null, refundedAt, DisputeSource.Rule, warning.Refund.ToString());

        // A repeated update counts once, so the update and the end need no common transaction.
        await ingestion.IngestAsync([prevented], ct);
        await EndAsync(warning, "refunded", null, ct);
        DisputeLog.WarningRefunded(logger, warning.Dispute, warning.Refund);
    }

    private async Task<(Dispute Dispute, RefundState? Refund)> LookAsync(Warning warning, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(WarningSql.Look);
        Add(command, warning);
        await using var row = await command.ExecuteReaderAsync(ct);
        if (!await row.ReadAsync(ct))
            throw new InvalidOperationException($"The dispute {warning.Dispute} is not there.");
        var next = row.FieldCount - 3;
        return (DisputeRows.Read(row), row.IsDBNull(next)
            ? null
            : new RefundState(DbText.Parse<RefundStatus>(row.GetString(next)), row.IsDBNull(next + 1) ? null : row.GetString(next + 1), new DateTimeOffset(row.GetDateTime(next + 2), TimeSpan.Zero)));
    }

    /// <summary>Tries again later, a few times: the charge may still be in progress, or the provider may be unreachable.</summary>
    private async Task AgainAsync(Warning warning, string end, RefundId next, string detail, CancellationToken ct)
    {
        if (warning.Attempts >= Attempts)
        {
            await EndAsync(warning, end, detail, ct);
            return;
        }

        await using var command = dataSource.CreateCommand(WarningSql.Again);
        Add(command, warning);
        command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = next.Value });
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = detail });
        command.Parameters.Add(Time(time.GetUtcNow() + RetryPause));
        await command.ExecuteNonQueryAsync(ct);
    }

    private async Task EndAsync(Warning warning, string status, string? detail, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(WarningSql.End);
        Add(command, warning);
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = status });
        command.Parameters.Add(new NpgsqlParameter { Value = (object?)detail ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text });
        command.Parameters.Add(Time(time.GetUtcNow()));
        await command.ExecuteNonQueryAsync(ct);
    }

    private static void Add(NpgsqlCommand command, Warning warning)
    {
        command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = warning.Merchant.Value });
        command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = warning.Dispute.Value });
        command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = warning.Refund.Value });
    }

    private static NpgsqlParameter Time(DateTimeOffset value) => new() { Value = value.UtcDateTime, NpgsqlDbType = NpgsqlDbType.TimestampTz };

    private sealed record Warning(MerchantId Merchant, DisputeId Dispute, RefundId Refund, int Attempts);

    private sealed record RefundState(RefundStatus Status, string? FailureCode, DateTimeOffset UpdatedAt);
}
