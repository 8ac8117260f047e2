using System.Text.Json;
using Npgsql;
using Payments.Domain.Audit;
using Payments.Domain.Database;
using Payments.Domain.Idempotency;
using Payments.Domain.Messaging;

namespace Payments.Domain.Disputes;

/// <summary>One update as an operator states it, in neutral words. Amounts are minor units.</summary>
public sealed record ImportedDispute(
    string? DisputeId,
    string? ChargeReference,
    string? Stage,
    string? Status,
    long? Amount,
    string? Currency,
    long? ReturnedAmount,
    long? MerchantAmount,
    string? MerchantCurrency,
    string? Network,
    string? ReasonCode,
    string? Reason,
    DateTimeOffset? EvidenceDueBy,
    DateTimeOffset? OccurredAt);

/// <param name="Provider">The provider of the disputes and charges.</param>
public sealed record ImportDisputesRequest(string? Provider, IReadOnlyList<ImportedDispute>? Disputes);

/// <param name="Status"><c>applied</c>, <c>duplicate</c> or <c>unmatched</c>.</param>
public sealed record ImportedDisputeResult(string ProviderDisputeId, string Status, string? Dispute);

public sealed record DisputeImportResource(string Object, int Applied, int Duplicate, int Unmatched, IReadOnlyList<ImportedDisputeResult> Results);

/// <summary>
/// Applies updates that an operator knows and that no webhook or file has reported. All entries are applied in one transaction. One bad
/// entry refuses the whole request.
/// </summary>
public sealed class ImportDisputes(IdempotencyStore idempotency, DisputeIngestion ingestion, OutboxSignal outbox, TimeProvider time)
{
    public const int MaximumEntries = 500;

    /// <param name="actor">The author of the import for the audit log.</param>
    public async Task<Result<StoredResponse>> HandleAsync(IdempotentRequest idempotent, ImportDisputesRequest request, Actor actor, CancellationToken ct)
    {
        if (!Read(request, idempotent.Key.Value).TryGet(out var updates, out var refusal))
            return refusal;
        var result = await idempotency.RunAsync(idempotent, async (connection, transaction) => await ApplyAsync(connection, transaction, updates, idempotent.Key.Value, actor, ct), ct);
        outbox.Set();
        return result;
    }

    /// <summary>The updates of the request, or the refusal of its first bad entry.</summary>
    public static Result<List<DisputeUpdate>> Read(ImportDisputesRequest request, string reference)
    {
        if (string.IsNullOrWhiteSpace(request.Provider) || request.Provider.Length > 64)
            return Refusal.Invalid("provider", "`provider` must name the provider of these disputes.");
        if (request.Disputes is not { Count: > 0 and <= MaximumEntries })
            return Refusal.Invalid("disputes", $"`disputes` must hold 1 to {MaximumEntries} disputes.");
        var updates = new List<DisputeUpdate>(request.Disputes.Count);
        for (var i = 0; i < request.Disputes.Count; i++)
        {
            if (!Read(request.Provider, request.Disputes[i], $"disputes[{i}]", reference).TryGet(out var update, out var refusal))
                return refusal;
            updates.Add(update);
        }

        return updates;
    }

