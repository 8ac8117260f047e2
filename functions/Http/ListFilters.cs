using System.Globalization;
using Microsoft.AspNetCore.Http;
using Payments.Domain;
using Payments.Domain.Balances;
using Payments.Domain.Charges;
using Payments.Domain.Database;

namespace Payments.Functions.Http;

/// <summary>
/// Reads the filters of lists from queries. A range is <c>created[gte]</c>, <c>[gt]</c>, <c>[lte]</c>, <c>[lt]</c>. The bare name is the
/// exact value where that makes sense. A parameter that cannot be read is refused, never ignored: a list that shows more than the caller
/// asked for is worse than an error.
/// </summary>
internal static class ListFilters
{
    private static readonly string[] Comparisons = ["gte", "gt", "lte", "lt"];

    public static Result<ChargeFilter> Charges(HttpRequest request)
    {
        if (!Member<ChargeStatus>(request, "status", "A charge's status").TryGet(out var status, out var refusal) || !Amounts(request).TryGet(out var amount, out refusal)
            || !Created(request).TryGet(out var created, out refusal))
        {
            return refusal;
        }

        Currency? currency = null;
        if (request.Query.TryGetValue("currency", out var code) && !Currency.TryParse(code, out currency))
            return Refusal.Invalid("currency", "`currency` must be an ISO 4217 code, such as EUR.");
        string? customer = request.Query["customer"];
        return customer is { Length: 0 or > 200 } || customer?.Contains('\0', StringComparison.Ordinal) is true
            ? Refusal.Invalid("customer", "`customer` must have 1 to 200 characters.")
            : new ChargeFilter(status.Value, customer, currency, amount, created);
    }

    public static Result<BalanceTransactionFilter> BalanceTransactions(HttpRequest request)
    {
        if (!Member<BalanceTransactionType>(request, "type", "A balance transaction's type").TryGet(out var type, out var refusal) || !Created(request).TryGet(out var created, out refusal))
            return refusal;
        string? source = request.Query["source"];
        if (source is { Length: 0 or > 100 } || source?.Contains('\0', StringComparison.Ordinal) is true)
            return Refusal.Invalid("source", "`source` must be the id of the transactions' source object, such as ch_... or re_....");
        PayoutId? payout = null;
        if (request.Query.TryGetValue("payout", out var text))
        {
            if (!PrefixedId.TryParse<PayoutId>(text, out var id))
                return Refusal.Invalid("payout", "`payout` must be the id of a payout, such as po_....");
            payout = id;
        }

        return new BalanceTransactionFilter(type.Value, source, payout, created);
    }

    /// <summary>The range of <c>created</c>: RFC 3339 times, to the microsecond.</summary>
    public static Result<Bounds<DateTimeOffset>> Created(HttpRequest request)
    {
        var bounds = new Bounds<DateTimeOffset>();
        foreach (var comparison in Comparisons)
        {
            var param = $"created[{comparison}]";
            if (!Api.Time(request, param).TryGet(out var time, out var refusal))
                return refusal;
            if (time.At is not { } at)
                continue;
            if (at.UtcDateTime.Year is < 1970 or > 9000)
                return Refusal.Invalid(param, "The time must be between the years 1970 and 9000.");
            var whole = at.AddTicks(-(at.Ticks % TimeSpan.TicksPerMicrosecond));
            var isWhole = whole == at;
            bounds = comparison switch
            {
                "gte" => Raise(bounds, isWhole ? whole : whole.AddMicroseconds(1)),
                "gt" => Raise(bounds, whole.AddMicroseconds(1)),
                "lte" => Lower(bounds, whole),
                _ => Lower(bounds, isWhole ? whole.AddMicroseconds(-1) : whole),
            };
        }

        return request.Query.ContainsKey("created") ? Refusal.Invalid("created", "`created` must be a range. Use created[gte], created[gt], created[lte] or created[lt].") : bounds;
    }

    private static Result<Bounds<long>> Amounts(HttpRequest request)
    {
        var bounds = new Bounds<long>();
        if (request.Query.TryGetValue("amount", out var exact))
        {
            if (!Whole(exact, out var value))
                return Refusal.Invalid("amount", "`amount` must be a whole number of minor units.");
            bounds = new Bounds<long>(value, value);
        }

        foreach (var comparison in Comparisons)
        {
            var param = $"amount[{comparison}]";
            if (!request.Query.TryGetValue(param, out var text))
                continue;
            if (!Whole(text, out var value))
                return Refusal.Invalid(param, "The amount must be a whole number of minor units.");
            bounds = comparison switch
            {
                "gte" => Raise(bounds, value),
                "gt" => Raise(bounds, value + 1),
                "lte" => Lower(bounds, value),
                _ => Lower(bounds, value - 1),
            };
        }

        return bounds;
    }

    private static Bounds<T> Raise<T>(Bounds<T> bounds, T least)
        where T : struct, IComparable<T> => bounds with { Least = bounds.Least is { } given && given.CompareTo(least) > 0 ? given : least };

    private static Bounds<T> Lower<T>(Bounds<T> bounds, T most)
        where T : struct, IComparable<T> => bounds with { Most = bounds.Most is { } given && given.CompareTo(most) < 0 ? given : most };

    private static bool Whole(string? text, out long value) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value) && value <= ChargeLimits.Maximum;

    private static Result<(TEnum? Value, bool)> Member<TEnum>(HttpRequest request, string param, string what)
        where TEnum : struct, Enum
    {
        if (!request.Query.TryGetValue(param, out var text))
            return ((TEnum?)null, false);
        return DbText.TryParse<TEnum>(text, out var value)
            ? ((TEnum?)value, true)
            : Refusal.Invalid(param, $"{what} must be one of {string.Join(", ", Enum.GetValues<TEnum>().Select(DbText.Of))}.");
    }
}
