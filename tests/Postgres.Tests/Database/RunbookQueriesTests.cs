using System.Text.RegularExpressions;
using Dapper;

namespace Payments.Postgres.Tests.Database;

/// <summary>Whoever is woken at night pastes the queries of the runbooks: each is one that today's schema answers.</summary>
public sealed partial class RunbookQueriesTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    public static TheoryData<string, string> Queries()
    {
        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (root is not null && !File.Exists(Path.Combine(root.FullName, "Functions.sln")))
            root = root.Parent;
        var queries = new TheoryData<string, string>();
        foreach (var page in Directory.EnumerateFiles(Path.Combine(root!.FullName, "docs/runbooks"), "*.md").Order(StringComparer.Ordinal))
        {
            foreach (Match block in SqlBlock().Matches(File.ReadAllText(page)))
            {
                foreach (var statement in block.Groups[1].Value.Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
                    queries.Add(Path.GetFileName(page), statement);
            }
        }

        return queries;
    }

    [Theory]
    [MemberData(nameof(Queries))]
    public async Task Query_OfARunbook_IsOneThatTheSchemaAnswers(string page, string sql)
    {
        await using var connection = await database.Owner.OpenConnectionAsync(TestContext.Current.CancellationToken);

        var error = await Record.ExceptionAsync(() => connection.ExecuteAsync($"EXPLAIN {sql}"));

        Assert.True(error is null, $"{page}: {error?.Message}\n{sql}");
    }

    [GeneratedRegex(@"^```sql\n(.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex SqlBlock();
}
