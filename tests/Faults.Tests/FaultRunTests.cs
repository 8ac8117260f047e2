namespace Payments.Faults.Tests;

/// <summary>
/// A few short fault runs with seeds that stay the same. Many more are run by <c>./bench faults</c>, and told of in docs/proof.md. They take the machine for themselves, so they are one
/// after the other.
/// </summary>
public sealed class FaultRunTests(FaultServer server) : IClassFixture<FaultServer>
{
    [Theory]
    [InlineData(1, "storage")]
    [InlineData(2, "servicebus")]
    public async Task Run_FaultsOfTheSeed_EverythingAddsUp(int seed, string transport)
    {
        var result = await server.RunAsync(new FaultRunOptions(seed, transport));

        Assert.Empty(result.Violations);

        // A run in which nothing happened proves nothing.
        Assert.True(result.Counts["operation charge"] >= 20 && result.Counts["operation refund"] >= 2 && result.Counts["webhooks received"] >= 50, string.Join(", ", result.Counts));
        Assert.True(result.Counts.Keys.Count(what => what.StartsWith("fault: ", StringComparison.Ordinal)) >= 15, string.Join(", ", result.Counts));
        Assert.Contains("nights", result.Counts.Keys);
    }

    /// <summary>An oracle that finds nothing in an app with a bug would find nothing at all.</summary>
    [Theory]
    [InlineData("lose_outbox")]
    [InlineData("double_refund")]
    public async Task Run_AppWithABug_IsFound(string mutation)
    {
        var result = await server.RunAsync(new FaultRunOptions(1, "storage", Mutation: mutation));

        Assert.NotEmpty(result.Violations);
        Assert.DoesNotContain(result.Violations, violation => violation.Invariant == "run");
    }
}
