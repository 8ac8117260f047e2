namespace Payments.Faults.Tests;

/// <summary>
/// A few very short fault runs with seeds that stay the same. Many more, and longer ones, are run by <c>./bench faults</c>, and told of in docs/proof.md. They take the machine for
/// themselves, so they are one after the other.
/// </summary>
public sealed class FaultRunTests(FaultServer server) : IClassFixture<FaultServer>
{
    [Theory]
    [InlineData(1, "storage")]
    [InlineData(2, "servicebus")]
    public async Task Run_FaultsOfTheSeed_EverythingAddsUp(int seed, string transport)
    {
        // A machine that is busy with something else may be slow; what hangs stays open for good.
        var result = await server.RunAsync(new FaultRunOptions(seed, transport, Rounds: 2) { Liveness = TimeSpan.FromMinutes(4) });

        Assert.Empty(result.Violations);

        // A run in which nothing was tried proves nothing. How much of it comes about is a matter of time, which decides no test.
        Assert.Contains(result.Counts.Keys, what => what.StartsWith("operation charge", StringComparison.Ordinal));
        Assert.True(result.Counts.Keys.Count(what => what.StartsWith("fault: ", StringComparison.Ordinal)) >= 8, string.Join(", ", result.Counts));
        Assert.Contains("nights", result.Counts.Keys);
    }
}
