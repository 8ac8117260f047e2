using System.IO.Compression;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Microsoft.Extensions.Configuration;
using Payments.Domain.Disputes;
using Payments.Domain.Disputes.Files;

namespace Payments.Domain.Tests.Disputes.Files;

public sealed class DisputeFileReaderTests
{
    private const string Header = "case_id,payment,stage,status,amount,currency,updated_at,due,network,code\n";
    private const string Good = "d_1,p_1,chargeback,needs_response,10000,EUR,2026-03-01T09:00:00Z,2026-03-21T09:00:00Z,visa,13.1\n";

    /// <summary>A dialect with our own words, as a partner's entry of the configuration would spell it.</summary>
    public static DisputeFileDialect Plain() => Configured("""
        {"Provider":"sandbox","Columns":{"DisputeId":"case_id","ChargeReference":"payment","Stage":"stage","Status":"status","Amount":"amount","Currency":"currency",
         "OccurredAt":"updated_at","EvidenceDueBy":"due","Network":"network","ReasonCode":"code"}}
        """);

    [Fact]
    public async Task Read_PlainDialect_GivesTheUpdate()
    {
        var line = Assert.Single(await ReadAsync(Plain(), Header + Good));
        Assert.Equal(2, line.Number);
        Assert.Equal(
            new DisputeUpdate(
                "sandbox", "d_1", "p_1", DisputeStage.Chargeback, DisputeStatus.NeedsResponse, Any.Eur(10000), null, null, "visa", "13.1", null,
                new DateTimeOffset(2026, 3, 21, 9, 0, 0, TimeSpan.Zero), Any.Start, DisputeSource.File, "march.csv:2"),
            line.Update);
    }

    [Fact]
    public async Task Read_GermanDialect_UnderstandsItsWordsNumbersAndDates()
    {
        var dialect = Configured("""
            {"Provider":"acme","Delimiter":";","Encoding":"windows-1252","AmountFormat":"Decimal","DecimalSeparator":",","ThousandsSeparator":".","NegativeAmounts":true,
             "DateFormats":["dd.MM.yyyy HH:mm","dd.MM.yyyy"],"TimeZone":"Europe/Berlin","LastLineMayLackBreak":true,
             "Columns":{"DisputeId":"Vorgang","ChargeReference":"Händlerreferenz","Status":"Stand","Amount":"Betrag","Currency":"Währung","OccurredAt":"Datum","EvidenceDueBy":"Frist"},
             "Constants":{"Network":"mastercard"},
             "Statuses":{"offen":"chargeback/needs_response","in Prüfung":"chargeback/under_review","gewonnen":"chargeback/won","verloren":"chargeback/lost"}}
            """);
        var bytes = CodePagesEncodingProvider.Instance.GetEncoding(1252)!.GetBytes(
            "Stand;Vorgang;Händlerreferenz;Betrag;Währung;Datum;Frist;Bemerkung\r\n"
            + "offen;4711;R-1;-1.234,50;EUR;01.03.2026 10:00;21.03.2026;\"Ware; nicht \"\"da\"\"\"\r\n"
            + "in Prüfung;4711;R-1;-1.234,5;EUR;02.07.2026;;\r\n"
            + "verloren;4711;R-1;-1.234,50;EUR;03.03.2026;;ohne Umbruch");
        var lines = await ReadAsync(dialect, bytes);
        Assert.All(lines, line => Assert.Null(line.Rejection));
        Assert.Equal([DisputeStatus.NeedsResponse, DisputeStatus.UnderReview, DisputeStatus.Lost], lines.Select(l => l.Update!.Status));
        Assert.All(lines, line => Assert.Equal((Any.Eur(123450), "mastercard", "R-1"), (line.Update!.Amount!.Value, line.Update.Network, line.Update.ChargeReference)));
        Assert.Equal(new DateTimeOffset(2026, 3, 1, 9, 0, 0, TimeSpan.Zero), lines[0].Update!.OccurredAt);
        Assert.Equal(new DateTimeOffset(2026, 3, 21, 22, 59, 59, TimeSpan.Zero).AddMicroseconds(999_999), lines[0].Update!.EvidenceDueBy);

        // A date alone is placed in its day, in the partner's zone and its summer time: a review at noon, a verdict at the end.
        Assert.Equal(new DateTimeOffset(2026, 7, 2, 10, 0, 0, TimeSpan.Zero), lines[1].Update!.OccurredAt);
        Assert.Equal(new DateTimeOffset(2026, 3, 3, 22, 59, 59, TimeSpan.Zero).AddMicroseconds(999_999), lines[2].Update!.OccurredAt);
    }

