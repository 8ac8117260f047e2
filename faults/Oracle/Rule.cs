namespace Payments.Faults;

/// <summary>A promise that a query of the database can check.</summary>
/// <param name="Invariant">The invariant that the rule belongs to.</param>
/// <param name="Name">What must hold, in a few words.</param>
/// <param name="Sql">Returns the rows that break the rule. No rows mean that it holds.</param>
internal sealed record Rule(string Invariant, string Name, string Sql)
{
    private const int Told = 3;

    public async Task<IEnumerable<Violation>> CheckAsync(Snapshot snapshot, CancellationToken ct)
    {
        var rows = await snapshot.ReadAsync($"SELECT row_to_json(broken)::text FROM ({Sql}) AS broken LIMIT {Told}", row => row.GetString(0), ct);
        return rows.Select(row => new Violation(Invariant, $"{Name}: {row}"));
    }
}
