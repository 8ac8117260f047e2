using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json.Nodes;

namespace Payments.Functions.Tests;

/// <summary>The examples of docs/charges.md are run as they stand: each shell block, and the JSON behind it is what it must answer.</summary>
public sealed class DocumentedExamplesTests(RunningApp app)
{
    private const string Marker = "\u001e";

    [Fact]
    public async Task Charges_EveryExample_AnswersWhatThePageSays()
    {
        var examples = Read("charges.md");
        Assert.True(examples.Count >= 10, $"Only {examples.Count} examples were found.");
        var merchant = await app.CreateMerchantAsync();
        var folder = Directory.CreateTempSubdirectory("examples").FullName;

        var output = await RunAsync(folder, merchant.Key, string.Join('\n', examples.Select(e => $"{e.Script}\nprintf '{Marker}'")));

        var answers = output.Split(Marker)[..^1];
        Assert.Equal(examples.Count, answers.Length);
        foreach (var (example, answer) in examples.Zip(answers))
        {
            if (example.Answer is not null)
                AssertHolds(example.Answer, JsonNode.Parse(answer), example.Script);
        }

        Directory.Delete(folder, recursive: true);
    }

    private static void AssertHolds(JsonNode expected, JsonNode? actual, string script)
    {
        foreach (var (name, value) in expected.AsObject())
        {
            if (value is JsonObject nested)
                AssertHolds(nested, actual![name], script);
            else
                Assert.True(JsonNode.DeepEquals(value, actual![name]), $"{name} is {actual[name]?.ToJsonString() ?? "absent"}, the page says {value?.ToJsonString()}:\n{script}\n{actual.ToJsonString()}");
        }
    }

    private static List<(string Script, JsonNode? Answer)> Read(string page)
    {
        var examples = new List<(string, JsonNode?)>();
        string? language = null;
        var block = new StringBuilder();
        foreach (var line in File.ReadLines(Path.Combine(Root(), "docs", page)))
        {
            if (!line.StartsWith("```", StringComparison.Ordinal))
            {
                if (language is not null)
                    block.AppendLine(line);
                continue;
            }

            if (language is null)
            {
                language = line[3..];
                block.Clear();
                continue;
            }

            if (language == "sh")
                examples.Add((block.ToString(), null));
            else if (language == "json" && examples is [.., (var script, null)])
                examples[^1] = (script, JsonNode.Parse(block.ToString()));
            language = null;
        }

        return examples;
    }

    private async Task<string> RunAsync(string folder, string key, string script)
    {
        var start = new ProcessStartInfo("bash") { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add("set -euo pipefail\n" + script);
        start.Environment["URL"] = app.Address.ToString().TrimEnd('/');
        start.Environment["KEY"] = key;
        start.Environment["RUN"] = RunningApp.NewKey();
        using var process = Process.Start(start)!;
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"The examples ended with {process.ExitCode}: {await errors}\n{await output}");
        return await output;
    }

    private static string Root([CallerFilePath] string here = "")
    {
        // The path of the source may be rewritten in a deterministic build; then the solution is above the tests' folder.
        var folder = Path.IsPathRooted(here) && File.Exists(here) ? Path.GetDirectoryName(here)! : AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Functions.sln")))
            folder = Path.GetDirectoryName(folder) ?? throw new DirectoryNotFoundException("Functions.sln is not above the tests.");
        return folder;
    }
}
