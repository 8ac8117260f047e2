using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Providers;

namespace Payments.Domain.Charges;

/// <summary>Which attempts an operator looks for.</summary>
public enum AttemptFilter
{
    /// <summary>The outcome is not known.</summary>
    Unsettled,

    /// <summary>Unsettled for longer than <see cref="OverdueAttempts"/> allows. The platform has raised an alert.</summary>
    Overdue,

    /// <summary>A provider reported a result that contradicts the recorded outcome, and no operator has acknowledged it.</summary>
    Contradicted,
}

/// <summary>Reads the attempts that need an operator.</summary>
public sealed class AttemptReads(NpgsqlDataSource dataSource)
{
    /// <summary>Oldest first, starting after <paramref name="startingAfter"/>.</summary>
    public async Task<IReadOnlyList<Attempt>> ListAsync(AttemptFilter filter, string? provider, AttemptId? startingAfter, int limit, CancellationToken ct)
    {
        await using var command = dataSource.CreateCommand(filter is AttemptFilter.Contradicted ? AttemptSql.ListContradicted : AttemptSql.ListOpen);
        command.Parameters.Add(new() { Value = (object?)startingAfter?.Value ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Uuid });
        command.Parameters.Add(new() { Value = (object?)provider ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text });
        if (filter is not AttemptFilter.Contradicted)
            command.Parameters.Add(new() { Value = filter is AttemptFilter.Overdue });
        command.Parameters.Add(new() { Value = limit });
        var attempts = new List<Attempt>();
        await using var row = await command.ExecuteReaderAsync(ct);
        while (await row.ReadAsync(ct))
            attempts.Add(ChargeRows.ReadAttempt(row, ChargeRows.ReadCharge(row), ChargeRows.ChargeWidth));
        return attempts;
    }

    /// <summary>The attempt with its contradictions. Null if it does not exist.</summary>
    public async Task<OperatorAttemptResource?> GetAsync(AttemptReference reference, CancellationToken ct)
    {
        if (await FindAsync(reference, ct) is not var (_, attempt))
            return null;
        return OperatorAttemptResource.Of(attempt) with { Contradictions = await ContradictionsAsync(reference, ct) };
    }

    internal async Task<(Charge Charge, Attempt Attempt)?> FindAsync(AttemptReference reference, CancellationToken ct)
    {
        await using var command = Command(AttemptSql.Get, reference);
        await using var row = await command.ExecuteReaderAsync(ct);
        if (!await row.ReadAsync(ct))
            return null;
        var charge = ChargeRows.ReadCharge(row);
        return (charge, ChargeRows.ReadAttempt(row, charge, ChargeRows.ChargeWidth));
    }

    private async Task<IReadOnlyList<ContradictionResource>> ContradictionsAsync(AttemptReference reference, CancellationToken ct)
    {
        await using var command = Command(AttemptSql.Contradictions, reference);
        var rows = new List<ContradictionResource>();
        await using var row = await command.ExecuteReaderAsync(ct);
        while (await row.ReadAsync(ct))
        {
            rows.Add(new ContradictionResource(
                row.GetString(0), row.IsDBNull(1) ? null : row.GetString(1), row.IsDBNull(2) ? null : row.GetString(2), row.GetInt32(3), row.GetFieldValue<DateTimeOffset>(4),
                row.GetFieldValue<DateTimeOffset>(5), row.IsDBNull(6) ? null : row.GetFieldValue<DateTimeOffset>(6)));
        }

        return rows;
    }

    private NpgsqlCommand Command(string sql, AttemptReference reference)
    {
        var command = dataSource.CreateCommand(sql);
        command.Parameters.Add(new() { Value = reference.Merchant.Value });
        command.Parameters.Add(new() { Value = reference.Attempt.Value });
        return command;
    }
}
