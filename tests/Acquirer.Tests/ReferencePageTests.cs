using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace Payments.Acquirer.Tests;

/// <summary>The reference page names what the program knows.</summary>
public sealed partial class ReferencePageTests
{
    private static readonly string Root = RepositoryRoot();
    private static readonly string Page = File.ReadAllText(Path.Combine(Root, "docs", "sandbox-acquirer.md"));

    [Fact]
    public void Page_EveryRefusal_IsListed()
    {
        var codes = Directory.EnumerateFiles(Path.Combine(Root, "local", "acquirer"), "*.cs")
            .SelectMany(file => RefusalCode().Matches(File.ReadAllText(file)))
            .Select(match => match.Groups["code"].Value)
            .Distinct()
            .ToList();
        Assert.True(codes.Count > 25, $"Only {codes.Count} codes were found in the source.");
        Assert.All(codes, code => Assert.True(Page.Contains($"`{code}`", StringComparison.Ordinal), code));
    }

    [Fact]
    public void Page_EveryCodeOfATokenAndEverySetting_IsListed()
    {
        var names = Tokens.DeclineCodes.Concat(Tokens.PayoutFailureCodes).Concat(typeof(AcquirerOptions).GetProperties().Select(property => property.Name));
        Assert.All(names, name => Assert.True(Page.Contains($"`{name}`", StringComparison.Ordinal), name));
    }

    [Fact]
    public void Page_EveryTokenItNames_IsKnown()
    {
        var tokens = CardToken().Matches(Page).Select(match => match.Groups[1].Value).Distinct().ToList();
        Assert.True(tokens.Count > 20, $"Only {tokens.Count} tokens were found on the page.");
        Assert.All(tokens, token => Assert.True(Tokens.Card(token) is not null, token));
    }

    [GeneratedRegex("""(?:new(?: Refusal)?\(\d{3}, |Because\()"(?<code>[a-z_]+)"|[?:] new Refusal\(\d{3}, "(?<code>[a-z_]+)""")]
    private static partial Regex RefusalCode();

    [GeneratedRegex("`(tok_[a-z0-9_]+)`")]
    private static partial Regex CardToken();

    private static string RepositoryRoot([CallerFilePath] string here = "")
    {
        // The path of the source may be rewritten in a deterministic build; then the solution is above the tests' folder.
        var folder = Path.IsPathRooted(here) && File.Exists(here) ? Path.GetDirectoryName(here)! : AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Functions.sln")))
            folder = Path.GetDirectoryName(folder) ?? throw new DirectoryNotFoundException("Functions.sln is not above the tests.");
        return folder;
    }
}
