using System.Globalization;
using System.Text;
using System.Xml;
using System.Xml.Linq;
using Payments.Domain.Payouts;
using Payments.Domain.Payouts.BankFiles;
using Payments.Tests.Payouts;

namespace Payments.Domain.Tests.Payouts;

/// <summary>What ISO 20022 reports say, read in every way that banks write it, and refused where it does not add up.</summary>
public sealed class IsoReportTests
{
    private const string Account = BankFileDamage.Account;
    private static readonly string[] Ours = [Account];
    private static readonly PayoutId First = Id(1);
    private static readonly PayoutId Second = Id(2);
    private static readonly Guid File = Guid.ParseExact("0123456789abcdef0123456789abcdef", "N");

    /// <summary>Every combination of direction, reversal, reason of a return and booking status.</summary>
    [Fact]
    public async Task ReadAsync_DirectionAndReversal_DecideWhatAnEntrySays()
    {
        foreach (var credit in new[] { false, true })
        {
            foreach (var reversal in new[] { null, "false", "0", "true", "1" })
            {
                foreach (var returned in new[] { false, true })
                {
                    foreach (var status in new[] { "BOOK", "PDNG", "INFO", "FUTR", "WHAT" })
                    {
                        var isReversal = reversal is "true" or "1";
                        PayoutStatus? expected = status switch
                        {
                            "WHAT" => null,
                            "BOOK" when credit => PayoutStatus.Returned,
                            "BOOK" => isReversal || returned ? null : PayoutStatus.Paid,
                            _ => PayoutStatus.InTransit,
                        };
                        var report = await StatementAsync(Entry(First, "12.34", credit ? "CRDT" : "DBIT", (reversal is null ? "" : $"<RvslInd>{reversal}</RvslInd>"), returned, status));
                        var label = $"{credit} {reversal} {returned} {status}";
                        Assert.True(expected is { } said ? Assert.Single(report.Results).Said == said && report.Unmatched.Count == 0 : report.Results.Count == 0, label);
                        Assert.True(expected is not null || Assert.Single(report.Unmatched).Payout == First, label);
                    }
                }
            }
        }
    }

    /// <summary>A debit that is a reversal may undo a return of the same statement: then the return is not applied either, whatever the order.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ReadAsync_ReturnAndUnclearReversal_AppliesNeither(bool returnFirst)
    {
        var (back, away) = (Entry(First, "12.34", "CRDT", returned: true), Entry(First, "12.34", "DBIT", "<RvslInd>true</RvslInd>", returned: true));
        var report = await StatementAsync(Entry(First, "12.34", "DBIT") + (returnFirst ? back + away : away + back));
        Assert.Equal(PayoutStatus.Paid, Assert.Single(report.Results).Said);
        Assert.All(report.Unmatched, u => Assert.Equal((UnmatchedReason.ReversalUnclear, First), (u.Reason, u.Payout)));
        Assert.Equal(2, report.Unmatched.Count);
    }

    /// <summary>Likewise where the return is undone a day later in the same report, and where the money just leaves once more.</summary>
    [Fact]
    public async Task ReadAsync_ReturnAndSecondDebit_AppliesNoReturn()
    {
        var (away, back) = (Entry(First, "12.34", "DBIT"), Entry(First, "12.34", "CRDT", returned: true));
        var report = await StatementAsync(away + back + away);
        Assert.Equal(PayoutStatus.Paid, Assert.Single(report.Results).Said);
        Assert.Equal([UnmatchedReason.BookedTwice, UnmatchedReason.ReversalUnclear], report.Unmatched.Select(u => u.Reason));

        string Day(string entries) => $"<Stmt><Acct><Id><IBAN>{Account}</IBAN></Id></Acct>{entries}</Stmt>";
        report = await ReadAsync(Message("BkToCstmrStmt", Day(away + back) + Day(Entry(First, "12.34", "DBIT", "<RvslInd>true</RvslInd>"))));
        Assert.Equal(PayoutStatus.Paid, Assert.Single(report.Results).Said);
        Assert.All(report.Unmatched, u => Assert.Equal((UnmatchedReason.ReversalUnclear, First), (u.Reason, u.Payout)));

        // A second credit undoes nothing.
        report = await StatementAsync(away + back + back);
        Assert.Equal([PayoutStatus.Paid, PayoutStatus.Returned], report.Results.Select(r => r.Said));
    }

