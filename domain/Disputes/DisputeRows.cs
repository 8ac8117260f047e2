using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Database;
using Payments.Domain.Pricing;

namespace Payments.Domain.Disputes;

/// <summary>Reads and writes disputes and their updates as rows.</summary>
internal static class DisputeRows
{
    public static Dispute Read(NpgsqlDataReader row)
    {
        var charge = Currency.Of(row.GetString(19));
        var currency = Currency.Of(row.GetString(7));
        var state = new DisputeState(
            DbText.Parse<DisputeStage>(row.GetString(5)),
            DbText.Parse<DisputeStatus>(row.GetString(6)),
            new Money(row.GetInt64(8), currency),
            Amount(row, 9, currency),
            row.IsDBNull(10) ? null : Amount(row, 11, Currency.Of(row.GetString(10))),
            Text(row, 12),
            Text(row, 13),
            DbText.Parse<DisputeReason>(row.GetString(14)),
            Time(row, 15),
            row.GetBoolean(16),
            Time(row, 17)!.Value,
            Time(row, 18)!.Value);
        return new Dispute(
            new DisputeId(row.GetGuid(1)),
            new MerchantId(row.GetGuid(0)),
            new ChargeId(row.GetGuid(2)),
            row.GetString(3),
            row.GetString(4),
            new Money(row.GetInt64(20), charge),
            new DisputeFees(row.GetInt64(21), row.GetInt64(22), row.GetInt64(23), row.GetBoolean(24)),
            state,
            new DisputePosition(
                new Money(row.GetInt64(25), charge), new Money(row.GetInt64(26), charge), new Money(row.GetInt64(27), currency), new Money(row.GetInt64(28), charge)),
            row.GetInt32(29),
            row.GetInt32(30),
            Time(row, 31)!.Value,
            Time(row, 32)!.Value);
    }

    /// <summary>Reads the provider and its dispute id from the first two columns, then <see cref="DisputeSql.UpdateColumns"/>.</summary>
    public static DisputeUpdate ReadUpdate(NpgsqlDataReader row)
    {
        var currency = row.IsDBNull(5) ? null : Currency.Of(row.GetString(5));
        return new DisputeUpdate(
            row.GetString(0),
            row.GetString(1),
            Text(row, 2),
            DbText.Parse<DisputeStage>(row.GetString(3)),
            DbText.Parse<DisputeStatus>(row.GetString(4)),
            currency is null ? null : Amount(row, 6, currency),
            currency is null ? null : Amount(row, 7, currency),
            row.IsDBNull(8) ? null : Amount(row, 9, Currency.Of(row.GetString(8))),
            Text(row, 10),
            Text(row, 11),
            row.IsDBNull(12) ? null : DbText.Parse<DisputeReason>(row.GetString(12)),
            Time(row, 13),
            Time(row, 14)!.Value,
            DbText.Parse<DisputeSource>(row.GetString(15)),
            row.GetString(16));
    }

