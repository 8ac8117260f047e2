using System.Globalization;
using System.Runtime.CompilerServices;
using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Database;

namespace Payments.Domain.Payouts;

/// <summary>Reads payouts and their composition. A merchant's key reads only the merchant's own payouts.</summary>
public sealed class PayoutReads(NpgsqlDataSource dataSource)
{
    public async Task<Payout?> GetAsync(MerchantId merchant, PayoutId id, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(PayoutSql.Get);
        command.Parameters.Add(new() { Value = merchant.Value });
        command.Parameters.Add(new() { Value = id.Value });
        await using var reader = await command.ExecuteReaderAsync(ct);
        return await reader.ReadAsync(ct) ? Payout.Read(reader) : null;
    }

    /// <summary>Newest first, starting after <paramref name="startingAfter"/>.</summary>
    public async Task<IReadOnlyList<Payout>> ListAsync(MerchantId merchant, int limit, PayoutId? startingAfter, PayoutStatus? status, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(PayoutSql.List);
        command.Parameters.Add(new() { Value = merchant.Value });
        command.Parameters.Add(new() { Value = (object?)startingAfter?.Value ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Uuid });
        command.Parameters.Add(new() { Value = status is { } s ? DbText.Of(s) : DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text });
        command.Parameters.Add(new() { Value = limit });
        await using var reader = await command.ExecuteReaderAsync(ct);
        var payouts = new List<Payout>();
        while (await reader.ReadAsync(ct))
        {
            payouts.Add(Payout.Read(reader));
        }

        return payouts;
    }

    /// <summary>
    /// The lines that a payout is made of, oldest first. With the payout's own line they sum to zero, without it to the payout's amount.
    /// </summary>
    public async Task<IReadOnlyList<PayoutLineResource>> CompositionAsync(MerchantId merchant, PayoutId payout, int limit, BalanceTransactionId? startingAfter, CancellationToken ct)
    {
        var lines = new List<PayoutLineResource>();
        await foreach (var line in LinesAsync(merchant, payout, startingAfter, limit, ct))
        {
            lines.Add(line);
        }

        return lines;
    }

    /// <summary>All lines of a payout, streamed, for an export of any size.</summary>
    public IAsyncEnumerable<PayoutLineResource> CompositionAsync(MerchantId merchant, PayoutId payout, CancellationToken ct) =>
        LinesAsync(merchant, payout, null, int.MaxValue, ct);

    /// <summary>Writes the composition as CSV (RFC 4180), amounts in minor units.</summary>
    public async Task WriteCsvAsync(MerchantId merchant, PayoutId payout, TextWriter output, CancellationToken ct)
    {
        await output.WriteAsync("id,type,source,currency,amount,fee,net,available_on,created_at\r\n");
        await foreach (var line in CompositionAsync(merchant, payout, ct))
        {
            // No field can hold a comma, a quote or a formula: ids, enum members, numbers and dates.
            await output.WriteAsync(string.Create(
                CultureInfo.InvariantCulture,
                $"{line.Id},{line.Type},{line.Source},{line.Currency},{line.Amount},{line.Fee},{line.Net},{line.AvailableOn:yyyy-MM-dd},{line.CreatedAt.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss.fff'Z'}\r\n"));
        }
    }

    private async IAsyncEnumerable<PayoutLineResource> LinesAsync(
        MerchantId merchant, PayoutId payout, BalanceTransactionId? startingAfter, int limit, [EnumeratorCancellation] CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(PayoutSql.Composition);
        command.Parameters.Add(new() { Value = merchant.Value });
        command.Parameters.Add(new() { Value = payout.Value });
        command.Parameters.Add(new() { Value = (object?)startingAfter?.Value ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Uuid });
        command.Parameters.Add(new() { Value = limit });
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
        {
            yield return new PayoutLineResource(
                new BalanceTransactionId(reader.GetGuid(0)).ToString(), "balance_transaction", reader.GetString(1), reader.GetString(2), reader.GetString(3), reader.GetInt64(4), reader.GetInt64(5),
                reader.GetInt64(6), reader.GetFieldValue<DateOnly>(7), reader.GetFieldValue<DateTimeOffset>(8));
        }
    }
}
