using System.Collections.Concurrent;
using Dapper;
using Npgsql;
using Payments.Domain.Database;
using Payments.Domain.Pricing;

namespace Payments.Domain.Merchants;

/// <summary>Reads merchants, with or without a cache.</summary>
public sealed class MerchantReads(NpgsqlDataSource dataSource, TimeProvider time)
{
    /// <summary>The greatest age of a cached merchant or key. A change takes effect on every instance within this time.</summary>
    public static readonly TimeSpan CacheLifetime = TimeSpan.FromSeconds(5);

    // A full cache is cleared as a whole. That is simpler than evicting entries, and a miss costs only one indexed read.
    private const int CacheCapacity = 50_000;

    private readonly ConcurrentDictionary<MerchantId, (Merchant Merchant, long ReadAt)> _merchants = new();

    // Requests that miss the same merchant share one read. So a busy merchant that falls out of the cache costs one connection, not one per
    // request.
    private readonly ConcurrentDictionary<MerchantId, Lazy<Task<Merchant?>>> _reading = new();

    public async Task<Merchant?> GetAsync(MerchantId id, CancellationToken ct)
    {
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        return await GetAsync(connection, id, time.GetUtcNow(), ct);
    }

    /// <summary>The merchant as the connection's transaction sees it.</summary>
    internal static async Task<Merchant?> GetAsync(NpgsqlConnection connection, MerchantId id, DateTimeOffset now, CancellationToken ct)
    {
        var row = await connection.QuerySingleOrDefaultAsync<MerchantRow>(new CommandDefinition(MerchantSql.Get, new { id = id.Value }, cancellationToken: ct));
        return row?.ToMerchant(now);
    }

    /// <summary>
    /// The merchant as it was at most <see cref="CacheLifetime"/> ago. For the paths of payments, which must not read the database each
    /// time.
    /// </summary>
    public async ValueTask<Merchant?> GetCachedAsync(MerchantId id, CancellationToken ct)
    {
        if (_merchants.TryGetValue(id, out var cached) && time.GetElapsedTime(cached.ReadAt) < CacheLifetime)
            return cached.Merchant;
        return await _reading.GetOrAdd(id, static (key, reads) => new Lazy<Task<Merchant?>>(() => reads.ReadAsync(key)), this).Value.WaitAsync(ct);
    }

    private async Task<Merchant?> ReadAsync(MerchantId id)
    {
        try
        {
            var readAt = time.GetTimestamp();
            var merchant = await GetAsync(id, CancellationToken.None);
            if (merchant is not null)
            {
                if (_merchants.Count >= CacheCapacity)
                    _merchants.Clear();
                _merchants[id] = (merchant, readAt);
            }

            return merchant;
        }
        finally
        {
            _reading.TryRemove(id, out _);
        }
    }

    /// <summary>The accounts of a mode, newest first.</summary>
    public async Task<IReadOnlyList<Merchant>> ListAsync(Mode mode, int limit, MerchantId? startingAfter, CancellationToken ct)
    {
        await using var connection = await dataSource.OpenConnectionAsync(ct);
        var rows = await connection.QueryAsync<MerchantRow>(
            new CommandDefinition(
                MerchantSql.List, new { mode = DbText.Of(mode), after = startingAfter?.Value, limit }, cancellationToken: ct));
        var now = time.GetUtcNow();
        return [.. rows.Select(row => row.ToMerchant(now))];
    }

    private sealed record MerchantRow(
        Guid Id, string Name, string Country, string Status, string FeePlan, short PayoutDelayDays, string Metadata, DateTimeOffset CreatedAt, DateTimeOffset UpdatedAt,
        string? LaterPlans)
    {
        public Merchant ToMerchant(DateTimeOffset now)
        {
            var plans = PricingJson.ReadHistory(MerchantJson.ReadFeePlan(FeePlan), CreatedAt, LaterPlans);
            return new Merchant(
                new MerchantId(Id), Name, Country, DbText.Parse<MerchantStatus>(Status), plans.At(now).Plan, PayoutDelayDays, MerchantJson.ReadMetadata(Metadata), CreatedAt, UpdatedAt)
            {
                FeePlans = plans,
            };
        }
    }
}