    public static NpgsqlBatchCommand Insert(IReadOnlyList<Dispute> rows) => new(DisputeSql.Insert)
    {
        Parameters =
        {
            Columns.Of(rows, d => d.Merchant.Value, NpgsqlDbType.Uuid),
            Columns.Of(rows, d => d.Id.Value, NpgsqlDbType.Uuid),
            Columns.Of(rows, d => d.Charge.Value, NpgsqlDbType.Uuid),
            Columns.Of(rows, d => d.Provider, NpgsqlDbType.Text),
            Columns.Of(rows, d => d.ProviderDisputeId, NpgsqlDbType.Text),
            Columns.Of(rows, d => DbText.Of(d.State.Stage), NpgsqlDbType.Text),
            Columns.Of(rows, d => DbText.Of(d.State.Status), NpgsqlDbType.Text),
            Columns.Of(rows, d => d.State.Amount.Currency.Code, NpgsqlDbType.Text),
            Columns.Of(rows, d => d.State.Amount.MinorUnits, NpgsqlDbType.Bigint),
            Columns.Of(rows, d => d.State.Returned?.MinorUnits, NpgsqlDbType.Bigint),
            Columns.Of(rows, d => d.State.MerchantAmount?.Currency.Code, NpgsqlDbType.Text),
            Columns.Of(rows, d => d.State.MerchantAmount?.MinorUnits, NpgsqlDbType.Bigint),
            Columns.Of(rows, d => d.State.Network, NpgsqlDbType.Text),
            Columns.Of(rows, d => d.State.NetworkReasonCode, NpgsqlDbType.Text),
            Columns.Of(rows, d => DbText.Of(d.State.Reason), NpgsqlDbType.Text),
            Columns.Of(rows, d => Utc(d.State.EvidenceDueBy), NpgsqlDbType.TimestampTz),
            Columns.Of(rows, d => d.State.EvidenceDueByIsDefault, NpgsqlDbType.Boolean),
            Columns.Of(rows, d => Utc(d.State.OpenedAt), NpgsqlDbType.TimestampTz),
            Columns.Of(rows, d => Utc(d.State.ChangedAt), NpgsqlDbType.TimestampTz),
            Columns.Of(rows, d => d.ChargeAmount.Currency.Code, NpgsqlDbType.Text),
            Columns.Of(rows, d => d.ChargeAmount.MinorUnits, NpgsqlDbType.Bigint),
            Columns.Of(rows, d => d.Fees.Chargeback, NpgsqlDbType.Bigint),
            Columns.Of(rows, d => d.Fees.PreArbitration, NpgsqlDbType.Bigint),
            Columns.Of(rows, d => d.Fees.Arbitration, NpgsqlDbType.Bigint),
            Columns.Of(rows, d => d.Fees.RefundedWhenWon, NpgsqlDbType.Boolean),
            Columns.Of(rows, d => d.Posted.Disputed.MinorUnits, NpgsqlDbType.Bigint),
            Columns.Of(rows, d => d.Posted.Taken.MinorUnits, NpgsqlDbType.Bigint),
            Columns.Of(rows, d => d.Posted.TakenAtProcessor.MinorUnits, NpgsqlDbType.Bigint),
            Columns.Of(rows, d => d.Posted.Fee.MinorUnits, NpgsqlDbType.Bigint),
            Columns.Of(rows, d => d.Journals, NpgsqlDbType.Integer),
            Columns.Of(rows, d => d.Version, NpgsqlDbType.Integer),
            Columns.Of(rows, d => Utc(d.CreatedAt), NpgsqlDbType.TimestampTz),
            Columns.Of(rows, d => Utc(d.UpdatedAt), NpgsqlDbType.TimestampTz),
        },
    };

    public static NpgsqlBatchCommand Update(IReadOnlyList<Dispute> rows) => new(DisputeSql.Update)
    {
        Parameters =
        {
            Columns.Of(rows, d => d.Merchant.Value, NpgsqlDbType.Uuid),
            Columns.Of(rows, d => d.Id.Value, NpgsqlDbType.Uuid),
            Columns.Of(rows, d => DbText.Of(d.State.Stage), NpgsqlDbType.Text),
            Columns.Of(rows, d => DbText.Of(d.State.Status), NpgsqlDbType.Text),
            Columns.Of(rows, d => d.State.Amount.Currency.Code, NpgsqlDbType.Text),
            Columns.Of(rows, d => d.State.Amount.MinorUnits, NpgsqlDbType.Bigint),
            Columns.Of(rows, d => d.State.Returned?.MinorUnits, NpgsqlDbType.Bigint),
            Columns.Of(rows, d => d.State.MerchantAmount?.Currency.Code, NpgsqlDbType.Text),
            Columns.Of(rows, d => d.State.MerchantAmount?.MinorUnits, NpgsqlDbType.Bigint),
            Columns.Of(rows, d => d.State.Network, NpgsqlDbType.Text),
            Columns.Of(rows, d => d.State.NetworkReasonCode, NpgsqlDbType.Text),
            Columns.Of(rows, d => DbText.Of(d.State.Reason), NpgsqlDbType.Text),
            Columns.Of(rows, d => Utc(d.State.EvidenceDueBy), NpgsqlDbType.TimestampTz),
            Columns.Of(rows, d => d.State.EvidenceDueByIsDefault, NpgsqlDbType.Boolean),
            Columns.Of(rows, d => Utc(d.State.OpenedAt), NpgsqlDbType.TimestampTz),
            Columns.Of(rows, d => Utc(d.State.ChangedAt), NpgsqlDbType.TimestampTz),
            Columns.Of(rows, d => d.Posted.Disputed.MinorUnits, NpgsqlDbType.Bigint),
            Columns.Of(rows, d => d.Posted.Taken.MinorUnits, NpgsqlDbType.Bigint),
            Columns.Of(rows, d => d.Posted.TakenAtProcessor.MinorUnits, NpgsqlDbType.Bigint),
            Columns.Of(rows, d => d.Posted.Fee.MinorUnits, NpgsqlDbType.Bigint),
            Columns.Of(rows, d => d.Journals, NpgsqlDbType.Integer),
            Columns.Of(rows, d => d.Version, NpgsqlDbType.Integer),
            Columns.Of(rows, d => Utc(d.UpdatedAt), NpgsqlDbType.TimestampTz),
        },
    };

