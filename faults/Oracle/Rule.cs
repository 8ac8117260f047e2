namespace Payments.Faults;

/// <summary>A promise that the database alone can break.</summary>
/// <param name="Invariant">The invariant it is part of.</param>
/// <param name="Name">What must hold, in a few words.</param>
/// <param name="Sql">Returns the rows that break it; none means that it holds.</param>
internal sealed record Rule(string Invariant, string Name, string Sql)
{
    private const int Told = 3;

    public async Task<IEnumerable<Violation>> CheckAsync(Snapshot snapshot, CancellationToken ct)
    {
        var rows = await snapshot.ReadAsync($"SELECT row_to_json(broken)::text FROM ({Sql}) AS broken LIMIT {Told}", row => row.GetString(0), ct);
        return rows.Select(row => new Violation(Invariant, $"{Name}: {row}"));
    }
}
