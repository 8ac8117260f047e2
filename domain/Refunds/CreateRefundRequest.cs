using System.Text.Json;
using Payments.Domain.Charges;
using Payments.Domain.Database;
using Payments.Domain.Merchants;

namespace Payments.Domain.Refunds;

/// <param name="Charge">The id of the charge to refund.</param>
/// <param name="Amount">Minor units of the charge's currency. Everything that is left if omitted.</param>
/// <param name="Reason"><c>requested_by_customer</c>, <c>duplicate</c> or <c>fraudulent</c>.</param>
public sealed record CreateRefundRequest(string? Charge, long? Amount, string? Reason, IReadOnlyDictionary<string, string?>? Metadata)
{
    public Refusal? Validate(out ChargeId charge, out RefundReason? reason)
    {
        reason = null;
        if (!PrefixedId.TryParse(Charge, out charge))
            return Refusal.Invalid("charge", "`charge` must be the id of the charge to refund, such as ch_....");
        if (Reason is not null)
        {
            if (!DbText.TryParse<RefundReason>(Reason, out var known))
                return Refusal.Invalid("reason", $"`reason` must be one of {string.Join(", ", Enum.GetValues<RefundReason>().Select(DbText.Of))}.");
            reason = known;
        }

        return MetadataRules.Validate(Metadata);
    }

    internal string MetadataJson() => JsonSerializer.Serialize(MetadataRules.Clean(Metadata), ChargeJson.Default.IReadOnlyDictionaryStringString);
}
