using System.Diagnostics;
using Payments.Kit;

namespace Payments.Architecture.Tests;

/// <summary>The Bicep templates against the code: <c>infra/tests</c>, which reads them with their grammar and so runs on Node.</summary>
public sealed class InfrastructureTests
{
    [Fact]
    public async Task Templates_AgreeWithThemselvesAndWithTheCode()
    {
        await Tools.InstallAsync(TestContext.Current.CancellationToken);
        var start = new ProcessStartInfo("node") { WorkingDirectory = RepositorySource.Root, RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add("--test");
        start.ArgumentList.Add("infra/tests/infra.test.mjs");
        using var node = Process.Start(start) ?? throw new InvalidOperationException("Node did not start.");
        var output = node.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var errors = node.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await node.WaitForExitAsync(TestContext.Current.CancellationToken);

        Assert.True(node.ExitCode == 0, $"{await output}\n{await errors}");
    }
}
