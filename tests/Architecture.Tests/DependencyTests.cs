using System.Text.RegularExpressions;
using Payments.Domain;

namespace Payments.Architecture.Tests;

/// <summary>Dependencies point one way: Money, then Ledger, then the capabilities, then the functions.</summary>
public sealed partial class DependencyTests
{
    // What each foundation may use of the domain; a capability may use all of them.
    private static readonly Dictionary<string, string[]> Foundations = new(StringComparer.Ordinal)
    {
        ["Money"] = [],
        ["Ids"] = [],
        ["Refusals"] = [],
        ["Time"] = [],
        ["Database"] = [],
        ["Audit"] = ["Database"],
        ["Secrets"] = ["Database"],
        ["Ledger"] = ["Database"],
        ["Idempotency"] = ["Database", "Secrets"],
        ["Pricing"] = ["Database"],
        ["Balances"] = ["Database", "Ledger", "Messaging"],
        ["Messaging"] = ["Audit", "Database"],
    };

    [Fact]
    public void Domain_Assembly_KnowsNothingOfTheFunctionsWorker()
    {
        var references = typeof(Money).Assembly.GetReferencedAssemblies().Select(name => name.Name!).ToList();

        Assert.NotEmpty(references);
        Assert.DoesNotContain(references, name => name.Contains("Functions", StringComparison.Ordinal));
    }

    [Fact]
    public void Domain_Source_NamesNoWorkerType()
    {
        var offenders = RepositorySource.CSharpFiles("domain")
            .Where(file => File.ReadAllText(file).Contains("Microsoft.Azure.Functions", StringComparison.Ordinal))
            .Select(RepositorySource.Relative);

        Assert.Empty(offenders);
    }

    [Fact]
    public void Domain_Foundations_UseOnlyWhatIsBelowThem()
    {
        var offenders =
            from folder in Foundations
            from file in RepositorySource.CSharpFiles("domain")
            where RepositorySource.Relative(file).StartsWith($"domain/{folder.Key}/", StringComparison.Ordinal)
            from Match use in DomainUse().Matches(File.ReadAllText(file))
            let used = use.Groups[1].Value
            where used != folder.Key && !folder.Value.Contains(used)
            select $"{RepositorySource.Relative(file)} uses {used}";

        Assert.Empty(offenders);
    }

    [Fact]
    public void Domain_Namespaces_FollowTheFolders()
    {
        // Money, ids and refusals are the vocabulary of everything: they stand in the root namespace.
        string[] kernel = ["Money", "Ids", "Refusals", "Time"];
        var offenders =
            from file in RepositorySource.CSharpFiles("domain")
            let path = RepositorySource.Relative(file).Split('/')[1..^1]
            let folders = path.Length > 0 && kernel.Contains(path[0]) ? [] : path
            let expected = string.Join('.', (string[])["Payments.Domain", .. folders])
            let actual = Namespace().Match(File.ReadAllText(file)) is { Success: true } match ? match.Groups[1].Value : null
            where actual is not null && actual != expected
            select $"{RepositorySource.Relative(file)} declares {actual}, not {expected}";

        Assert.Empty(offenders);
    }

    [Fact]
    public void Functions_Source_HoldsNoSql()
    {
        var offenders = RepositorySource.CSharpFiles("functions")
            .Where(file => Sql().IsMatch(File.ReadAllText(file)))
            .Select(RepositorySource.Relative)
            .Except(["functions/Health/Readiness.cs"]);

        Assert.Empty(offenders);
    }

    [GeneratedRegex(@"^using (?:static )?Payments\.Domain\.(\w+)", RegexOptions.Multiline)]
    private static partial Regex DomainUse();

    [GeneratedRegex(@"^namespace ([\w.]+);", RegexOptions.Multiline)]
    private static partial Regex Namespace();

    [GeneratedRegex(@"\b(INSERT INTO|SELECT .+ FROM|UPDATE \w+\.\w+|DELETE FROM)\b")]
    private static partial Regex Sql();
}
