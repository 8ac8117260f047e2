using System.Globalization;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Payments.Architecture.Tests;

/// <summary>
/// Bounds on what a reader has to hold in mind at once. What is beyond a bound already is listed in <c>Exceptions/</c> with its size: it may shrink, and nothing may be added.
/// </summary>
public sealed class SizeTests
{
    private const int LongestLine = 140;
    private const int LongestMethod = 60;
    private const int MostDependencies = 7;

    private static readonly string[] Production = ["domain", "domain.migrate", "functions", "local"];

    [Fact]
    public void Lines_OfSource_AreAtMost140Characters() => AssertShrinks(
        "long-lines",
        from file in Production.Concat(["benchmarks", "faults", "tests"]).SelectMany(Files)
        let count = File.ReadLines(file).Count(line => line.Length > LongestLine)
        where count > 0
        select (RepositorySource.Relative(file), count));

    [Fact]
    public void Methods_HaveAtMost60Lines() => AssertShrinks(
        "long-methods",
        from file in Production.SelectMany(RepositorySource.CSharpFiles)
        from method in Parse(file).DescendantNodes().OfType<BaseMethodDeclarationSyntax>()
        let lines = LinesOf(method)
        where lines > LongestMethod
        group lines by $"{RepositorySource.Relative(file)}:{NameOf(method)}" into overloads
        select (overloads.Key, overloads.Max()));

    [Fact]
    public void Constructors_HaveAtMost7Dependencies() => AssertShrinks(
        "wide-constructors",
        from file in Production.SelectMany(RepositorySource.CSharpFiles)
        from type in Parse(file).DescendantNodes().OfType<ClassDeclarationSyntax>()
        let widest = type.Members.OfType<ConstructorDeclarationSyntax>().Select(constructor => constructor.ParameterList.Parameters.Count)
            .Append(type.ParameterList?.Parameters.Count ?? 0).Max()
        where widest > MostDependencies
        select ($"{RepositorySource.Relative(file)}:{type.Identifier.ValueText}", widest));

    private static IEnumerable<string> Files(string folder) =>
        RepositorySource.CSharpFiles(folder)
            .Concat(Directory.EnumerateFiles(Path.Combine(RepositorySource.Root, folder), "schema.sql", SearchOption.AllDirectories)
                .Where(file => !RepositorySource.Relative(file).Split('/').Any(part => part is "bin" or "obj" or "node_modules")));

    private static SyntaxNode Parse(string file) =>
        CSharpSyntaxTree.ParseText(File.ReadAllText(file), new CSharpParseOptions(LanguageVersion.Preview), file, cancellationToken: TestContext.Current.CancellationToken)
            .GetRoot(TestContext.Current.CancellationToken);

    // Of what the compiler sees: the documentation comment above is not the method's.
    private static int LinesOf(BaseMethodDeclarationSyntax method)
    {
        var span = method.GetLocation().GetLineSpan();
        return span.EndLinePosition.Line - span.StartLinePosition.Line + 1;
    }

    private static string NameOf(BaseMethodDeclarationSyntax method) => method switch
    {
        MethodDeclarationSyntax named => named.Identifier.ValueText,
        ConstructorDeclarationSyntax constructor => constructor.Identifier.ValueText,
        _ => method.Kind().ToString(),
    };

    private static void AssertShrinks(string list, IEnumerable<(string Name, int Size)> found)
    {
        var actual = found.OrderBy(offender => offender.Name, StringComparer.Ordinal).Select(offender => $"{offender.Name} {offender.Size}").ToList();
        var committed = Path.Combine(RepositorySource.Root, "tests", "Architecture.Tests", "Exceptions", $"{list}.txt");
        var listed = File.Exists(committed) ? File.ReadAllLines(committed) : [];
        if (actual.SequenceEqual(listed))
            return;

        var data = Path.Combine(RepositorySource.Root, "local", ".data");
        Directory.CreateDirectory(data);
        File.WriteAllLines(Path.Combine(data, $"{list}.txt"), actual);
        var sizes = listed.ToDictionary(NameIn, SizeIn, StringComparer.Ordinal);
        var grown = actual.Where(line => SizeIn(line) > sizes.GetValueOrDefault(NameIn(line))).ToList();
        Assert.Fail(grown.Count > 0
            ? $"Beyond the bound, and not listed in {list}.txt at this size:\n{string.Join('\n', grown)}"
            : $"What {list}.txt lists has shrunk. Run: cp local/.data/{list}.txt tests/Architecture.Tests/Exceptions/{list}.txt");
    }

    private static string NameIn(string line) => line[..line.LastIndexOf(' ')];

    private static int SizeIn(string line) => int.Parse(line[(line.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture);
}