    /// <summary>Likewise of a batch, and of one payout of a batch.</summary>
    [Fact]
    public async Task ReadAsync_BatchReturnedAndUnclearReversal_AppliesNoReturn()
    {
        string Batch(string indicator, string extra = "") =>
            $"""<Ntry><Amt Ccy="EUR">12.34</Amt><CdtDbtInd>{indicator}</CdtDbtInd>{extra}<Sts>BOOK</Sts><NtryDtls><Btch><PmtInfId>{File:N}-1</PmtInfId></Btch></NtryDtls></Ntry>""";
        foreach (var away in new[] { Batch("DBIT", "<RvslInd>true</RvslInd>"), Batch("DBIT") })
        {
            var report = await StatementAsync(Batch("DBIT") + Batch("CRDT") + away);
            Assert.Equal(PayoutStatus.Paid, Assert.Single(report.Files).Said);
            Assert.Equal(2, report.Unmatched.Count(u => u.File == File));
        }

        var one = await StatementAsync(Batch("DBIT") + Batch("CRDT") + Entry(First, "12.34", "DBIT", "<RvslInd>true</RvslInd>"));
        Assert.Equal([First], one.Files.Single(f => f.Said == PayoutStatus.Returned).Except);
        Assert.Equal((UnmatchedReason.ReversalUnclear, First), Assert.Single(one.Unmatched) is var u ? (u.Reason, u.Payout) : default);
    }

    [Theory]
    [InlineData("""<Amt Ccy="EUR">12.34</Amt>""", 1234)]
    [InlineData("""<AmtDtls><TxAmt><Amt Ccy="EUR">12.34</Amt></TxAmt></AmtDtls>""", 1234)]
    [InlineData("""<AmtDtls><InstdAmt><Amt Ccy="EUR">12.34</Amt></InstdAmt></AmtDtls>""", 1234)]
    [InlineData("""<Amt Ccy=" EUR ">&#9;+12.3400&#10;</Amt>""", 1234)]
    [InlineData("""<AmtDtls><TxAmt><Amt Ccy="EUR">11.34</Amt></TxAmt></AmtDtls><Chrgs><Amt Ccy="EUR">1.00</Amt></Chrgs>""", 1134)]
    [InlineData("""<Amt Ccy="EUR">12.34</Amt><AmtDtls><TxAmt><Amt Ccy="EUR">11.34</Amt></TxAmt></AmtDtls><Chrgs><Rcrd><Amt Ccy="EUR">0.40</Amt></Rcrd><Rcrd><Amt Ccy="EUR">0.60</Amt></Rcrd></Chrgs>""", 1134)]
    [InlineData("", 1234)]
    [InlineData("""<AmtDtls><TxAmt><Amt Ccy="EUR">11.34</Amt></TxAmt></AmtDtls>""", null)]
    [InlineData("""<Amt Ccy="EUR">12.34</Amt><AmtDtls><TxAmt><Amt Ccy="EUR">11.34</Amt></TxAmt></AmtDtls>""", null)]
    [InlineData("""<Amt Ccy="EUR">50.00</Amt>""", null)]
    [InlineData("""<AmtDtls><InstdAmt><Amt Ccy="EUR">50.00</Amt></InstdAmt></AmtDtls>""", null)]
    [InlineData("""<AmtDtls><InstdAmt><Amt Ccy="EUR">11.34</Amt></InstdAmt></AmtDtls><Chrgs><Amt Ccy="EUR">1.00</Amt></Chrgs>""", 1134)]
    public async Task ReadAsync_AmountOfATransaction_IsFoundWhereTheBankWritesIt(string amounts, int? expected)
    {
        var report = await StatementAsync($"""
            <Ntry><Amt Ccy="EUR">12.34</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts>BOOK</Sts><NtryDtls><TxDtls><Refs><EndToEndId>
              {EndToEndId.Of(First)}</EndToEndId></Refs>{amounts}</TxDtls></NtryDtls></Ntry>
            """);
        Assert.Equal(expected, (int?)report.Results.SingleOrDefault()?.Amount!.Value.MinorUnits);
        Assert.Equal(expected is null ? [UnmatchedReason.DetailsDoNotAddUp] : [], report.Unmatched.Select(u => u.Reason));
    }

    [Theory]
    [InlineData(2, "10.00", "20.00", "30.00", true)]
    [InlineData(3, "10.00", "20.00", "30.00", false)]
    [InlineData(2, "10.00", "20.00", "30.01", false)]
    [InlineData(2, "10.00", "19.99", "30.00", false)]
    public async Task ReadAsync_PartsOfAnEntry_MustBeTheEntry(int count, string first, string second, string total, bool applies)
    {
        string Detail(PayoutId id, string amount) => $"""<TxDtls><Refs><EndToEndId>{EndToEndId.Of(id)}</EndToEndId></Refs><Amt Ccy="EUR">{amount}</Amt></TxDtls>""";
        var report = await StatementAsync($"""
            <Ntry><Amt Ccy="EUR">{total}</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><NtryDtls><Btch><NbOfTxs>{count}</NbOfTxs></Btch>{Detail(First, first)}{Detail(Second, second)}</NtryDtls></Ntry>
            """);
        Assert.Equal(applies ? 2 : 0, report.Results.Count);
        Assert.Equal(applies ? 0 : 2, report.Unmatched.Count(u => u.Reason == UnmatchedReason.DetailsDoNotAddUp));
    }

