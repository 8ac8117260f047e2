using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Payments.Domain.Payouts;

/// <summary>
/// Checks <see cref="PayoutInvariants"/> in production. Logs an error and sets a metric for each rule that does not hold.
/// </summary>
public sealed class PayoutChecks(NpgsqlDataSource dataSource, ILogger<PayoutChecks> logger)
{
    private static readonly Meter Meter = new("Payments.Payouts");
    private static readonly Gauge<long> Broken = Meter.CreateGauge<long>("payments.payouts.broken_invariants", "{row}", "Rows that break a rule, by rule");

    /// <summary>Returns the rules that do not hold, with how many rows break each.</summary>
    public async Task<IReadOnlyList<(string Rule, long Rows)>> RunAsync(CancellationToken ct)
    {
        var broken = new List<(string, long)>();
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        foreach (var (rule, sql) in PayoutInvariants.All)
        {
            // Rows and ledger are written in one transaction, so one statement's snapshot sees both or neither.
#pragma warning disable CA2100 // A constant of this assembly.
            await using var command = new NpgsqlCommand($"SELECT count(*) FROM ({sql}) AS broken", connection) { CommandTimeout = 0 };
#pragma warning restore CA2100
            var rows = (long)(await command.ExecuteScalarAsync(ct))!;
            Broken.Record(rows, new KeyValuePair<string, object?>("rule", rule));
            if (rows > 0)
            {
                PayoutLog.InvariantBroken(logger, rule, rows);
                broken.Add((rule, rows));
            }
        }

        return broken;
    }
}
