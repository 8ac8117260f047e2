using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.RegularExpressions;
using Payments.Domain.Database;
using Payments.Domain.Pricing;

namespace Payments.Domain.Tests.Pricing;

/// <summary>Every worked example of docs/pricing.md, computed.</summary>
public sealed partial class DocumentedExamplesTests
{
    public static TheoryData<string, string, string, string, long, string> Examples()
    {
        var examples = new TheoryData<string, string, string, string, long, string>();
        foreach (var section in File.ReadAllText(Page()).Split("\n### ")[1..])
        {
            var plan = section[(section.IndexOf("```json", StringComparison.Ordinal) + 7)..section.LastIndexOf("```", StringComparison.Ordinal)];
            foreach (Match row in Row().Matches(section))
                examples.Add(plan, row.Groups[1].Value, row.Groups[2].Value, row.Groups[3].Value, long.Parse(row.Groups[4].Value, CultureInfo.InvariantCulture), row.Groups[5].Value);
        }

        return examples;
    }

    [Theory]
    [MemberData(nameof(Examples))]
    public void Of_ADocumentedExample_CostsWhatThePageSays(string plan, string capture, string card, string volume, long fee, string parts)
    {
        var read = JsonSerializer.Deserialize(plan, PricingJson.Default.FeePlan)!;
        Assert.Null(read.Validate("plan"));
        var amount = new Money(long.Parse(capture[4..], CultureInfo.InvariantCulture), Currency.Of(capture[..3]));
        var subject = card is "–" ? new FeeSubject(amount) : FeeSubject.OfCard(amount, card.Split(' ')[0], card.Split(' ')[1], "DE");

        var detail = FeeCalculation.Of(read, 1, subject, volume is "–" ? 0 : long.Parse(volume, CultureInfo.InvariantCulture));

        Assert.Equal(fee, detail.Fee);
        Assert.Equal(parts, detail.Parts.Count == 0 ? "none" : string.Join(", ", detail.Parts.Select(part => string.Create(CultureInfo.InvariantCulture, $"{DbText.Of(part.Type)} {part.Amount}"))));
    }

    [Fact]
    public void Examples_OfThePage_AreFound() => Assert.True(Examples().Count >= 18);

    private static string Page([CallerFilePath] string here = "") => Path.Combine(Path.GetDirectoryName(here)!, "..", "..", "..", "docs", "pricing.md");

    [GeneratedRegex(@"^\| ([A-Z]{3} \d+) \| ([^|]+?) \| ([^|]+?) \| (\d+) \| ([^|]+?) \|$", RegexOptions.Multiline)]
    private static partial Regex Row();
}