    /// <summary>Where a bank names the amount of one payout and not of the other, the one cannot be more than the entry.</summary>
    [Theory]
    [InlineData("10.00", 1)]
    [InlineData("30.00", 1)]
    [InlineData("30.01", 0)]
    public async Task ReadAsync_PartOfAnEntry_IsNotMoreThanTheEntry(string amount, int applied)
    {
        var report = await StatementAsync($"""
            <Ntry><Amt Ccy="EUR">30.00</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts>BOOK</Sts><NtryDtls>
              <TxDtls><Refs><EndToEndId>{EndToEndId.Of(First)}</EndToEndId></Refs><AmtDtls><TxAmt><Amt Ccy="EUR">{amount}</Amt></TxAmt></AmtDtls></TxDtls>
              <TxDtls><Refs><EndToEndId>{EndToEndId.Of(Second)}</EndToEndId></Refs></TxDtls></NtryDtls></Ntry>
            """);
        Assert.Equal(applied, report.Results.Count);
        Assert.Equal(2 - applied, report.Unmatched.Count);
    }

    [Theory]
    [InlineData("DBIT", "", PayoutStatus.Paid)]
    [InlineData("CRDT", "", PayoutStatus.Returned)]
    [InlineData("CRDT", "<RvslInd>true</RvslInd>", PayoutStatus.Returned)]
    [InlineData("DBIT", "<RvslInd>true</RvslInd>", null)]
    public async Task ReadAsync_BatchInOneSum_SpeaksOfTheFile(string indicator, string extra, PayoutStatus? expected)
    {
        foreach (var details in new[]
        {
            $"<Btch><PmtInfId>{File:N}-1</PmtInfId></Btch>", $"<Btch><MsgId>{File:N}</MsgId></Btch>",
            $"<TxDtls><Refs><MsgId>{File:N}</MsgId><EndToEndId>NOTPROVIDED</EndToEndId></Refs></TxDtls>", $"<TxDtls><Refs><PmtInfId>{File:N}-1</PmtInfId></Refs></TxDtls>",
        })
        {
            var report = await StatementAsync(
                $"""<Ntry><Amt Ccy="EUR">12.34</Amt><CdtDbtInd>{indicator}</CdtDbtInd>{extra}<Sts><Cd>BOOK</Cd></Sts><NtryDtls>{details}</NtryDtls></Ntry>""");
            Assert.Equal(expected, report.Files.SingleOrDefault()?.Said);
            Assert.Equal(expected is null ? [(UnmatchedReason.ReversalUnclear, (Guid?)File)] : [], report.Unmatched.Select(u => (u.Reason, u.File)));
        }
    }

    [Theory]
    [InlineData("OPBD 100.00, CLBD 87.66", true)]
    [InlineData("PRCD 100.00, CLBD 87.66", true)]
    [InlineData("OPBD -100.00, CLBD -112.34", true)]
    [InlineData("OPBD 5.00, CLBD -7.34", true)]
    [InlineData("OPBD 100.00", true)]
    [InlineData("CLBD 100.00", true)]
    [InlineData("OPBD 100.00, ITBD 1.00, CLAV 2.00, CLBD 87.66", true)]
    [InlineData("OPBD 100.00, CLBD 100.00", false)]
    [InlineData("PRCD 100.00, CLBD 112.34", false)]
    [InlineData("OPBD 100.00, CLBD 87.65", false)]
    [InlineData("OPBD -100.00, CLBD -87.66", false)]
    public async Task ReadAsync_Balances_MustAddUp(string balances, bool reads)
    {
        var written = string.Concat(balances.Split(", ").Select(b => b.Split(' ')).Select(b =>
            $"""<Bal><Tp><CdOrPrtry><Cd>{b[0]}</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">{b[1].TrimStart('-')}</Amt><CdtDbtInd>{(b[1][0] == '-' ? "DBIT" : "CRDT")}</CdtDbtInd></Bal>"""));

        // What is only announced moves nothing.
        var entries = Entry(First, "12.34", "DBIT") + Entry(Second, "50.00", "CRDT", status: "PDNG");
        await AssertReadsAsync(reads, written + entries);

        // A part of a longer statement has the balances of the part before and of the whole.
        await AssertReadsAsync(true, "<StmtPgntn><PgNb>2</PgNb><LastPgInd>true</LastPgInd></StmtPgntn>" + written + entries);
        await AssertReadsAsync(reads, "<StmtPgntn><PgNb>1</PgNb><LastPgInd>true</LastPgInd></StmtPgntn>" + written + entries);
    }

