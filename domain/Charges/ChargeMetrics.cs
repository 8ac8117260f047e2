using System.Diagnostics.Metrics;
using Payments.Domain.Database;
using Payments.Domain.Providers;

namespace Payments.Domain.Charges;

/// <summary>The meter <c>Payments.Charges</c>: outcomes of operations at providers, counted when they are recorded.</summary>
internal static class ChargeMetrics
{
    private static readonly Meter Meter = new("Payments.Charges");

    // The authorization rate of operation charge is (authorized + succeeded) / (authorized + succeeded + declined).
    private static readonly Counter<long> Outcomes = Meter.CreateCounter<long>("payments.charges.outcomes", "{outcome}", "What was learned of an operation, by provider, operation, result and decline code");
    private static readonly Counter<long> Contradictions = Meter.CreateCounter<long>("payments.charges.contradictions", "{answer}", "Answers that cannot be reconciled with what is recorded");

    public static void Learned(string provider, PaymentOperation operation, PaymentAnswer answer) => Outcomes.Add(
        1,
        new("provider", provider),
        new("operation", DbText.Of(operation)),
        new("result", DbText.Of(answer.Result)),
        new("decline_code", answer.Decline is { } code ? DbText.Of(code) : ""));

    public static void Contradicted(string provider) => Contradictions.Add(1, new KeyValuePair<string, object?>("provider", provider));
}
