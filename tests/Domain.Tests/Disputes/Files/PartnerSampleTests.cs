using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Configuration;
using Payments.Domain.Database;
using Payments.Domain.Disputes.Files;

namespace Payments.Domain.Tests.Disputes.Files;

/// <summary>
/// Each folder of <c>Partners</c> is one partner: its entry of the configuration (<c>dialect.json</c>), a sample of what it sends, and what
/// that means (<c>expected.txt</c>). A new partner is a new folder and no code.
/// </summary>
public sealed class PartnerSampleTests
{
    private static readonly string Folder = Path.Combine(AppContext.BaseDirectory, "Disputes", "Files", "Partners");

    public static TheoryData<string> Partners() => [.. Directory.GetDirectories(Folder).Select(folder => Path.GetFileName(folder)!).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Partners))]
    public async Task Read_SampleOfThePartner_MeansWhatIsExpected(string partner)
    {
        var folder = Path.Combine(Folder, partner);
        var dialect = new ConfigurationBuilder().AddJsonFile(Path.Combine(folder, "dialect.json")).Build().Get<DisputeFileDialect>()!;
        Assert.Empty(dialect.Validate());
        var sample = Assert.Single(Directory.GetFiles(folder, "sample.*"));
        await using var reader = await DisputeFileReader.OpenAsync(File.OpenRead(sample), dialect, Path.GetFileName(sample), CancellationToken.None);
        var lines = new List<DisputeFileLine>();
        await reader.ReadAsync(lines, 10_000, CancellationToken.None);
        Assert.Equal(await File.ReadAllLinesAsync(Path.Combine(folder, "expected.txt")), lines.Select(Describe));
    }

    [Fact]
    public void SampleSettings_OfTheSandbox_AreItsDialect()
    {
        using var settings = JsonDocument.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Disputes", "Files", "local.settings.sample.json")));
        const string prefix = "Disputes__Partners__sandbox__";
        var values = settings.RootElement.GetProperty("Values").EnumerateObject()
            .Where(value => value.Name.StartsWith(prefix, StringComparison.Ordinal))
            .ToDictionary(value => value.Name[prefix.Length..].Replace("__", ":", StringComparison.Ordinal), value => value.Value.GetString(), StringComparer.Ordinal);
        var declared = new ConfigurationBuilder().AddInMemoryCollection(values).Build().Get<DisputeFileDialect>()!;
        var tested = new ConfigurationBuilder().AddJsonFile(Path.Combine(Folder, "sandbox", "dialect.json")).Build().Get<DisputeFileDialect>()!;
        Assert.Equal(JsonSerializer.Serialize(tested), JsonSerializer.Serialize(declared));
    }

    private static string Describe(DisputeFileLine line)
    {
        if (line.Rejection is { } rejection)
            return $"{line.Number} rejected: {DbText.Of(rejection)} {line.Detail}".TrimEnd();
        var update = line.Update!;
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{line.Number} {update.Provider} {update.ProviderDisputeId} {DbText.Of(update.Stage)}/{DbText.Of(update.Status)} {Amount(update.Amount!.Value)}");
        Add("returned", update.Returned is { } returned ? Amount(returned) : null);
        Add("taken", update.MerchantAmount is { } taken ? Amount(taken) : null);
        Add("of", update.ChargeReference);
        Add("at", Time(update.OccurredAt));
        Add("due", update.EvidenceDueBy is { } due ? Time(due) : null);
        Add("network", update.Network);
        Add("code", update.NetworkReasonCode);
        Add("reason", update.Reason is { } reason ? DbText.Of(reason) : null);
        return text.ToString();

        void Add(string name, string? value)
        {
            if (value is not null)
                text.Append(CultureInfo.InvariantCulture, $" {name} {value}");
        }
    }

    private static string Amount(Money money) => string.Create(CultureInfo.InvariantCulture, $"{money.MinorUnits} {money.Currency.Code}");

    private static string Time(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.ffffffZ", CultureInfo.InvariantCulture);
}