    [Theory]
    [InlineData("<TtlNtries><NbOfNtries>2</NbOfNtries><Sum>62.34</Sum></TtlNtries>", true)]
    [InlineData("<TtlNtries><NbOfNtries>1</NbOfNtries><Sum>12.34</Sum></TtlNtries>", true)]
    [InlineData("<TtlNtries><NbOfNtries>9</NbOfNtries></TtlNtries>", false)]
    [InlineData("<TtlNtries><Sum>9.99</Sum></TtlNtries>", false)]
    [InlineData("<TtlNtries><NbOfNtries>9</NbOfNtries><Sum>9.99</Sum></TtlNtries>", false)]
    [InlineData("<TtlNtries><TtlNetNtryAmt>12.34</TtlNetNtryAmt><CdtDbtInd>DBIT</CdtDbtInd></TtlNtries>", true)]
    [InlineData("<TtlNtries><TtlNetNtry><Amt>37.66</Amt><CdtDbtInd>CRDT</CdtDbtInd></TtlNetNtry></TtlNtries>", true)]
    [InlineData("<TtlNtries><TtlNetNtry><Amt>12.34</Amt><CdtDbtInd>CRDT</CdtDbtInd></TtlNetNtry></TtlNtries>", false)]
    [InlineData("<TtlCdtNtries><NbOfNtries>0</NbOfNtries><Sum>0</Sum></TtlCdtNtries><TtlDbtNtries><NbOfNtries>1</NbOfNtries><Sum>12.34</Sum></TtlDbtNtries>", true)]
    [InlineData("<TtlCdtNtries><NbOfNtries>2</NbOfNtries></TtlCdtNtries>", false)]
    [InlineData("<TtlDbtNtries><NbOfNtries>0</NbOfNtries></TtlDbtNtries>", false)]
    [InlineData("<TtlDbtNtries><Sum>12.35</Sum></TtlDbtNtries>", false)]
    public async Task ReadAsync_Summary_MustCountAndAddUp(string summary, bool reads) =>
        await AssertReadsAsync(reads, $"<TxsSummry>{summary}</TxsSummry>" + Entry(First, "12.34", "DBIT") + Entry(Second, "50.00", "CRDT", status: "PDNG"));

    [Theory]
    [InlineData("<Acct><Id><IBAN>DE89 3704 0044 0532 0130 00</IBAN></Id></Acct>", true)]
    [InlineData("<Acct><Id><Othr><Id>0532013000</Id></Othr></Id></Acct>", true)]
    [InlineData("<Acct><Id><IBAN>DE02120300000000202051</IBAN></Id></Acct>", false)]
    [InlineData("<Acct><Id><Othr><Id>532013000</Id></Othr></Id></Acct>", false)]
    [InlineData("<Acct><Id/></Acct>", false)]
    [InlineData("", false)]
    public async Task ReadAsync_Account_MustBeOurs(string account, bool reads)
    {
        var xml = Message("BkToCstmrStmt", $"<Stmt><Id>1</Id>{account}{Entry(First, "12.34", "DBIT")}</Stmt>");
        if (!reads)
        {
            await Assert.ThrowsAsync<BankFileException>(() => ReadAsync(xml));
        }
        else
        {
            Assert.Single((await BankReportReader.ReadAsync(Stream(xml), [Account, "0532013000"], default)).Results);
        }
    }

    [Fact]
    public async Task ReadAsync_StatementsOfSeveralAccounts_AppliesOurs()
    {
        var report = await ReadAsync(Message(
            "BkToCstmrStmt",
            $"<Stmt><Acct><Id><IBAN>{Account}</IBAN></Id></Acct>{Entry(First, "12.34", "DBIT")}</Stmt>"
            + $"<Stmt><Acct><Id><IBAN>DE02120300000000202051</IBAN></Id></Acct>{Entry(Second, "12.34", "DBIT")}</Stmt>"));
        Assert.Equal(First, Assert.Single(report.Results).Payout);
        Assert.Equal((UnmatchedReason.AccountNotOurs, Second), Assert.Single(report.Unmatched) is var u ? (u.Reason, u.Payout) : default);
    }

    [Theory]
    [InlineData("BkToCstmrStmt", "Stmt")]
    [InlineData("BkToCstmrAcctRpt", "Rpt")]
    [InlineData("BkToCstmrAcctRptV01", "Rpt")]
    [InlineData("BkToCstmrDbtCdtNtfctn", "Ntfctn")]
    public async Task ReadAsync_EachMessage_SaysTheSame(string message, string part)
    {
        var report = await ReadAsync(Message(message, $"<{part}><Acct><Id><IBAN>{Account}</IBAN></Id></Acct>{Entry(First, "12.34", "CRDT", returned: true)}</{part}>"));
        Assert.Equal((First, PayoutStatus.Returned, "AC04"), Assert.Single(report.Results) is var r ? (r.Payout!.Value, r.Said, r.Code!) : default);
    }

    [Fact]
    public async Task ReadAsync_PayoutBookedTwiceInOneStatement_IsAppliedOnce()
    {
        var report = await StatementAsync(Entry(First, "12.34", "DBIT") + Entry(First, "12.34", "DBIT"));
        Assert.Single(report.Results);
        Assert.Equal(UnmatchedReason.BookedTwice, Assert.Single(report.Unmatched).Reason);
    }

