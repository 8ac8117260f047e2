using System.Runtime.CompilerServices;
using System.Text;
using System.Xml;
using System.Xml.Linq;
using System.Xml.Schema;
using FsCheck;
using FsCheck.Fluent;
using Payments.Domain.Payouts;
using Payments.Domain.Payouts.BankFiles;

namespace Payments.Domain.Tests.Payouts;

public sealed class BankFileTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 20, 22, 0, 0, TimeSpan.Zero);
    private static readonly string[] Ours = ["DE89370400440532013000"];
    private static readonly SepaOriginator Sepa = new(
        "Zahlungen & Söhne GmbH", "DE89370400440532013000", "COBADEFFXXX",
            new PostalAddress("Große Straße", "1a", "10117", "Berlin", "DE"));
    private static readonly NachaOriginator Ach = new("091000019", "WELLS FARGO", "1123456789", "Payment Functions", "1123456789", "09100001");
    private static readonly string[] Names = ["Café Łódź", "Søren Ærø A/S", "ΑΒΓ ΕΠΕ", "ООО Ромашка", "株式会社", "O'Brien & Sons", "//Slash//", "a", new('x', 140), "\u0001\u200Btab\tline\n"];

    [Fact]
    public async Task WriteAsync_Pain001_ValidatesAgainstTheSchema()
    {
        var schema = SchemaPath("pain.001.001.09.xsd");
        Assert.SkipWhen(schema is null, "The ISO 20022 schemas are not on this machine.");
        foreach (var originator in new[] { Sepa, Sepa with { Bic = null } })
        {
            Validate(schema!, await Pain001Async(originator, Transfers(Currency.Eur, 200)));
        }
    }

    /// <summary>Accounts outside the EEA: the payer's address has to be in the file, structured, and a creditor's is structured or
    /// hybrid.</summary>
    [Theory]
    [InlineData("CH9300762011623852957")]
    [InlineData("GB29NWBK60161331926819")]
    [InlineData("DE89370400440532013000")]
    public async Task WriteAsync_Pain001_NamesAddressesStructured(string iban)
    {
        Assert.True(BankAccountDetails.TryCreateIban("Shop", iban, null, out var account, out _));
        var structured = account with { Address = new("Rue de Genève", "7", "1201", "Genève", "CH") };
        var hybrid = account with { Address = new(null, null, "1201", "Genève", "CH", "Chez Müller", "2e étage") };
        CreditTransfer[] transfers = [.. new[] { account, structured,
            hybrid }.Select((a, i) => new CreditTransfer(new PayoutId(Guid.CreateVersion7(Now)), new Money(100 + i, Currency.Eur), a, 0))];
        var bytes = await Pain001Async(Sepa, transfers);
        if (SchemaPath("pain.001.001.09.xsd") is { } schema)
        {
            Validate(schema, bytes);
        }

        XNamespace ns = Pain001Writer.Namespace;
        var document = XDocument.Parse(Encoding.UTF8.GetString(bytes));
        Assert.Equal(["StrtNm Grosse Strasse", "BldgNb 1a", "PstCd 10117", "TwnNm Berlin", "Ctry DE"],
            Address(document.Descendants(ns + "Dbtr").Single()));
        var creditors = document.Descendants(ns + "Cdtr").Select(Address).ToList();
        Assert.Empty(creditors[0]);
        Assert.Equal(["StrtNm Rue de Geneve", "BldgNb 7", "PstCd 1201", "TwnNm Geneve", "Ctry CH"], creditors[1]);
        Assert.Equal(["PstCd 1201", "TwnNm Geneve", "Ctry CH", "AdrLine Chez Mueller", "AdrLine 2e etage"], creditors[2]);

        List<string> Address(XElement party) => [.. party.Elements(ns + "PstlAdr").Elements().Select(e => $"{e.Name.LocalName} {e.Value}")];
    }

    [Fact]
    public async Task WriteAsync_Pain001OutsideTheEeaWithoutOurAddress_Throws()
    {
        Assert.True(BankAccountDetails.TryCreateIban("Shop", "CH9300762011623852957", null, out var account, out _));
        await Assert.ThrowsAsync<InvalidOperationException>(
            () => Pain001Async(Sepa with { Address = null },
                [new CreditTransfer(new PayoutId(Guid.CreateVersion7(Now)), new Money(100, Currency.Eur), account, 0)]));
    }

    [Fact]
    public async Task WriteAsync_Pain001_RoundTrips()
    {
        var transfers = Transfers(Currency.Eur, 50);
        var document = XDocument.Parse(Encoding.UTF8.GetString(await Pain001Async(Sepa, transfers)));
        XNamespace ns = Pain001Writer.Namespace;
        Assert.Equal("50", document.Descendants(ns + "GrpHdr").Single().Element(ns + "NbOfTxs")!.Value);
        var sum = transfers.Sum(t => t.Amount.MinorUnits);
        Assert.All(document.Descendants(ns + "CtrlSum"), e => Assert.Equal(sum, (long)(decimal.Parse(e.Value, System.Globalization.CultureInfo.InvariantCulture) * 100)));
        var read = document.Descendants(ns + "CdtTrfTxInf").Select(e =>
        {
            Assert.True(EndToEndId.TryParse(e.Descendants(ns + "EndToEndId").Single().Value, out var id));
            var amount = e.Descendants(ns + "InstdAmt").Single();
            return (id, amount.Attribute("Ccy")!.Value, (long)(decimal.Parse(amount.Value, System.Globalization.CultureInfo.InvariantCulture) * 100), e.Descendants(ns + "IBAN").Single().Value);
        });
        Assert.Equal(transfers.Select(t => (t.Id, "EUR", t.Amount.MinorUnits, t.Account.Iban!)), read);
        Assert.All(document.Descendants(ns + "Nm"), e => Assert.True(SepaText.IsAllowed(e.Value) && e.Value.Length is >= 1 and <= 70, e.Value));
    }

    [Fact]
    public async Task WriteAsync_SameHeadTwice_IsByteIdentical()
    {
        var (euros, dollars) = (Transfers(Currency.Eur, 20), Transfers(Currency.Usd, 20));
        Assert.Equal(await Pain001Async(Sepa, euros), await Pain001Async(Sepa, euros));
        Assert.Equal(await NachaAsync(dollars), await NachaAsync(dollars));
    }

    [Fact]
    public async Task WriteAsync_EntriesOtherThanPlanned_Throws()
    {
        var euros = Transfers(Currency.Eur, 3);
        var dollars = Transfers(Currency.Usd, 3);
        await Assert.ThrowsAsync<InvalidOperationException>(() => Pain001Writer.WriteAsync(new MemoryStream(), Head(euros), Sepa, StreamOf(euros.Take(2)), default));
        await Assert.ThrowsAsync<InvalidOperationException>(() => NachaWriter.WriteAsync(new MemoryStream(), Head(dollars), Ach, StreamOf(dollars.Take(2)), default));

        // The right number with a wrong sum, and entries that are no payments.
        var one = new Money(1, Currency.Eur);
        foreach (var head in new[] { Head(euros) with { Total = Head(euros).Total + one }, Head(euros) with { Total = Head(euros).Total - one } })
        {
            await Assert.ThrowsAsync<InvalidOperationException>(() => Pain001Writer.WriteAsync(new MemoryStream(), head, Sepa, StreamOf(euros), default));
        }

        foreach (var amount in new[] { 0, -1 })
        {
            List<CreditTransfer> none = [euros[0] with { Amount = new Money(amount, Currency.Eur) }];
            await Assert.ThrowsAsync<InvalidOperationException>(() => Pain001Writer.WriteAsync(new MemoryStream(), Head(none), Sepa, StreamOf(none), default));
        }

        await Assert.ThrowsAsync<InvalidOperationException>(() => NachaWriter.WriteAsync(new MemoryStream(), Head(euros), Ach, StreamOf(euros), default));
        await Assert.ThrowsAsync<InvalidOperationException>(() => Pain001Writer.WriteAsync(new MemoryStream(), Head(dollars), Sepa, StreamOf(dollars), default));
    }

    // Laid out by hand from the record formats of the Nacha rules, field by field.
    [Fact]
    public async Task WriteAsync_NachaOfOneCredit_IsTheKnownFile()
    {
        Assert.True(BankAccountDetails.TryCreateUs("Müller Tools", "021000021", "123456789", UsAccountType.Checking, out var account, out _));
        var transfer = new CreditTransfer(new PayoutId(Guid.ParseExact("0198000000007000800000000000001f", "N")), new Money(123_456, Currency.Usd), account, 7);
        var head = Head([transfer]) with { Id = Guid.ParseExact("0123456789abcdef0123456789abcdef", "N"), Modifier = 1 };
        var output = new MemoryStream();
        await NachaWriter.WriteAsync(output, head, Ach, StreamOf([transfer]), default);
        string[] expected =
        [
            "101 09100001911234567892611201700B094101WELLS FARGO            PAYMENT FUNCTIONS      89ABCDEF",
            "5220PAYMENT FUNCTION0123456789ABCDEF01231123456789CCDPAYOUT    261120261123   1091000010000001",
            "622021000021123456789        000012345600800000000000ZMUELLER TOOLS           0091000010000007",
            "82200000010002100002000000000000000000123456" + "1123456789" + new string(' ', 25) + "09100001" + "0000001",
            "9000001000001000000010002100002000000000000000000123456" + new string(' ', 39),
            .. Enumerable.Repeat(new string('9', 94), 5),
        ];
        var lines = Encoding.ASCII.GetString(output.ToArray()).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(expected, lines);
    }

    [Fact]
    public async Task ReadAsync_NachaWritten_RoundTrips()
    {
        foreach (var count in new[] { 1, 5, 6, 7, 300 })
        {
            var transfers = Transfers(Currency.Usd, count);
            var bytes = await NachaAsync(transfers);
            Assert.Equal(0, bytes.Length % (10 * 95));
            var file = await NachaReader.ReadAsync(new StreamReader(new MemoryStream(bytes)), default);
            Assert.Equal(transfers.Sum(t => t.Amount.MinorUnits), file.TotalCredit);
            Assert.Equal(
                transfers.Select(t => (t.Account.RoutingNumber!, t.Account.AccountNumber!, t.Amount.MinorUnits, Nacha.IndividualId(t.Id), $"09100001{t.Trace:0000000}")),
                file.Entries.Select(e => (e.RoutingNumber, e.AccountNumber, e.Amount, e.IndividualId, e.Trace)));
        }
    }

    [Fact]
    public async Task ReadAsync_NachaAltered_IsRefused()
    {
        var text = Encoding.ASCII.GetString(await NachaAsync(Transfers(Currency.Usd, 12)));
        var lines = text.Split('\n');
        var cases = from line in Gen.Choose(2, 13) from column in Gen.Elements([.. Enumerable.Range(3, 9), .. Enumerable.Range(29, 10)]) from add in Gen.Choose(1, 9) select (line, column, add);
        await Task.WhenAll(cases.Sample(200).Select(async c =>
        {
            var changed = lines[c.line].ToCharArray();
            changed[c.column] = (char)('0' + ((changed[c.column] - '0' + c.add) % 10));
            var altered = string.Join('\n', [.. lines[..c.line], new string(changed), .. lines[(c.line + 1)..]]);
            await Assert.ThrowsAsync<BankFileException>(() => NachaReader.ReadAsync(new StringReader(altered), default));
        }));
        foreach (var cut in new[] { 1, 94, 95, 500, 1200 })
        {
            await Assert.ThrowsAsync<BankFileException>(() => NachaReader.ReadAsync(new StringReader(text[..cut]), default));
        }
    }

    [Fact]
    public async Task ReadAsync_NachaReturns_NamesTheOriginalAndTheCorrection()
    {
        string[] entries =
        [
            "621021000021123456789        0000001234PAYOUT000000001MUELLER TOOLS           1021000020000001",
            "799R03091000010000007      02100002NO ACCOUNT                                  021000020000001",
            "621021000021123456789        0000000000PAYOUT000000002MUELLER TOOLS           1021000020000002",
            "798C01091000010000008      021000021918171614                                  021000020000002",
        ];
        string[] lines =
        [
            "101 091000019 0210000212611231015A094101" + "PAYMENT FUNCTIONS".PadRight(23) + "JPMORGAN CHASE".PadRight(23) + new string(' ', 8),
            "5220" + "PAYMENT FUNCTION".PadRight(36) + "1123456789" + "CCD" + "PAYOUT".PadRight(10) + "261120" + "261123" + "   " + "1" + "02100002" + "0000001",
            .. entries,
            "8220" + "000004" + "0004200004" + "000000000000" + "000000001234" + "1123456789" +
                new string(' ', 25) + "02100002" + "0000001",
            "9" + "000001" + "000001" + "00000004" + "0004200004" + "000000000000" + "000000001234" + new string(' ', 39),
            .. Enumerable.Repeat(new string('9', 94), 2),
        ];
        var report = await BankReportReader.ReadAsync(new MemoryStream(Encoding.ASCII.GetBytes(string.Join("\r\n", lines))), Ours, default);
        var result = Assert.Single(report.Results);
        Assert.Equal(("091000010000007", "PAYOUT000000001", PayoutStatus.Returned, "R03", "NO ACCOUNT"), (result.OriginalTrace, result.IndividualId, result.Said, result.Code, result.Text));
        Assert.Equal(new Money(1_234, Currency.Usd), result.Amount);
        Assert.Equal(new BankCorrection("091000010000008", "PAYOUT000000002", "1123456789", "C01", "1918171614".PadRight(44)),
            Assert.Single(report.Corrections));
        Assert.Equal(0, report.Foreign);
    }

    [Fact]
    public async Task ReadAsync_StatusReport_DecidesPerTransaction()
    {
        var (first, second, third) = (Id(1), Id(2), Id(3));
        var report = await ReadXmlAsync($"""
            <Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt>
              <GrpHdr><MsgId>RPT-1</MsgId><CreDtTm>2026-11-23T08:00:00</CreDtTm></GrpHdr>
              <OrgnlGrpInfAndSts><OrgnlMsgId>{Guid.Empty:N}</OrgnlMsgId><OrgnlMsgNmId>pain.001.001.09</OrgnlMsgNmId><GrpSts>RJCT</GrpSts></OrgnlGrpInfAndSts>
              <OrgnlPmtInfAndSts><OrgnlPmtInfId>x</OrgnlPmtInfId>
                <TxInfAndSts><OrgnlEndToEndId>{EndToEndId.Of(first)}</OrgnlEndToEndId><TxSts>ACSC</TxSts></TxInfAndSts>
                <TxInfAndSts><OrgnlEndToEndId>{EndToEndId.Of(second)}</OrgnlEndToEndId><TxSts>RJCT</TxSts>
                  <StsRsnInf><Rsn><Cd>AC04</Cd></Rsn><AddtlInf>Account closed</AddtlInf></StsRsnInf></TxInfAndSts>
                <TxInfAndSts><OrgnlEndToEndId>{EndToEndId.Of(third)}</OrgnlEndToEndId><TxSts>ACSP</TxSts></TxInfAndSts>
                <TxInfAndSts><OrgnlEndToEndId>SALARY-7</OrgnlEndToEndId><TxSts>RJCT</TxSts></TxInfAndSts>
              </OrgnlPmtInfAndSts>
            </CstmrPmtStsRpt></Document>
            """);
        Assert.Equal("RPT-1", report.Id);
        Assert.Equal(
            [(first, PayoutStatus.Paid, null, null), (second, PayoutStatus.Failed, "AC04", "Account closed"), (third, PayoutStatus.InTransit, null, null)],
            report.Results.Select(r => (r.Payout!.Value, r.Said, r.Code, r.Text)));

        // The group's status holds for whatever else is in the file.
        var whole = Assert.Single(report.Files);
        Assert.Equal((Guid.Empty, PayoutStatus.Failed, 1), (whole.File, whole.Said, report.Foreign));
        Assert.Equal([first, second, third], whole.Except.OrderBy(p => p.Value));
    }

    [Fact]
    public async Task ReadAsync_StatusReportOfAWholeFile_NamesTheFile()
    {
        var file = Guid.ParseExact("0123456789abcdef0123456789abcdef", "N");
        var report = await ReadXmlAsync($"""
            <Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt>
              <GrpHdr><MsgId>RPT-2</MsgId></GrpHdr>
              <OrgnlGrpInfAndSts><OrgnlMsgId>{file:N}</OrgnlMsgId><GrpSts>RJCT</GrpSts><StsRsnInf><Rsn><Cd>AM05</Cd></Rsn></StsRsnInf></OrgnlGrpInfAndSts>
            </CstmrPmtStsRpt></Document>
            """);
        Assert.Equal(new BankFileResult(file, PayoutStatus.Failed, "AM05", null, null), Assert.Single(report.Files) with { Except = new BankFileResult(file, default, null, null, null).Except });
    }

    [Fact]
    public async Task ReadAsync_Statement_FindsPaidReturnedAndBatchBooked()
    {
        var (paid, returned) = (Id(4), Id(5));
        var file = Guid.ParseExact("0123456789abcdef0123456789abcdef", "N");
        var xml = $"""
            <Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt>
              <GrpHdr><MsgId>STMT-1</MsgId><CreDtTm>2026-11-24T05:00:00</CreDtTm></GrpHdr>
              <Stmt><Id>S1</Id><Acct><Id><IBAN>DE89370400440532013000</IBAN></Id></Acct>
                <Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">1.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-11-23</Dt></Dt></Bal>
                <Ntry><Amt Ccy="EUR">12.34</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BkTxCd/>
                  <NtryDtls><TxDtls><Refs><EndToEndId>{EndToEndId.Of(paid)}</EndToEndId></Refs></TxDtls></NtryDtls></Ntry>
                <Ntry><Amt Ccy="EUR">56.78</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BkTxCd/>
                  <NtryDtls><TxDtls><Refs><EndToEndId>{EndToEndId.Of(returned)}</EndToEndId></Refs><Amt Ccy="EUR">56.78</Amt><CdtDbtInd>CRDT</CdtDbtInd>
                    <RtrInf><Rsn><Cd>AC01</Cd></Rsn><AddtlInf>no such account</AddtlInf></RtrInf></TxDtls></NtryDtls></Ntry>
                <Ntry><Amt Ccy="EUR">900.00</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BkTxCd/>
                  <NtryDtls><Btch><PmtInfId>{file:N}-1</PmtInfId></Btch></NtryDtls></Ntry>
                <Ntry><Amt Ccy="EUR">900.00</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts><Cd>PDNG</Cd></Sts><BkTxCd/>
                  <NtryDtls><TxDtls><Refs><EndToEndId>{EndToEndId.Of(returned)}</EndToEndId></Refs></TxDtls></NtryDtls></Ntry>
                <Ntry><Amt Ccy="EUR">3.00</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BkTxCd/></Ntry>
              </Stmt></BkToCstmrStmt></Document>
            """;
        var report = await ReadXmlAsync(xml);
        Assert.Equal(
            [
                (paid, PayoutStatus.Paid, null, new Money(1_234, Currency.Eur)),
                (returned, PayoutStatus.Returned, "AC01", new Money(5_678, Currency.Eur)),
                (returned, PayoutStatus.InTransit, null, new Money(90_000, Currency.Eur)),
            ],
            report.Results.Select(r => (r.Payout!.Value, r.Said, r.Code, r.Amount!.Value)));
        Assert.Equal(new BankFileResult(file, PayoutStatus.Paid, null, null, new Money(90_000, Currency.Eur)), Assert.Single(report.Files));
        Assert.Equal((1, 0), (report.Foreign, report.Unmatched.Count));
        if (SchemaPath("camt.053.001.08.xsd") is { } schema)
        {
            Validate(schema, Encoding.UTF8.GetBytes(xml));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("hello")]
    [InlineData("<Document><Other/></Document>")]
    [InlineData("<Document><BkToCstmrStmt><Stmt><Ntry>")]
    [InlineData("<!DOCTYPE d [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><Document><BkToCstmrStmt>&x;</BkToCstmrStmt></Document>")]
    public async Task ReadAsync_NotAReport_IsRefused(string text) => await Assert.ThrowsAsync<BankFileException>(() => ReadXmlAsync(text));

    [Theory]
    [InlineData("Müller & Söhne GmbH", "Mueller + Soehne GmbH")]
    [InlineData("Café Łódź", "Cafe Lodz")]
    [InlineData("Ελλάδα ΑΕ", "Ellada AE")]
    [InlineData("ООО Ромашка", "OOO Romashka")]
    [InlineData("Straße 5_b", "Strasse 5-b")]
    [InlineData("株式会社", "....")]
    [InlineData("a//b///c/", "a/b/c")]
    [InlineData("  ", ".")]
    [InlineData("Jose\u0301", "Jose")]
    [InlineData("tab\tand\u00A0space", "tab and space")]
    public void Of_Text_IsWrittenInTheSepaSet(string text, string expected) => Assert.Equal(expected, SepaText.Of(text, 70));

    [Fact]
    public void Of_AnyText_IsAllowedShortAndStable()
    {
        Prop.ForAll(ArbMap.Default.ArbFor<NonNull<string>>(), text =>
        {
            var written = SepaText.Of(text.Get, 35);
            return SepaText.IsAllowed(written) && written.Length is >= 1 and <= 35 && !written.Contains("//", StringComparison.Ordinal) && SepaText.Of(written, 35) == written;
        }).QuickCheckThrowOnFailure();
    }

    private static PayoutId Id(int n) => new(Guid.ParseExact($"019800000000700080000000000000{n:00}", "N"));

    private static List<CreditTransfer> Transfers(Currency currency, int count) =>
        [.. Enumerable.Range(1, count).Select(i =>
        {
            BankAccountDetails? account;
            if (currency == Currency.Eur)
            {
                var bban = $"37040044{i:0000000000}";
                Assert.True(BankAccountDetails.TryCreateIban(Names[i % Names.Length], "DE" + Iban.CheckDigits("DE", bban) + bban, i % 2 == 0 ? "DEUTDEFF" : null, out account, out _));
            }
            else
            {
                var eight = $"0210{i % 10_000:0000}";
                Assert.True(BankAccountDetails.TryCreateUs(Names[i % Names.Length], eight + AbaRoutingNumber.CheckDigit(eight), $"{i:0000000}", (UsAccountType)(i % 2), out account, out _));
            }

            return new CreditTransfer(new PayoutId(Guid.CreateVersion7(Now.AddMilliseconds(i))), new Money(i * 1_001L, currency), account, i);
        })];

    private static BankFileHead Head(IReadOnlyList<CreditTransfer> transfers) =>
        new(Guid.ParseExact("0123456789abcdef0123456789abcdef", "N"), Now, new DateOnly(2026, 11, 23), transfers.Count, transfers.Aggregate(Money.Zero(transfers[0].Amount.Currency), (sum, t) => sum + t.Amount), 0);

    private static async Task<byte[]> Pain001Async(SepaOriginator originator, IReadOnlyList<CreditTransfer> transfers)
    {
        var output = new MemoryStream();
        await Pain001Writer.WriteAsync(output, Head(transfers), originator, StreamOf(transfers), default);
        return output.ToArray();
    }

    private static async Task<byte[]> NachaAsync(IReadOnlyList<CreditTransfer> transfers)
    {
        var output = new MemoryStream();
        await NachaWriter.WriteAsync(output, Head(transfers), Ach, StreamOf(transfers), default);
        return output.ToArray();
    }

    private static async IAsyncEnumerable<CreditTransfer> StreamOf(IEnumerable<CreditTransfer> transfers, [EnumeratorCancellation] CancellationToken ct = default)
    {
        foreach (var transfer in transfers)
        {
            await Task.Yield();
            yield return transfer;
        }
    }

    private static Task<BankReport> ReadXmlAsync(string xml) => BankReportReader.ReadAsync(new MemoryStream(Encoding.UTF8.GetBytes(xml)), Ours, default);

    private static void Validate(string schema, byte[] document)
    {
        var settings = new XmlReaderSettings { ValidationType = ValidationType.Schema };
        settings.Schemas.Add(null, schema);
        var problems = new List<string>();
        settings.ValidationEventHandler += (_, e) => problems.Add(e.Message);
        settings.ValidationFlags |= XmlSchemaValidationFlags.ReportValidationWarnings;
        using var reader = XmlReader.Create(new MemoryStream(document), settings);
        while (reader.Read())
        {
        }

        Assert.Empty(problems);
    }

    // The schemas are ISO's and not part of this repository; they lie beside it where they were fetched.
    private static string? SchemaPath(string file)
    {
        if (Environment.GetEnvironmentVariable("ISO20022_SCHEMAS") is { Length: > 0 } folder)
        {
            return Path.Combine(folder, file);
        }

        for (var directory = new DirectoryInfo(AppContext.BaseDirectory); directory is not null; directory = directory.Parent)
        {
            var path = Path.Combine(directory.FullName, "shared", "data", "iso20022", file);
            if (File.Exists(path))
            {
                return path;
            }
        }

        return null;
    }
}
