using Payments.TestHooks.Bugs;

namespace Payments.Faults.Tests;

/// <summary>An oracle that finds nothing in an app with a bug would find nothing at all. These take minutes: they run by name only (<c>./test Faults</c>).</summary>
public sealed class MutationTests(FaultServer server) : IClassFixture<FaultServer>
{
    public static TheoryData<string> All => [.. Mutations.All];

    [Theory]
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