    [Fact]
    public async Task Read_JsonLines_GivesTheUpdates()
    {
        var dialect = Plain();
        dialect.Format = DisputeFileFormat.JsonLines;
        var lines = await ReadAsync(
            dialect,
            """
            {"case_id":"d_1","payment":"p_1","stage":"chargeback","status":"won","amount":10000,"currency":"EUR","updated_at":"2026-03-01T09:00:00Z","due":null,"extra":{"a":[1]}}
            {"case_id":"d_2","status":
            ["d_3"]
            {"case_id":"d_4","stage":"chargeback","status":"won","amount":10.5,"currency":"EUR","updated_at":"2026-03-01T09:00:00Z"}

            """);
        Assert.Equal([null, DisputeLineRejection.BadJson, DisputeLineRejection.BadJson, DisputeLineRejection.BadAmount], lines.Select(l => l.Rejection));
        Assert.Equal((DisputeStatus.Won, Any.Eur(10000)), (lines[0].Update!.Status, lines[0].Update!.Amount!.Value));
    }

    [Theory]
    [InlineData("d_1,p_1,chargeback,needs_response,10000,EUR,2026-03-01T09:00:00Z,,visa", DisputeLineRejection.FieldCount)]
    [InlineData("d_1,p_1,chargeback,needs_response,10000,EUR,2026-03-01T09:00:00Z,,visa,13.1,more", DisputeLineRejection.FieldCount)]
    [InlineData("d_1,\"p_1,chargeback,needs_response,10000,EUR,2026-03-01T09:00:00Z,,visa,13.1", DisputeLineRejection.BadQuote)]
    [InlineData("d_1,\"p\"_1,chargeback,needs_response,10000,EUR,2026-03-01T09:00:00Z,,visa,13.1", DisputeLineRejection.BadQuote)]
    [InlineData(" ,p_1,chargeback,needs_response,10000,EUR,2026-03-01T09:00:00Z,,visa,13.1", DisputeLineRejection.FieldMissing)]
    [InlineData("d_1,p_1,chargeback,needs_response,,EUR,2026-03-01T09:00:00Z,,visa,13.1", DisputeLineRejection.FieldMissing)]
    [InlineData("d_1,p_1,retrieval,needs_response,10000,EUR,2026-03-01T09:00:00Z,,visa,13.1", DisputeLineRejection.BadStage)]
    [InlineData("d_1,p_1,chargeback,open,10000,EUR,2026-03-01T09:00:00Z,,visa,13.1", DisputeLineRejection.BadStatus)]
    [InlineData("d_1,p_1,chargeback,4,10000,EUR,2026-03-01T09:00:00Z,,visa,13.1", DisputeLineRejection.BadStatus)]
    [InlineData("d_1,p_1,chargeback,needs_response,100.00,EUR,2026-03-01T09:00:00Z,,visa,13.1", DisputeLineRejection.BadAmount)]
    [InlineData("d_1,p_1,chargeback,needs_response,99999999999999999999,EUR,2026-03-01T09:00:00Z,,visa,13.1", DisputeLineRejection.BadAmount)]
    [InlineData("d_1,p_1,chargeback,needs_response,10000,XXX,2026-03-01T09:00:00Z,,visa,13.1", DisputeLineRejection.BadCurrency)]
    [InlineData("d_1,p_1,chargeback,needs_response,10000,EUR,01/03/2026,,visa,13.1", DisputeLineRejection.BadDate)]
    [InlineData("d_1,p_1,chargeback,needs_response,10000,EUR,2026-03-01T09:00:00Z,2026-02-30,visa,13.1", DisputeLineRejection.BadDate)]
    [InlineData("d_1,p_1,inquiry,needs_response,10000,EUR,2026-03-01T09:00:00Z,,visa,13.1", DisputeLineRejection.Contradictory)]
    [InlineData("d_1,p_1,chargeback,needs_response,-10000,EUR,2026-03-01T09:00:00Z,,visa,13.1", DisputeLineRejection.Contradictory)]
    public async Task Read_BadLineBetweenGoodOnes_IsRejectedAlone(string bad, DisputeLineRejection rejection)
    {
        var lines = await ReadAsync(Plain(), Header + Good + bad + "\n" + Good);
        Assert.Equal([null, rejection, null], lines.Select(l => l.Rejection));
        Assert.Equal((3, bad), (lines[1].Number, lines[1].Text));
        Assert.Equal(4, lines[2].Number);
    }