    public static NpgsqlBatchCommand InsertUpdates(
        IReadOnlyList<(Dispute Dispute, DisputeUpdate Update)> rows, Func<DisputeUpdate, Guid> fingerprint, DateTimeOffset now)
    {
        var command = new NpgsqlBatchCommand(DisputeSql.InsertUpdates)
        {
            Parameters =
            {
                Columns.Of(rows, r => r.Dispute.Merchant.Value, NpgsqlDbType.Uuid),
                Columns.Of(rows, r => r.Dispute.Id.Value, NpgsqlDbType.Uuid),
            },
        };
        AddUpdateColumns(command, [.. rows.Select(r => r.Update)], fingerprint, now);
        return command;
    }

    public static NpgsqlBatchCommand InsertUnmatched(IReadOnlyList<DisputeUpdate> rows, Func<DisputeUpdate, Guid> fingerprint, DateTimeOffset now)
    {
        var command = new NpgsqlBatchCommand(DisputeSql.InsertUnmatched)
        {
            Parameters =
            {
                Columns.Of(rows, u => u.Provider, NpgsqlDbType.Text),
                Columns.Of(rows, u => u.ProviderDisputeId, NpgsqlDbType.Text),
            },
        };
        AddUpdateColumns(command, rows, fingerprint, now);
        command.Parameters.Add(new NpgsqlParameter { Value = now.UtcDateTime.AddMinutes(1), NpgsqlDbType = NpgsqlDbType.TimestampTz });
        return command;
    }

    /// <summary>
    /// Lock order: (provider_dispute_id, provider). Two writers then meet at the first row that both have, and do not deadlock.
    /// </summary>
    public static async Task CopyUnmatchedAsync(
        NpgsqlConnection connection, IReadOnlyList<DisputeUpdate> rows, Func<DisputeUpdate, Guid> fingerprint, DateTimeOffset now, CancellationToken ct)
    {
        await using var copy = await connection.BeginBinaryImportAsync(DisputeSql.CopyUnmatched, ct);
        foreach (var update in rows.OrderBy(u => u.ProviderDisputeId, StringComparer.Ordinal).ThenBy(u => u.Provider, StringComparer.Ordinal))
        {
            await copy.StartRowAsync(ct);
            await copy.WriteAsync(update.Provider, NpgsqlDbType.Text, ct);
            await copy.WriteAsync(update.ProviderDisputeId, NpgsqlDbType.Text, ct);
            await copy.WriteAsync(fingerprint(update), NpgsqlDbType.Uuid, ct);
            await TextAsync(update.ChargeReference);
            await copy.WriteAsync(DbText.Of(update.Stage), NpgsqlDbType.Text, ct);
            await copy.WriteAsync(DbText.Of(update.Status), NpgsqlDbType.Text, ct);
            await TextAsync(update.Amount?.Currency.Code);
            await AmountAsync(update.Amount);
            await AmountAsync(update.Returned);
            await TextAsync(update.MerchantAmount?.Currency.Code);
            await AmountAsync(update.MerchantAmount);
            await TextAsync(update.Network);
            await TextAsync(update.NetworkReasonCode);
            await TextAsync(update.Reason is { } reason ? DbText.Of(reason) : null);
            await (update.EvidenceDueBy is { } due ? copy.WriteAsync(due.UtcDateTime, NpgsqlDbType.TimestampTz, ct) : copy.WriteNullAsync(ct));
            await copy.WriteAsync(update.OccurredAt.UtcDateTime, NpgsqlDbType.TimestampTz, ct);
            await copy.WriteAsync(DbText.Of(update.Source), NpgsqlDbType.Text, ct);
            await copy.WriteAsync(update.SourceReference, NpgsqlDbType.Text, ct);
            await copy.WriteAsync(now.UtcDateTime, NpgsqlDbType.TimestampTz, ct);
            await copy.WriteAsync(0, NpgsqlDbType.Integer, ct);
            await copy.WriteAsync(now.UtcDateTime.AddMinutes(1), NpgsqlDbType.TimestampTz, ct);
        }

        await copy.CompleteAsync(ct);

        Task TextAsync(string? value) => value is null ? copy.WriteNullAsync(ct) : copy.WriteAsync(value, NpgsqlDbType.Text, ct);

        Task AmountAsync(Money? value) => value is { } money ? copy.WriteAsync(money.MinorUnits, NpgsqlDbType.Bigint, ct) : copy.WriteNullAsync(ct);
    }

