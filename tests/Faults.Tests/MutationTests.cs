using Payments.TestHooks.Bugs;

namespace Payments.Faults.Tests;

/// <summary>An oracle that finds nothing in an app with a bug would find nothing at all. These take minutes, so they are explicit: <c>./test Faults</c> runs them.</summary>
public sealed class MutationTests(FaultServer server) : IClassFixture<FaultServer>
{
    public static TheoryData<string> All => [.. Mutations.All];

    [Theory(Explicit = true)]
    [MemberData(nameof(All))]
    public async Task Run_AppWithABug_IsFoundByOneOfTheSeeds(string mutation)
    {
        IReadOnlyList<Violation> violations = [];
        for (var seed = 1; seed <= 3 && violations.Count == 0; seed++)
            violations = (await server.RunAsync(new FaultRunOptions(seed, FaultRunOptions.TransportOf(seed), Mutation: mutation))).Violations;

        Assert.NotEmpty(violations);
        Assert.DoesNotContain(violations, violation => violation.Invariant == "run");
    }
}