    [Fact]
    public async Task ReadAsync_ReferenceInTheText_IsUnmatched()
    {
        var report = await StatementAsync($"""
            <Ntry><Amt Ccy="EUR">12.34</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><NtryDtls><TxDtls><RmtInf><Ustrd>Return of {EndToEndId.Of(First)} closed</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>
            """);
        Assert.Empty(report.Results);
        Assert.Equal((UnmatchedReason.NamedElsewhere, First), Assert.Single(report.Unmatched) is var u ? (u.Reason, u.Payout) : default);
    }

    /// <summary>Whether it is a file of ours the database knows: others write such ids too.</summary>
    [Fact]
    public async Task ReadAsync_FileInTheText_IsNamedElsewhere()
    {
        string Batch(string before, string details) =>
            $"""<Ntry>{before}<Amt Ccy="EUR">12.34</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>BOOK</Sts><NtryDtls>{details}</NtryDtls><AddtlNtryInf>SEPA {File:N}-1</AddtlNtryInf></Ntry>""";
        Assert.Equal([File], (await StatementAsync(Batch("", "<Btch/>"))).NamedElsewhere);
        Assert.Equal([File], (await StatementAsync(Batch($"<NtryRef>{File:N}</NtryRef>", ""))).NamedElsewhere);
        Assert.Empty((await StatementAsync(Batch("", $"<Btch><MsgId>{File:N}</MsgId></Btch>"))).NamedElsewhere);
        Assert.Empty((await StatementAsync(Batch("", $"<TxDtls><Refs><EndToEndId>{EndToEndId.Of(First)}</EndToEndId></Refs></TxDtls>"))).NamedElsewhere);
        Assert.Empty((await ReadAsync(Message("CstmrPmtStsRpt", $"<OrgnlGrpInfAndSts><OrgnlMsgId>{File:N}</OrgnlMsgId><GrpSts>ACSP</GrpSts></OrgnlGrpInfAndSts>"))).NamedElsewhere);
    }

    [Theory]
    [InlineData("utf-8", "utf-8")]
    [InlineData("iso-8859-1", "iso-8859-1")]
    [InlineData("windows-1252", "windows-1252")]
    [InlineData("iso-8859-15", "iso-8859-15")]
    [InlineData("utf-16", "utf-16")]
    [InlineData("utf-16", "utf-8")]
    public async Task ReadAsync_DeclaredEncoding_IsTaken(string declared, string encoding)
    {
        Encoding.RegisterProvider(CodePagesEncodingProvider.Instance);
        var xml = $"""<?xml version="1.0" encoding="{declared}"?>""" + Message(
            "CstmrPmtStsRpt",
            $"<OrgnlPmtInfAndSts><TxInfAndSts><OrgnlEndToEndId>{EndToEndId.Of(First)}</OrgnlEndToEndId><TxSts>RJCT</TxSts><StsRsnInf><AddtlInf>Begünstigter unbekannt</AddtlInf></StsRsnInf></TxInfAndSts></OrgnlPmtInfAndSts>");
        var bytes = Encoding.GetEncoding(encoding) is var e && encoding == "utf-16" ? [.. e.GetPreamble(), .. e.GetBytes(xml)] : e.GetBytes(xml);
        var report = await BankReportReader.ReadAsync(new MemoryStream(bytes), Ours, default);
        Assert.Equal("Begünstigter unbekannt", Assert.Single(report.Results).Text);
        if (encoding == "utf-8")
        {
            byte[] transported = [.. "\uFEFF\r\n "u8, .. bytes, .. "\r\n\u001A\0\0"u8];
            Assert.Single((await BankReportReader.ReadAsync(new MemoryStream(transported), Ours, default)).Results);
        }
    }

    /// <summary>The status of the transaction counts, else that of its payment information, else that of the group; unnamed payouts have the latter two.</summary>
    [Fact]
    public async Task ReadAsync_StatusOfEachLevel_TheMostSpecificCounts()
    {
        string?[] levels = [null, "RJCT", "ACSC", "ACSP", "PART", "RVNM", "WHAT"];
        foreach (var (group, payment, transaction) in from g in levels from p in levels from t in levels select (g, p, t))
        {
            string Element(string name, string? status) => status is null ? "" : $"<{name}>{status}</{name}>";
            var report = await ReadAsync(Message(
                "CstmrPmtStsRpt",
                $"""
                <OrgnlGrpInfAndSts><OrgnlMsgId>{File:N}</OrgnlMsgId>{Element("GrpSts", group)}</OrgnlGrpInfAndSts>
                <OrgnlPmtInfAndSts><OrgnlPmtInfId>{File:N}-1</OrgnlPmtInfId>{Element("PmtInfSts", payment)}
                  <TxInfAndSts><OrgnlEndToEndId>{EndToEndId.Of(First)}</OrgnlEndToEndId>{Element("TxSts", transaction)}</TxInfAndSts></OrgnlPmtInfAndSts>
                """));
            var label = $"{group} {payment} {transaction}";
            Assert.True(Said(transaction ?? payment ?? group) == report.Results.SingleOrDefault()?.Said, label);
            Assert.True((report.Results.Count == 1) != report.Unmatched.Any(u => u.Payout == First), label);
            Assert.True(Said(payment ?? group) == report.Files.SingleOrDefault()?.Said, label);
            Assert.True((payment ?? group) != "WHAT" || report.Unmatched.Any(u => u.File == File && u.Payout is null), label);
            Assert.All(report.Files, f => Assert.Equal([First], f.Except));
            Assert.All(report.Results, r => Assert.Equal((transaction ?? payment ?? group) == "RVNM" ? ("RVNM", true) : (null, false), (r.Code, r.Held)));
        }

        static PayoutStatus? Said(string? status) => status switch
        {
            "RJCT" => PayoutStatus.Failed,
            "ACSC" => PayoutStatus.Paid,
            "ACSP" or "RVNM" => PayoutStatus.InTransit,
            _ => null,
        };
    }

