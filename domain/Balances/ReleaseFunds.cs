using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Database;
using Payments.Domain.Ledger;
using Payments.Domain.Messaging;

namespace Payments.Domain.Balances;

/// <summary>
/// The content of the event that tells a merchant that money became available. The amount is in minor units. It is negative if refunds
/// exceed the income.
/// </summary>
public sealed record BalanceReleaseResource(string Object, string Merchant, string Currency, long Amount, long Transactions, DateTimeOffset ReleasedAt);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, Converters = [typeof(UtcTimeJson)])]
[JsonSerializable(typeof(BalanceReleaseResource))]
internal sealed partial class BalanceReleaseJson : JsonSerializerContext;

internal static partial class ReleaseLog
{
    [LoggerMessage(5101, LogLevel.Information, "Released {TransactionCount} balance transactions of {BalanceCount} balances")]
    public static partial void Released(ILogger logger, long transactionCount, int balanceCount);

    [LoggerMessage(5102, LogLevel.Error, "Merchant {MerchantId}: the ledger refused to release funds: {Reason}")]
    public static partial void Refused(ILogger logger, MerchantId merchantId, string reason);
}

/// <summary>
/// Releases the balance transactions that are due. One transaction marks a bounded number of them and moves their sum in the ledger. It may
/// run at any time and any number of times. Several instances share the work.
/// </summary>
public sealed class ReleaseFunds(NpgsqlDataSource dataSource, LedgerPosting ledger, OutboxSignal signal, TimeProvider time, ILogger<ReleaseFunds> logger)
{
    private const int DefaultChunk = 5_000;

    /// <summary>Releases everything that is due by the calendar of each currency. Returns the number of balance transactions.</summary>
    public Task<long> RunAsync(CancellationToken ct) => RunAsync(DefaultChunk, null, ct);

    /// <summary>Releases everything of one merchant that is due. Returns the number of balance transactions.</summary>
    public Task<long> RunAsync(MerchantId merchant, CancellationToken ct) => RunAsync(DefaultChunk, merchant, ct);

    internal Task<long> RunAsync(int chunk, CancellationToken ct) => RunAsync(chunk, null, ct);

    private async Task<long> RunAsync(int chunk, MerchantId? only, CancellationToken ct)
    {
        var total = 0L;
        var refused = new HashSet<MerchantId>();
        while (true)
        {
            var (rows, balances, bad) = await ReleaseChunkAsync(chunk, only, refused, ct);
            if (bad.Count > 0)
            {
                // The chunk was rolled back. Go on without the refused merchants. An operator must look at them.
                refused.UnionWith(bad);
                continue;
            }

            if (rows == 0)
            {
                return total;
            }

            total += rows;
            ReleaseLog.Released(logger, rows, balances);
            signal.Set();
        }
    }

    private async Task<(long Rows, int Balances, IReadOnlyList<MerchantId> Refused)> ReleaseChunkAsync(int chunk, MerchantId? only,
        HashSet<MerchantId> without, CancellationToken ct)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                return await TryReleaseChunkAsync(chunk, only, without, ct);
            }
            catch (Exception e) when (attempt < 3 && DatabaseErrors.Advise(e) is RetryAdvice.Again)
            {
                // The transaction conflicted with another one and was rolled back. Try again.
            }
        }
    }

    private async Task<(long Rows, int Balances, IReadOnlyList<MerchantId> Refused)> TryReleaseChunkAsync(int chunk, MerchantId? only,
        HashSet<MerchantId> without, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        var releases = await MarkAsync(connection, transaction, chunk, only, without, now, ct);
        var moving = releases.Where(r => !r.Net.IsZero).ToList();
        var results = await ledger.PostAsync(connection, transaction, [.. moving.Select(r => Journal(r, now))], now, ct);
        var refused = new List<MerchantId>();
        for (var i = 0; i < results.Count; i++)
        {
            if (results[i].Status != PostingStatus.Posted)
            {
                refused.Add(moving[i].Merchant);
                ReleaseLog.Refused(logger, moving[i].Merchant, $"{results[i].Status} {results[i].Detail}");
            }
        }

        if (refused.Count > 0)
        {
            await transaction.RollbackAsync(ct);
            return (0, 0, refused);
        }

        await EventLog.AppendAsync(connection, transaction, [.. releases.Select(r => Event(r, now))], ct);
        await transaction.CommitAsync(ct);
        return (releases.Sum(r => r.Rows), releases.Count, refused);
    }

    private static async Task<List<Release>> MarkAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, int chunk, MerchantId? only, HashSet<MerchantId> without,
            DateTimeOffset now, CancellationToken ct)
    {
        var (euro, dollar, utc) = (Availability.DueDate(now, Currency.Eur), Availability.DueDate(now, Currency.Usd), DateOnly.FromDateTime(now.UtcDateTime));
        DateOnly[] dates = [euro, dollar, utc];
        await using var command = new NpgsqlCommand(ReleaseSql.Release, connection, transaction)
        {
            Parameters =
            {
                new() { Value = dates.Max() },
                new() { Value = euro },
                new() { Value = dollar },
                new() { Value = utc },
                Columns.Of(without.ToArray(), m => m.Value, NpgsqlDbType.Uuid),
                new() { Value = chunk },
                new() { Value = now },
                new() { Value = (object?)only?.Value ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Uuid },
            },
        };
        var releases = new List<Release>();
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
        {
            releases.Add(new Release(
                Guid.CreateVersion7(now), new MerchantId(reader.GetGuid(0)), reader.GetBoolean(2), new Money(reader.GetInt64(3), Currency.Of(reader.GetString(1))), reader.GetInt64(4)));
        }

        return releases;
    }

    // The rows decide how much moves, so the limits of accounts do not apply. A refund that stays pending may make the pending balance
    // negative for a day.
    private static Journal Journal(Release release, DateTimeOffset now)
    {
        var currency = release.Net.Currency;
        var held = release.FromReserve ? ChartOfAccounts.MerchantReserve(release.Merchant, currency) : ChartOfAccounts.MerchantPending(release.Merchant, currency);
        var available = ChartOfAccounts.MerchantAvailable(release.Merchant, currency);
        var transfer = release.Net.IsPositive ? new Transfer(held, available, release.Net, "release") : new Transfer(available, held, -release.Net, "release");
        return new Journal(release.Merchant, $"release/{release.Id:N}", "funds_released", now, [transfer with { PastLimit = true }]);
    }

    private static DomainEvent Event(Release release, DateTimeOffset now) => new(
        PrefixedId.New<EventId>(now), release.Merchant, "balance.available", "balance_release", release.Id,
        JsonSerializer.Serialize(
            new BalanceReleaseResource("balance_release", release.Merchant.ToString(), release.Net.Currency.Code, release.Net.MinorUnits, release.Rows, now),
            BalanceReleaseJson.Default.BalanceReleaseResource),
        now);

    private sealed record Release(Guid Id, MerchantId Merchant, bool FromReserve, Money Net, long Rows);
}
