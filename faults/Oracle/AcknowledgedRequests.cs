using System.Text.Json.Nodes;
using Payments.Domain;
using Payments.Domain.Charges;
using Payments.Domain.Database;
using Payments.Domain.Payouts;
using Payments.Domain.Refunds;

namespace Payments.Faults;

/// <summary>
/// Every answer that a client got is still true: the object exists, belongs to that merchant, and has only moved on from its state. One key
/// has made one object.
/// </summary>
internal static class AcknowledgedRequests
{
    private const string Invariant = "acknowledged";

    private const string Objects =
        """
        SELECT 'ch_' || replace(id::text, '-', ''), merchant_id, status, amount, currency, captured_amount FROM payments.charges
        UNION ALL SELECT 're_' || replace(id::text, '-', ''), merchant_id, status, amount, currency, 0 FROM payments.refunds
        UNION ALL SELECT 'po_' || replace(id::text, '-', ''), merchant_id, status, amount, currency, 0 FROM payments.payouts
        UNION ALL SELECT 'dp_' || replace(id::text, '-', ''), merchant_id, NULL, NULL, NULL, 0 FROM payments.disputes
        UNION ALL SELECT 'we_' || replace(id::text, '-', ''), merchant_id, NULL, NULL, NULL, 0 FROM payments.webhook_endpoints
        UNION ALL SELECT object_id, merchant_id, NULL, NULL, NULL, 0 FROM payments.audit_log WHERE action = 'webhook_endpoint.deleted' AND merchant_id IS NOT NULL
        UNION ALL SELECT 'mer_' || replace(id::text, '-', ''), id, NULL, NULL, NULL, 0 FROM payments.merchants
        UNION ALL SELECT 'key_' || replace(id::text, '-', ''), merchant_id, NULL, NULL, NULL, 0 FROM payments.api_keys
        """;

    public static async Task<IReadOnlyList<Violation>> CheckAsync(Snapshot snapshot, Observed observed, CancellationToken ct)
    {
        var objects = (await snapshot.ReadAsync(
                Objects,
                row => new Known(row.GetString(0), new MerchantId(row.GetGuid(1)), row.IsDBNull(2) ? null : row.GetString(2), row.IsDBNull(3) ? 0 : row.GetInt64(3), row.IsDBNull(4) ? null : row.GetString(4), row.GetInt64(5)),
                ct))
            .DistinctBy(known => known.Id)
            .ToDictionary(known => known.Id, StringComparer.Ordinal);
        var problems = new List<string>();
        foreach (var request in observed.Requests)
        {
            if (Text(request.Answer, "id") is { } id && IsKept(id) && Problem(request, id, objects.GetValueOrDefault(id)) is { } problem)
                problems.Add($"{Name(request)} was answered {request.Status} with {id}, {Text(request.Answer, "status")}; {problem}");
        }

        foreach (var key in observed.Requests.Where(request => request.IdempotencyKey.Length > 0).GroupBy(request => (request.Merchant, request.IdempotencyKey)))
        {
            var ids = key.Select(request => Text(request.Answer, "id")).OfType<string>().Distinct(StringComparer.Ordinal).ToList();
            if (ids.Count > 1)
                problems.Add($"{Name(key.First())} has made {string.Join(" and ", ids)}");
        }

        problems.AddRange(Captures(observed.Requests, objects));
        return [.. problems.Select(problem => new Violation(Invariant, problem))];
    }

    private static string? Problem(Acknowledged request, string id, Known? known)
    {
        if (known is null)
            return "there is none";

        // A platform key acts for no merchant.
        if (Merchant(request.Merchant) is { } merchant && known.Merchant != merchant)
            return $"it is of {known.Merchant}";
        if (known.Status is null || Text(request.Answer, "status") is not { } told)
            return null;
        if (request.Answer["amount"] is JsonValue amount && (amount.GetValue<long>() != known.Amount || Text(request.Answer, "currency") != known.Currency))
            return $"it is of {known.Amount} {known.Currency} now, and was of {amount.GetValue<long>()} {Text(request.Answer, "currency")}";
        if (!CanFollow(id, told, known.Status))
            return $"it is {known.Status} now";
        return request.Answer["amount_captured"] is JsonValue captured && captured.GetValue<long>() > known.Captured ? $"{captured.GetValue<long>()} was captured, and {known.Captured} is now" : null;
    }

    /// <summary>Compares the captures that were reported as succeeded, each once, with the captured amount.</summary>
    private static IEnumerable<string> Captures(IReadOnlyCollection<Acknowledged> requests, Dictionary<string, Known> objects) =>
        from request in requests
        let operation = request.Answer["operation"]
        where Text(operation, "type") == "capture" && Text(operation, "status") == "succeeded"
        group (request.Merchant, request.IdempotencyKey, Amount: operation!["amount"]!.GetValue<long>()) by Text(request.Answer, "id")! into charge
        let said = charge.Distinct().Sum(capture => capture.Amount)
        where objects.TryGetValue(charge.Key, out var known) && said > known.Captured
        select $"captures of {charge.Key} were said to have taken {said}, and {objects[charge.Key].Captured} is captured";

    /// <summary>Whether an object that was reported in one state may be in another state later.</summary>
    private static bool CanFollow(string id, string told, string now) => id[..id.IndexOf('_', StringComparison.Ordinal)] switch
    {
        // A client is told "processing" if its answer could not be recorded. Its charge is then still pending.
        "ch" => Reaches(told == "processing" ? ChargeStatus.Pending : DbText.Parse<ChargeStatus>(told), DbText.Parse<ChargeStatus>(now), ChargeTransitions.Allows),
        "re" => Reaches(DbText.Parse<RefundStatus>(told), DbText.Parse<RefundStatus>(now), RefundTransitions.Allows),
        "po" => Reaches(DbText.Parse<PayoutStatus>(told), DbText.Parse<PayoutStatus>(now), PayoutTransitions.Allows),
        _ => true,
    };

    private static bool Reaches<T>(T from, T to, Func<T, T, bool> allows)
        where T : struct, Enum
    {
        var reached = new HashSet<T> { from };
        while (Enum.GetValues<T>().Where(next => !reached.Contains(next) && reached.Any(status => allows(status, next))).ToList() is { Count: > 0 } more)
            reached.UnionWith(more);
        return reached.Contains(to);
    }

    private static bool IsKept(string id) => id.StartsWith("ch_", StringComparison.Ordinal) || id.StartsWith("re_", StringComparison.Ordinal) || id.StartsWith("po_", StringComparison.Ordinal)
        || id.StartsWith("dp_", StringComparison.Ordinal) || id.StartsWith("we_", StringComparison.Ordinal) || id.StartsWith("mer_", StringComparison.Ordinal) || id.StartsWith("key_", StringComparison.Ordinal);

    private static MerchantId? Merchant(string text) => PrefixedId.TryParse<MerchantId>(text, out var merchant) ? merchant : null;

    private static string Name(Acknowledged request) => $"the {request.Operation} of {request.Merchant} under the key {request.IdempotencyKey}";

    private static string? Text(JsonNode? answer, string name) => answer is JsonObject json && json[name] is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;

    private sealed record Known(string Id, MerchantId Merchant, string? Status, long Amount, string? Currency, long Captured);
}