    private static void AddUpdateColumns(NpgsqlBatchCommand command, IReadOnlyList<DisputeUpdate> rows, Func<DisputeUpdate, Guid> fingerprint, DateTimeOffset now)
    {
        NpgsqlParameter[] columns =
        [
            Columns.Of(rows, fingerprint, NpgsqlDbType.Uuid),
            Columns.Of(rows, u => u.ChargeReference, NpgsqlDbType.Text),
            Columns.Of(rows, u => DbText.Of(u.Stage), NpgsqlDbType.Text),
            Columns.Of(rows, u => DbText.Of(u.Status), NpgsqlDbType.Text),
            Columns.Of(rows, u => u.Amount?.Currency.Code, NpgsqlDbType.Text),
            Columns.Of(rows, u => u.Amount?.MinorUnits, NpgsqlDbType.Bigint),
            Columns.Of(rows, u => u.Returned?.MinorUnits, NpgsqlDbType.Bigint),
            Columns.Of(rows, u => u.MerchantAmount?.Currency.Code, NpgsqlDbType.Text),
            Columns.Of(rows, u => u.MerchantAmount?.MinorUnits, NpgsqlDbType.Bigint),
            Columns.Of(rows, u => u.Network, NpgsqlDbType.Text),
            Columns.Of(rows, u => u.NetworkReasonCode, NpgsqlDbType.Text),
            Columns.Of(rows, u => u.Reason is { } reason ? DbText.Of(reason) : null, NpgsqlDbType.Text),
            Columns.Of(rows, u => Utc(u.EvidenceDueBy), NpgsqlDbType.TimestampTz),
            Columns.Of(rows, u => Utc(u.OccurredAt), NpgsqlDbType.TimestampTz),
            Columns.Of(rows, u => DbText.Of(u.Source), NpgsqlDbType.Text),
            Columns.Of(rows, u => u.SourceReference, NpgsqlDbType.Text),
            Columns.Of(rows, _ => now.UtcDateTime, NpgsqlDbType.TimestampTz),
        ];
        foreach (var column in columns)
        {
            command.Parameters.Add(column);
        }
    }

    private static DateTime Utc(DateTimeOffset time) => time.UtcDateTime;

    private static DateTime? Utc(DateTimeOffset? time) => time?.UtcDateTime;

    private static string? Text(NpgsqlDataReader row, int column) => row.IsDBNull(column) ? null : row.GetString(column);

    private static Money? Amount(NpgsqlDataReader row, int column, Currency currency) => row.IsDBNull(column) ? null : new Money(row.GetInt64(column), currency);

    private static DateTimeOffset? Time(NpgsqlDataReader row, int column) =>
        row.IsDBNull(column) ? null : new DateTimeOffset(row.GetDateTime(column), TimeSpan.Zero);
}