    private static Result<DisputeUpdate> Read(string provider, ImportedDispute entry, string at, string reference)
    {
        if (entry is null)
            return Refusal.Invalid(at, "The entry must be an object, not null.");
        if (!DbText.TryParse<DisputeStage>(entry.Stage, out var stage))
            return Refusal.Invalid($"{at}.stage", $"`stage` must be one of {Names<DisputeStage>()}.");
        if (!DbText.TryParse<DisputeStatus>(entry.Status, out var status))
            return Refusal.Invalid($"{at}.status", $"`status` must be one of {Names<DisputeStatus>()}.");
        if (!Currency.TryParse(entry.Currency, out var currency))
            return Refusal.Invalid($"{at}.currency", "`currency` must be an ISO 4217 code.");
        if (entry.Amount is not { } amount)
            return Refusal.Invalid($"{at}.amount", "`amount` is required: the disputed amount in minor units.");
        Currency? merchantCurrency = null;
        if (entry.MerchantAmount is not null && !Currency.TryParse(entry.MerchantCurrency, out merchantCurrency))
            return Refusal.Invalid($"{at}.merchant_currency", "`merchant_currency` must be the ISO 4217 code of `merchant_amount`.");
        DisputeReason? reason = null;
        if (entry.Reason is not null)
        {
            if (!DbText.TryParse<DisputeReason>(entry.Reason, out var parsed))
                return Refusal.Invalid($"{at}.reason", $"`reason` must be one of {Names<DisputeReason>()}.");
            reason = parsed;
        }

        if (entry.OccurredAt is not { } occurredAt || occurredAt.Year is < 1990 or > 2200)
            return Refusal.Invalid($"{at}.occurred_at", "`occurred_at` is required: the time of the update at the provider.");
        var update = new DisputeUpdate(
            provider,
            entry.DisputeId ?? "",
            entry.ChargeReference,
            stage,
            status,
            new Money(amount, currency),
            entry.ReturnedAmount is { } returned ? new Money(returned, currency) : null,
            entry.MerchantAmount is { } merchant ? new Money(merchant, merchantCurrency!) : null,
            entry.Network,
            entry.ReasonCode,
            reason,
            entry.EvidenceDueBy,
            occurredAt,
            DisputeSource.Import,
            reference);
        if (update.Check() is not { } refusal)
            return update;
        return refusal switch
        {
            DisputeUpdateRefusal.DisputeIdInvalid => Refusal.Invalid($"{at}.dispute_id", "`dispute_id` must be the provider's id of the dispute, 1 to 200 characters."),
            DisputeUpdateRefusal.ChargeReferenceInvalid => Refusal.Invalid($"{at}.charge_reference", "`charge_reference` must have 1 to 200 characters."),
            DisputeUpdateRefusal.TextInvalid => Refusal.Invalid(at, "A text is too long or contains a character that cannot be stored."),
            DisputeUpdateRefusal.StatusNotOfStage => Refusal.Invalid($"{at}.status", $"The stage {entry.Stage} has no status {entry.Status}."),
            DisputeUpdateRefusal.AmountNotPositive => Refusal.Invalid($"{at}.amount", "`amount` must be positive."),
            DisputeUpdateRefusal.ReturnedAmountInvalid => Refusal.Invalid($"{at}.returned_amount", "`returned_amount` must be from 0 to `amount`."),
        };
    }

    private async Task<Result<StoredResponse>> ApplyAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, List<DisputeUpdate> updates, string key, Actor actor, CancellationToken ct)
    {
        var results = await ingestion.ApplyAsync(connection, transaction, updates, ct);
        var resource = new DisputeImportResource(
            "dispute_import",
            results.Count(r => r.Status == DisputeIngestionStatus.Applied),
            results.Count(r => r.Status == DisputeIngestionStatus.Duplicate),
            results.Count(r => r.Status == DisputeIngestionStatus.Unmatched),
            [.. results.Select((r, i) => new ImportedDisputeResult(updates[i].ProviderDisputeId, DbText.Of(r.Status), r.Dispute?.Id.ToString()))]);
        var detail = AuditEntry.Details(("provider", updates[0].Provider), ("applied", resource.Applied), ("duplicate", resource.Duplicate), ("unmatched", resource.Unmatched));
        await AuditLog.WriteAsync(connection, transaction, new AuditEntry(actor, "disputes.imported", "dispute_import", key, Detail: detail), time.GetUtcNow(), ct);
        return new StoredResponse(200, JsonSerializer.SerializeToUtf8Bytes(resource, DisputeJson.Default.DisputeImportResource));
    }

    private static string Names<TEnum>()
        where TEnum : struct, Enum => string.Join(", ", Enum.GetValues<TEnum>().Select(DbText.Of));
}