    /// <summary>If the bank gives another message id, the group's status still applies to our payment information.</summary>
    [Theory]
    [InlineData("RJCT", PayoutStatus.Failed)]
    [InlineData("ACSC", PayoutStatus.Paid)]
    [InlineData("WHAT", null)]
    [InlineData(null, null)]
    public async Task ReadAsync_GroupWithoutOurMessage_DecidesOurPaymentInformation(string? status, PayoutStatus? said)
    {
        var report = await ReadAsync(Message(
            "CstmrPmtStsRpt",
            $"""
            <OrgnlGrpInfAndSts><OrgnlMsgId>NOTPROVIDED</OrgnlMsgId>{(status is null ? "" : $"<GrpSts>{status}</GrpSts><StsRsnInf><Rsn><Cd>AM04</Cd></Rsn></StsRsnInf>")}</OrgnlGrpInfAndSts>
            <OrgnlPmtInfAndSts><OrgnlPmtInfId>{File:N}-1</OrgnlPmtInfId></OrgnlPmtInfAndSts>
            """));
        Assert.Equal(said, report.Files.SingleOrDefault()?.Said);
        Assert.Equal(said is null ? [File] : [], report.Unmatched.Select(u => u.File));
        Assert.All(report.Files, f => Assert.Equal((File, "AM04"), (f.File, f.Code)));
    }

    /// <summary>Which of two statuses holds for the payouts that are not named, nobody can tell.</summary>
    [Theory]
    [InlineData("RJCT", "ACSC", null)]
    [InlineData("ACSC", "PART", null)]
    [InlineData("ACTC", "ACSP", PayoutStatus.InTransit)]
    public async Task ReadAsync_PaymentInformationTwice_DecidesWhereBothSayTheSame(string first, string second, PayoutStatus? said)
    {
        string Part(string status, PayoutId payout) => $"""
            <OrgnlPmtInfAndSts><OrgnlPmtInfId>{File:N}-1</OrgnlPmtInfId><PmtInfSts>{status}</PmtInfSts>
              <TxInfAndSts><OrgnlEndToEndId>{EndToEndId.Of(payout)}</OrgnlEndToEndId><TxSts>ACSP</TxSts></TxInfAndSts></OrgnlPmtInfAndSts>
            """;
        var report = await ReadAsync(Message("CstmrPmtStsRpt", Part(first, First) + Part(second, Second)));
        Assert.Equal(2, report.Results.Count);
        Assert.Equal(said, report.Files.SingleOrDefault()?.Said);
        Assert.Equal(said is null ? [File] : [], report.Unmatched.Select(u => u.File));
    }

    /// <summary>Payments that are counted as refused or held and are not named: nobody can tell which of the file they are.</summary>
    [Theory]
    [InlineData("PART", "RJCT", 2, true)]
    [InlineData("PART", "RVNM", 1, true)]
    [InlineData("ACSP", "RJCT", 2, true)]
    [InlineData("PART", "RJCT", 1, false)]
    [InlineData("PART", "ACSC", 7, false)]
    [InlineData("RJCT", "RJCT", 8, false)]
    public async Task ReadAsync_CountedAndNotNamed_IsUnmatched(string status, string counted, int count, bool unmatched)
    {
        var counts = $"<NbOfTxsPerSts><DtldNbOfTxs>{count}</DtldNbOfTxs><DtldSts>{counted}</DtldSts></NbOfTxsPerSts>";
        var transaction = $"<TxInfAndSts><OrgnlEndToEndId>{EndToEndId.Of(First)}</OrgnlEndToEndId><TxSts>RJCT</TxSts></TxInfAndSts>";
        foreach (var content in new[]
        {
            $"<OrgnlPmtInfAndSts><OrgnlPmtInfId>{File:N}-1</OrgnlPmtInfId><PmtInfSts>{status}</PmtInfSts>{counts}{transaction}</OrgnlPmtInfAndSts>",
            $"<OrgnlGrpInfAndSts><OrgnlMsgId>{File:N}</OrgnlMsgId><GrpSts>{status}</GrpSts>{counts}</OrgnlGrpInfAndSts><OrgnlPmtInfAndSts><OrgnlPmtInfId>{File:N}-1</OrgnlPmtInfId>{transaction}</OrgnlPmtInfAndSts>",
        })
        {
            var report = await ReadAsync(Message("CstmrPmtStsRpt", content));
            Assert.Equal(PayoutStatus.Failed, Assert.Single(report.Results).Said);
            Assert.Equal(unmatched ? [(File, counted)] : [], report.Unmatched.Select(u => (u.File!.Value, u.Code!)));
        }
    }