    [Fact]
    public async Task Read_MoreDigitsThanTheCurrencyHas_IsRejectedNotRounded()
    {
        var dialect = Plain();
        dialect.AmountFormat = DisputeAmountFormat.Decimal;
        var lines = await ReadAsync(dialect, Header + string.Concat(
            new[] { ("10.5", "EUR"), ("10.500", "EUR"), ("10.505", "EUR"), ("1500", "JPY"), ("1500.5", "JPY"), ("1.234", "KWD"), ("1,000.00", "EUR") }
                .Select(a => $"d_1,p_1,chargeback,won,\"{a.Item1}\",{a.Item2},2026-03-01T09:00:00Z,,visa,13.1\n")));
        Assert.Equal([1050, 1050, null, 1500, null, 1234, null], lines.Select(l => l.Update?.Amount?.MinorUnits));
    }

    [Fact]
    public async Task Read_CutInTheLastLine_RejectsItAndKeepsTheRest()
    {
        var whole = Header + Good + Good.Replace("d_1", "d_2", StringComparison.Ordinal);
        for (var cut = Header.Length + Good.Length + 1; cut < whole.Length; cut++)
        {
            var lines = await ReadAsync(Plain(), whole[..cut]);
            Assert.Equal([null, DisputeLineRejection.Unterminated], lines.Select(l => l.Rejection));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("a,b,c\n1,2,3\n")]
    [InlineData("case_id;payment;stage\n")]
    public async Task Read_HeaderThatIsNotTheDialects_RejectsTheWholeFile(string text)
    {
        var reader = await DisputeFileReader.OpenAsync(new MemoryStream(Encoding.UTF8.GetBytes(text)), Plain(), "march.csv", CancellationToken.None);
        var lines = new List<DisputeFileLine>();
        await reader.ReadAsync(lines, 100, CancellationToken.None);
        Assert.True(reader.IsRejected);
        Assert.Contains(Assert.Single(lines).Rejection, (DisputeLineRejection?[])[DisputeLineRejection.HeaderMissing, DisputeLineRejection.HeaderColumnMissing]);
    }

    [Fact]
    public async Task Read_BytesOfAnotherEncoding_RejectsThoseLines()
    {
        var bytes = Encoding.UTF8.GetBytes(Header + Good).Concat(Encoding.Latin1.GetBytes(Good.Replace("p_1", "p_ü", StringComparison.Ordinal))).ToArray();
        Assert.Equal([null, DisputeLineRejection.BadEncoding], (await ReadAsync(Plain(), bytes)).Select(l => l.Rejection));
    }

    [Fact]
    public async Task Read_ByteOrderMarkOfUtf16_IsBelieved()
    {
        var bytes = Encoding.Unicode.GetPreamble().Concat(Encoding.Unicode.GetBytes(Header + Good)).ToArray();
        Assert.Null(Assert.Single(await ReadAsync(Plain(), bytes)).Rejection);
    }

    [Fact]
    public async Task Read_EndlessLine_IsPassedOver()
    {
        var lines = await ReadAsync(Plain(), Header + Good + new string('x', 1_000_000) + "\n" + Good);
        Assert.Equal([null, DisputeLineRejection.TooLong, null], lines.Select(l => l.Rejection));
        Assert.True(lines[1].Text!.Length <= 256);
    }

    [Fact]
    public async Task Read_Compressed_IsTheSameAndACutOneKeepsWhatCameBefore()
    {
        var text = Header + string.Concat(Enumerable.Range(0, 5000).Select(i => Good.Replace("d_1", $"d_{i * 7919}", StringComparison.Ordinal)));
        var compressed = Compress(text);
        Assert.Equal((await ReadAsync(Plain(), text)).Select(l => l.Update), (await ReadAsync(Plain(), compressed)).Select(l => l.Update));

        var cut = await ReadAsync(Plain(), compressed[..(compressed.Length * 2 / 3)]);
        var rejected = cut.Where(l => l.Rejection is not null).Select(l => l.Rejection).ToList();
        Assert.InRange(cut.Count(l => l.Update is not null), 1000, 4999);
        Assert.NotEmpty(rejected);
        Assert.All(rejected, r => Assert.Contains(r, (DisputeLineRejection?[])[DisputeLineRejection.BadCompression, DisputeLineRejection.Unterminated]));
    }

    [Fact]
    public void Read_AnyBytes_NeverThrows() => Prop.ForAll(
        ArbMap.Default.ArbFor<byte[]>(),
        garbage =>
        {
            foreach (var prefix in new[] { "", Header, Header + Good, "\u001f\u008b" })
            {
                using var stream = new MemoryStream([.. Encoding.Latin1.GetBytes(prefix), .. garbage]);
                var lines = ReadAsync(Plain(), stream.ToArray()).GetAwaiter().GetResult();
                if (prefix.EndsWith(Good, StringComparison.Ordinal) && lines.All(l => l.Update is null))
                    return false;
            }

            return true;
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Validate_BrokenEntry_NamesEachProblem()
    {
        var dialect = Configured("""
            {"Delimiter":"||","Encoding":"klingon","TimeZone":"Mars/Olympus","DecimalSeparator":",","ThousandsSeparator":",","Columns":{"DisputeId":"id"},
             "Stages":{"a":"b"},"Statuses":{"x":"chargeback/open"}}
            """);
        Assert.Equal(
            ["Provider", "Delimiter", "Encoding", "TimeZone", "DecimalSeparator", "Status", "Amount", "Currency", "OccurredAt", "Stages:a", "Statuses:x"],
            dialect.Validate().Select(problem => problem.Split(' ')[0]));
        Assert.Throws<ArgumentException>(() => new DisputeLineParser(dialect));
    }

    private static byte[] Compress(string text)
    {
        using var stream = new MemoryStream();
        using (var gzip = new GZipStream(stream, CompressionLevel.Fastest))
            gzip.Write(Encoding.UTF8.GetBytes(text));
        return stream.ToArray();
    }

    private static Task<List<DisputeFileLine>> ReadAsync(DisputeFileDialect dialect, string text) => ReadAsync(dialect, Encoding.UTF8.GetBytes(text));

    private static async Task<List<DisputeFileLine>> ReadAsync(DisputeFileDialect dialect, byte[] bytes)
    {
        await using var reader = await DisputeFileReader.OpenAsync(new MemoryStream(bytes), dialect, "march.csv", CancellationToken.None);
        var lines = new List<DisputeFileLine>();
        int before;
        do
        {
            before = lines.Count;
            await reader.ReadAsync(lines, 1000, CancellationToken.None);
        }
        while (lines.Count > before);
        return lines;
    }

    private static DisputeFileDialect Configured(string json)
    {
        using var stream = new MemoryStream(Encoding.UTF8.GetBytes(json));
        return new ConfigurationBuilder().AddJsonStream(stream).Build().Get<DisputeFileDialect>()!;
    }
}