    /// <summary>Some banks write what they add before the reason, in an element of its own.</summary>
    [Fact]
    public async Task ReadAsync_SeveralReasons_TheFirstCodeCounts()
    {
        var report = await ReadAsync(Message(
            "CstmrPmtStsRpt",
            $"""
            <OrgnlPmtInfAndSts><TxInfAndSts><OrgnlEndToEndId>{EndToEndId.Of(First)}</OrgnlEndToEndId><TxSts>RJCT</TxSts>
              <StsRsnInf><Orgtr/><AddtlInf>Rejected.</AddtlInf></StsRsnInf><StsRsnInf><Rsn><Cd>AC04</Cd></Rsn><AddtlInf>Closed.</AddtlInf></StsRsnInf></TxInfAndSts></OrgnlPmtInfAndSts>
            """));
        Assert.Equal(("AC04", "Rejected. Closed."), Assert.Single(report.Results) is var r ? (r.Code!, r.Text!) : default);
    }

    [Theory]
    [InlineData("RVCM")]
    [InlineData("RVNM")]
    [InlineData("RVMC")]
    [InlineData("RVNA")]
    [InlineData("RVNC")]
    [InlineData("ACFW")]
    [InlineData("PATC")]
    [InlineData("BLCK")]
    public async Task ReadAsync_BankWaits_IsAHoldWithAReason(string status)
    {
        var report = await ReadAsync(Message(
            "CstmrPmtStsRpt",
            $"""
            <OrgnlGrpInfAndSts><OrgnlMsgId>{File:N}</OrgnlMsgId><GrpSts>{status}</GrpSts></OrgnlGrpInfAndSts>
            <OrgnlPmtInfAndSts><OrgnlPmtInfId>{File:N}-1</OrgnlPmtInfId><TxInfAndSts><OrgnlEndToEndId>{EndToEndId.Of(First)}</OrgnlEndToEndId><TxSts>{status}</TxSts>
              <StsRsnInf><AddtlInf>Muster</AddtlInf><AddtlInf>GmbH</AddtlInf></StsRsnInf></TxInfAndSts></OrgnlPmtInfAndSts>
            """));
        Assert.Equal((PayoutStatus.InTransit, status, "Muster GmbH", true), Assert.Single(report.Results) is var r ? (r.Said, r.Code, r.Text, r.Held) : default);
        Assert.True(Assert.Single(report.Files) is { Said: PayoutStatus.InTransit, Held: true, Text.Length: > 0 } f && f.Code == status);
    }

    [Fact]
    public async Task ReadAsync_MoreTransactionsThanCounted_IsRefused()
    {
        string Report(int count) => Message(
            "CstmrPmtStsRpt",
            $"""
            <OrgnlPmtInfAndSts><OrgnlPmtInfId>{File:N}-1</OrgnlPmtInfId><NbOfTxsPerSts><DtldNbOfTxs>{count}</DtldNbOfTxs><DtldSts>RJCT</DtldSts></NbOfTxsPerSts>
              <TxInfAndSts><OrgnlEndToEndId>{EndToEndId.Of(First)}</OrgnlEndToEndId><TxSts>RJCT</TxSts></TxInfAndSts></OrgnlPmtInfAndSts>
            """);
        Assert.Single((await ReadAsync(Report(1))).Results);
        await Assert.ThrowsAsync<BankFileException>(() => ReadAsync(Report(0)));
    }

    /// <summary>Deliberate damage: whatever comes of a file, it is refused as a whole, or every payout that it names ends as a result or as unmatched.</summary>
    [Theory]
    [InlineData("pain.002")]
    [InlineData("camt.052")]
    [InlineData("camt.053")]
    [InlineData("camt.054")]
    public async Task ReadAsync_Damaged_IsRefusedOrLosesNoPayout(string format)
    {
        var payouts = Enumerable.Range(1, 6).Select(i => (Id(i), 1_000L + (101 * i))).ToList();
        var text = BankFileDamage.File(format, payouts, File);
        Assert.Equal(6, Names(await ReadAsync(text)).Count);
        var (read, refused) = (0, 0);
        for (var seed = 0; seed < 2_000; seed++)
        {
            var bytes = BankFileDamage.Mutate(text, seed);
            BankReport report;
            try
            {
                report = await BankReportReader.ReadAsync(new MemoryStream(bytes), Ours, default);
                read++;
            }
            catch (BankFileException)
            {
                refused++;
                continue;
            }

            var missing = payouts.Select(p => p.Item1).Where(id => Texts(bytes).Any(t => t.Contains(EndToEndId.Of(id), StringComparison.OrdinalIgnoreCase))).Except(Names(report)).ToList();
            Assert.True(missing.Count == 0, $"{format}, seed {seed}: {string.Join(", ", missing)} is lost.");

            // In one report a payout is paid once and given back once at most, whatever was repeated in it.
            Assert.All(
                report.Results.Where(r => format != "pain.002" && r.Said is PayoutStatus.Paid or PayoutStatus.Returned).GroupBy(r => (r.Payout, r.Said)),
                g => Assert.True(g.Count() == 1 || report.Results.Count > 6, $"{format}, seed {seed}"));
        }

        Assert.True(read > 200 && refused > 200, $"{read} read, {refused} refused");
    }

    /// <summary>
    /// Samples of others, where a folder of them is named: each is read, or refused with a reason. They are no part of this repository.
    /// </summary>
    [Fact]
    public async Task ReadAsync_SamplesOfOthers_AreReadOrRefusedWithAReason()
    {
        var folder = Environment.GetEnvironmentVariable("BANK_FILE_SAMPLES");
        Assert.SkipWhen(folder is null, "BANK_FILE_SAMPLES names no folder.");
        var (read, refused) = (0, 0);
        foreach (var path in Directory.EnumerateFiles(folder!, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            var bytes = await System.IO.File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);
            try
            {
                var report = await BankReportReader.ReadAsync(new MemoryStream(bytes), AccountsOf(bytes), default);
                read++;
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"read: {Path.GetFileName(path)}: {report.Results.Count} results, {report.Files.Count} files, {report.Unmatched.Count} unmatched, {report.Foreign} foreign"));
            }
            catch (BankFileException e)
            {
                refused++;
                Console.WriteLine($"refused: {Path.GetFileName(path)}: {e.Message}");
            }
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{read} read, {refused} refused"));
    }

    private static List<string> AccountsOf(byte[] bytes)
    {
        try
        {
            return [.. XDocument.Load(new MemoryStream(bytes)).Descendants().Where(e => e.Name.LocalName == "Acct").SelectMany(e => e.Descendants()).Where(e => !e.HasElements).Select(e => e.Value)];
        }
        catch (XmlException)
        {
            return [];
        }
    }

    private static IEnumerable<string> Texts(byte[] bytes)
    {
        try
        {
            var document = XDocument.Load(new MemoryStream(bytes));
            return [.. document.DescendantNodes().OfType<XText>().Select(t => t.Value), .. document.Descendants().Attributes().Select(a => a.Value)];
        }
        catch (XmlException)
        {
            // Transports' marks, which an XML reader refuses.
            return [];
        }
    }

    private static HashSet<PayoutId> Names(BankReport report) =>
        [.. report.Results.Select(r => r.Payout!.Value), .. report.Unmatched.Where(u => u.Payout is not null).Select(u => u.Payout!.Value)];

    private static async Task AssertReadsAsync(bool reads, string content)
    {
        if (reads)
        {
            Assert.NotEmpty((await StatementAsync(content)).Results);
        }
        else
        {
            await Assert.ThrowsAsync<BankFileException>(() => StatementAsync(content));
        }
    }

    private static string Entry(PayoutId payout, string amount, string indicator, string extra = "", bool returned = false, string status = "BOOK") => $"""
        <Ntry><Amt Ccy="EUR">{amount}</Amt><CdtDbtInd> {indicator}
          </CdtDbtInd>{extra}<Sts><Cd>{status}</Cd></Sts><BkTxCd/>
          <NtryDtls><TxDtls><Refs><EndToEndId>{EndToEndId.Of(payout)}</EndToEndId></Refs>{(returned ? "<RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf>" : "")}</TxDtls></NtryDtls></Ntry>
        """;

    private static Task<BankReport> StatementAsync(string content) =>
        ReadAsync(Message("BkToCstmrStmt", $"<Stmt><Id>1</Id><Acct><Id><IBAN>{Account}</IBAN></Id></Acct>{content}</Stmt>"));

    private static string Message(string name, string content) => $"<Document><{name}><GrpHdr><MsgId>M</MsgId></GrpHdr>{content}</{name}></Document>";

    private static Task<BankReport> ReadAsync(string xml) => BankReportReader.ReadAsync(Stream(xml), Ours, default);

    private static MemoryStream Stream(string xml) => new(Encoding.UTF8.GetBytes(xml));

    private static PayoutId Id(int n) => new(Guid.ParseExact($"019800000000700080000000000000{n:00}", "N"));
}
