using System.Globalization;
using System.Text;
using Dapper;
using Payments.Domain;
using Payments.Domain.Audit;
using Payments.Domain.Idempotency;
using Payments.Domain.Ledger;
using Payments.Domain.Payouts;
using Payments.Domain.Payouts.BankFiles;
using Payments.Tests.Payouts;

namespace Payments.Postgres.Tests.Payouts;

/// <summary>What banks' files do to payouts: applied once, or kept for a person, never lost and never twice.</summary>
public sealed class BankReportTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    private static int _days = 2_000;

    /// <summary>Files as banks wrote them, with our references and amounts put in: what becomes of the payouts, and how many items a person sees.</summary>
    [Theory]
    [InlineData("01-batch-amounts.xml", "96.80", "paid,in_transit", "amount_differs")]
    [InlineData("02-charge-in-entry.xml", "98.74", "paid", "")]
    [InlineData("03-a-debit-reversal-only.xml", "99.71", "in_transit", "reversal_unclear")]
    [InlineData("03-b-debit-then-debit-reversal.xml", "100.68", "paid", "reversal_unclear")]
    [InlineData("03-c-debit-then-credit-reversal.xml", "101.65", "returned", "")]
    [InlineData("03-d-return-then-reversal-of-the-return.xml", "102.63", "paid", "reversal_unclear,reversal_unclear")]
    [InlineData("05-whitespace-amount.xml", "104.57", "paid", "")]
    [InlineData("07-camt054.xml", "105.54", "returned", "")]
    [InlineData("23-payment-information-rejected.xml", "", "failed,failed,failed", "")]
    [InlineData("23-whole-file-rejected-one-named.xml", "", "failed,failed,failed", "")]
    public async Task ApplyAsync_FileOfABank_DoesWhatItSays(string name, string amount, string expected, string unmatched)
    {
        using var world = World();
        var statuses = expected.Split(',');
        var (file, payouts) = await RunAsync(world, statuses.Length);
        var text = await File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "Payouts", "BankReports", name), TestContext.Current.CancellationToken);
        var references = System.Text.RegularExpressions.Regex.Matches(text, "PO[0-9a-f]{32}").Select(m => m.Value).Distinct().ToList();
        for (var i = 0; i < references.Count; i++)
        {
            text = text.Replace(references[i], EndToEndId.Of(payouts[i].Id), StringComparison.Ordinal);
        }

        if (amount.Length > 0)
        {
            text = text.Replace(amount, Decimal(payouts[0]), StringComparison.Ordinal)
                .Replace("146.80", Decimal(payouts[0].Amount.MinorUnits + 5_000), StringComparison.Ordinal)
                .Replace("99.24", Decimal(payouts[0].Amount.MinorUnits + 50), StringComparison.Ordinal);
        }

        text = text.Replace("01a22c65d25b745caa3c65860275b97e", $"{file.Id:N}", StringComparison.Ordinal).Replace(">8<", $">{statuses.Length}<", StringComparison.Ordinal);
        var summary = await ApplyAsync(world, text);
        Assert.Equal(expected, await StatusesAsync(world, payouts));
        var items = await ItemsAsync(world, text);
        Assert.Equal(unmatched, string.Join(',', items.Select(i => i.Reason)));
        Assert.Equal(items.Count, summary.Unmatched);
        Assert.All(items, i => Assert.True(payouts.Any(p => p.Id.ToString() == i.Payout && p.Merchant.ToString() == i.Merchant), i.Payout));

        // The same bytes again, and the same words in another file, change nothing more.
        var balances = await BalancesAsync(world, payouts);
        Assert.True((await ApplyAsync(world, text)).Repeated);
        Assert.Equal(0, (await ApplyAsync(world, text + "\n")).Applied);
        Assert.Equal(expected, await StatusesAsync(world, payouts));
        Assert.Equal(balances, await BalancesAsync(world, payouts));
        await world.AssertSoundAsync();
    }

    /// <summary>A batch that the bank takes back: each payout of it is given back once, unless the sum is another.</summary>
    [Fact]
    public async Task ApplyAsync_BatchTakenBack_ReturnsEachPayoutOnce()
    {
        using var world = World();
        var (file, payouts) = await RunAsync(world, 3);
        Assert.Equal((3, 3, 0), await BatchAsync(world, file, file.Amount, "DBIT"));
        Assert.Equal((0, 0, 1), await BatchAsync(world, file, file.Amount - 1, "CRDT"));
        Assert.Equal((0, 0, 1), await BatchAsync(world, file, file.Amount, "DBIT", "<RvslInd>true</RvslInd>"));
        Assert.Equal("paid,paid,paid", await StatusesAsync(world, payouts));
        Assert.Equal((3, 3, 0), await BatchAsync(world, file, file.Amount, "CRDT", "<RvslInd>true</RvslInd>"));
        Assert.Equal((3, 0, 0), await BatchAsync(world, file, file.Amount, "CRDT"));
        Assert.Equal("returned,returned,returned", await StatusesAsync(world, payouts));
        Assert.Equal(payouts.Select(p => p.Amount.MinorUnits), await BalancesAsync(world, payouts));
        await world.AssertSoundAsync();
    }

    /// <summary>What the bank had rejected is not in the sum that it books: the rest is paid, and the rejected is not.</summary>
    /// <summary>A batch that is named in the text alone is for a person; an id of the same form that somebody else wrote is not.</summary>
    [Fact]
    public async Task ApplyAsync_BatchNamedElsewhere_IsUnmatched()
    {
        using var world = World();
        var (file, payouts) = await RunAsync(world, 2);
        string Text(Guid named) => Statement($"""
            <Ntry><Amt Ccy="EUR">{Decimal(file.Amount)}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>BOOK</Sts><AddtlNtryInf>BATCH {named:N}</AddtlNtryInf></Ntry>
            """);
        Assert.Equal(0, (await ApplyAsync(world, Text(Guid.CreateVersion7(world.Clock.Now)))).Unmatched);
        var ours = Text(file.Id);
        Assert.Equal(1, (await ApplyAsync(world, ours)).Unmatched);
        Assert.Equal("named_elsewhere", Assert.Single(await ItemsAsync(world, ours)).Reason);
        Assert.Equal("in_transit,in_transit", await StatusesAsync(world, payouts));
    }

    [Fact]
    public async Task ApplyAsync_BatchWithoutWhatWasRejected_PaysTheRest()
    {
        using var world = World();
        var (file, payouts) = await RunAsync(world, 3);
        await ApplyAsync(world, Status($"<TxInfAndSts><OrgnlEndToEndId>{EndToEndId.Of(payouts[1].Id)}</OrgnlEndToEndId><TxSts>RJCT</TxSts></TxInfAndSts>"));
        Assert.Equal((0, 0, 1), await BatchAsync(world, file, file.Amount, "DBIT"));
        Assert.Equal((2, 2, 0), await BatchAsync(world, file, file.Amount - payouts[1].Amount.MinorUnits, "DBIT"));
        Assert.Equal("paid,failed,paid", await StatusesAsync(world, payouts));
        await world.AssertSoundAsync();
    }

    /// <summary>The bank says of a whole file that it paid, and one of its payouts was given back before: a person sees that one.</summary>
    [Fact]
    public async Task ApplyAsync_FileThatIsPaidWithWhatWasGivenBack_IsUnmatchedForThatPayout()
    {
        using var world = World();
        var (file, payouts) = await RunAsync(world, 3);
        await ApplyAsync(world, Status($"<TxInfAndSts><OrgnlEndToEndId>{EndToEndId.Of(payouts[1].Id)}</OrgnlEndToEndId><TxSts>RJCT</TxSts></TxInfAndSts>"));
        var text = $"""
            <Document><CstmrPmtStsRpt><GrpHdr><MsgId>M</MsgId></GrpHdr>
            <OrgnlGrpInfAndSts><OrgnlMsgId>{file.Id:N}</OrgnlMsgId><GrpSts>ACSC</GrpSts></OrgnlGrpInfAndSts></CstmrPmtStsRpt></Document>
            """;
        Assert.Equal((2, 1), await ApplyAsync(world, text) is var s ? (s.Applied, s.Unmatched) : default);
        var item = Assert.Single(await ItemsAsync(world, text));
        Assert.Equal(("status_contradicts", payouts[1].Id.ToString()), (item.Reason, item.Payout));
        Assert.Equal("paid,failed,paid", await StatusesAsync(world, payouts));
        await world.AssertSoundAsync();
    }

    [Fact]
    public async Task ApplyAsync_EntryWithoutAmounts_IsCheckedByItsSum()
    {
        using var world = World();
        var (_, payouts) = await RunAsync(world, 2);
        string Entry(long total) => Statement(
            $"""<Ntry><Amt Ccy="EUR">{Decimal(total)}</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><NtryDtls>{string.Concat(payouts.Select(p => $"<TxDtls><Refs><EndToEndId>{EndToEndId.Of(p.Id)}</EndToEndId></Refs></TxDtls>"))}</NtryDtls></Ntry>""");
        var total = payouts.Sum(p => p.Amount.MinorUnits);
        Assert.Equal(2, (await ApplyAsync(world, Entry(total + 1))).Unmatched);
        Assert.Equal("in_transit,in_transit", await StatusesAsync(world, payouts));
        Assert.Equal((2, 0), await ApplyAsync(world, Entry(total)) is var s ? (s.Applied, s.Unmatched) : default);
    }

    /// <summary>A return less the bank's charge is the return of the whole payout, if the bank names the charge.</summary>
    [Fact]
    public async Task ApplyAsync_ReturnLessACharge_GivesTheWholePayoutBack()
    {
        using var world = World();
        var (_, payouts) = await RunAsync(world, 2);
        string Entry(Payout payout, string charge) => Statement($"""
            <Ntry><Amt Ccy="EUR">{Decimal(payout.Amount.MinorUnits - 250)}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><NtryDtls><TxDtls>
              <Refs><EndToEndId>{EndToEndId.Of(payout.Id)}</EndToEndId></Refs>{charge}</TxDtls></NtryDtls></Ntry>
            """);
        Assert.Equal(1, (await ApplyAsync(world, Entry(payouts[0], "<Chrgs><Rcrd><Amt Ccy=\"EUR\">2.50</Amt></Rcrd></Chrgs>"))).Applied);
        Assert.Equal(1, (await ApplyAsync(world, Entry(payouts[1], ""))).Unmatched);
        Assert.Equal("returned,in_transit", await StatusesAsync(world, payouts));
        Assert.Equal(payouts[0].Amount.MinorUnits, (await BalancesAsync(world, payouts))[0]);
    }

    /// <summary>The bank moved money that was given back already: that is never old news. Given back in the same statement, it is.</summary>
    [Fact]
    public async Task ApplyAsync_PaidAfterRejected_IsUnmatched()
    {
        using var world = World();
        var (_, payouts) = await RunAsync(world, 2);
        foreach (var payout in payouts)
        {
            await ApplyAsync(world, Status($"<TxInfAndSts><OrgnlEndToEndId>{EndToEndId.Of(payout.Id)}</OrgnlEndToEndId><TxSts>RJCT</TxSts></TxInfAndSts>"));
        }

        var text = Statement(Entry(payouts[0], "DBIT"));
        Assert.Equal((0, 1), await ApplyAsync(world, text) is var s ? (s.Applied, s.Unmatched) : default);
        Assert.Equal("status_contradicts", Assert.Single(await ItemsAsync(world, text)).Reason);
        Assert.Equal((0, 0), await ApplyAsync(world, Statement(Entry(payouts[1], "DBIT") + Entry(payouts[1], "CRDT"))) is var t ? (t.Applied, t.Unmatched) : default);
        Assert.Equal("failed,failed", await StatusesAsync(world, payouts));
    }

    /// <summary>Verification of payee holds a payout with a reason, for its merchant and for a person, until the bank goes on.</summary>
    [Fact]
    public async Task ApplyAsync_VerificationOfPayee_HoldsWithAReasonUntilTheBankGoesOn()
    {
        using var world = World();
        var (file, payouts) = await RunAsync(world, 3);
        string Group(string group, string payment = "", string id = "M") => $"""
            <Document><CstmrPmtStsRpt><GrpHdr><MsgId>{id}</MsgId></GrpHdr><OrgnlGrpInfAndSts><OrgnlMsgId>{file.Id:N}</OrgnlMsgId><GrpSts>{group}</GrpSts></OrgnlGrpInfAndSts>
            <OrgnlPmtInfAndSts><OrgnlPmtInfId>{file.Id:N}-1</OrgnlPmtInfId>{payment}</OrgnlPmtInfAndSts></CstmrPmtStsRpt></Document>
            """;
        var text = Group("RVCM", $"<TxInfAndSts><OrgnlEndToEndId>{EndToEndId.Of(payouts[0].Id)}</OrgnlEndToEndId><TxSts>RVNM</TxSts><StsRsnInf><AddtlInf>Other GmbH</AddtlInf></StsRsnInf></TxInfAndSts>");
        var summary = await ApplyAsync(world, text);
        Assert.Equal((3, 3, 2), (summary.Results, summary.Applied, summary.Unmatched));
        var held = await Task.WhenAll(payouts.Select(p => world.Reads.GetAsync(p.Merchant, p.Id, default)));
        Assert.Equal(["RVNM", "RVCM", "RVCM"], held.Select(p => p!.HoldCode));
        Assert.Equal("Other GmbH", held[0]!.HoldMessage);
        Assert.All(held, p => Assert.Equal((PayoutStatus.InTransit, null), (p!.Status, p.FailureCode)));
        var items = await ItemsAsync(world, text);
        Assert.All(items, i => Assert.Equal("held_by_bank", i.Reason));
        Assert.Equal([(payouts[0].Id.ToString(), null), (null, file.Name)], items.Select(i => (i.Payout, i.PayoutFile)));
        Assert.Equal(["payout.created", "payout.held"], await EventsAsync(world, payouts[0].Merchant, payouts[0].Id.Value));

        // Said again in another report it is no news; the bank goes on, and what waited for somebody is over.
        Assert.Equal((0, 0), await ApplyAsync(world, text + "\n") is var again ? (again.Applied, again.Unmatched) : default);
        Assert.Equal((3, 0), await ApplyAsync(world, Group("ACSP", id: "N")) is var on ? (on.Applied, on.Unmatched) : default);
        Assert.All(await Task.WhenAll(payouts.Select(p => world.Reads.GetAsync(p.Merchant, p.Id, default))), p => Assert.Null(p!.HoldCode));
        Assert.Empty(await ItemsAsync(world, text));
        await world.AssertSoundAsync();
    }

    /// <summary>A process that dies between the hold and its item: the report comes again and a person sees the hold, once, until it is over.</summary>
    [Fact]
    public async Task ApplyAsync_HoldWithoutItsItem_IsKeptByTheNextReportThatSaysSo()
    {
        using var world = World();
        var (file, payouts) = await RunAsync(world, 3);
        foreach (var payout in payouts)
        {
            await HoldAsync(payout, payout == payouts[0] ? "RVNM" : "RVCM");
        }

        var text = $"""
            <Document><CstmrPmtStsRpt><GrpHdr><MsgId>M</MsgId></GrpHdr><OrgnlGrpInfAndSts><OrgnlMsgId>{file.Id:N}</OrgnlMsgId><GrpSts>RVCM</GrpSts></OrgnlGrpInfAndSts>
            <OrgnlPmtInfAndSts><OrgnlPmtInfId>{file.Id:N}-1</OrgnlPmtInfId>{Named("RVNM")}{Named("RVNM")}</OrgnlPmtInfAndSts></CstmrPmtStsRpt></Document>
            """;
        Assert.Equal((0, 2), await ApplyAsync(world, text) is var s ? (s.Applied, s.Unmatched) : default);
        Assert.Equal([(payouts[0].Id.ToString(), null), (null, file.Name)], (await ItemsAsync(world, text)).Select(i => (i.Payout, i.PayoutFile)));
        Assert.Equal(["payout.created", "payout.held"], await EventsAsync(world, payouts[0].Merchant, payouts[0].Id.Value));

        // Acknowledged, it is not raised again by what repeats it; a hold after the bank went on is a new one.
        Assert.True(PrefixedId.TryParse<UnmatchedBankItemId>((await ItemsAsync(world, text))[0].Id, out var id));
        Assert.True(IdempotencyKey.Read($"hold-{id}").TryGet(out var key, out _));
        await world.Unmatched.AcknowledgeAsync(
            new IdempotentRequest(MerchantId.Platform, key, new byte[32]), id, new AcknowledgeBankItemRequest("The name is right."), new Actor("test", null), default);
        Assert.Equal(0, (await ApplyAsync(world, text + "\n")).Unmatched);
        world.Clock.Now += TimeSpan.FromHours(1);
        Assert.Equal(0, (await ApplyAsync(world, Status(Named("ACSP")))).Unmatched);
        world.Clock.Now += TimeSpan.FromHours(1);
        Assert.Equal(1, (await ApplyAsync(world, Status(Named("RVNM")))).Unmatched);

        // Over before its report could keep it, it needs nobody.
        await HoldAsync(payouts[1], "RVNA");
        var late = Statement(Entry(payouts[1], "DBIT"));
        Assert.Equal((1, 0), await ApplyAsync(world, late) is var l ? (l.Applied, l.Unmatched) : default);
        await world.AssertSoundAsync();

        string Named(string status) => $"<TxInfAndSts><OrgnlEndToEndId>{EndToEndId.Of(payouts[0].Id)}</OrgnlEndToEndId><TxSts>{status}</TxSts></TxInfAndSts>";

        async Task HoldAsync(Payout payout, string code)
        {
            await using var connection = await database.App.OpenConnectionAsync(TestContext.Current.CancellationToken);
            await using var transaction = await connection.BeginTransactionAsync(TestContext.Current.CancellationToken);
            var word = new PayoutWord(payout.Merchant, payout.Id, PayoutStatus.InTransit, code) { Held = true };
            Assert.Equal([PayoutWordEffect.Held], await world.Results.ApplyAsync(connection, transaction, [word], world.Clock.Now, default));
            await transaction.CommitAsync(TestContext.Current.CancellationToken);
        }
    }

    /// <summary>A rejected file is kept with its reason, once however often it comes, and is over when the same file is applied after all.</summary>
    [Fact]
    public async Task ApplyAsync_RejectedFile_IsKeptUntilItIsApplied()
    {
        using var world = World();
        var (_, payouts) = await RunAsync(world, 1);
        var text = Statement(Entry(payouts[0], "DBIT"), "DE02120300000000202051");
        for (var i = 0; i < 2; i++)
        {
            await Assert.ThrowsAsync<BankFileException>(() => ApplyAsync(world, text));
        }

        var item = Assert.Single(await ItemsAsync(world, text));
        Assert.Equal(("file_rejected", "test", 2), (item.Reason, item.Reference, item.Times));
        Assert.Equal("in_transit", await StatusesAsync(world, payouts));
        Assert.True(PrefixedId.TryParse<UnmatchedBankItemId>(item.Id, out var id));
        Assert.Equal(["unmatched_bank_item.created"], await EventsAsync(world, MerchantId.Platform, id.Value));

        world.Options.StatementAccounts.Add("DE02 1203 0000 0000 2020 51");
        Assert.Equal(1, (await ApplyAsync(world, text)).Applied);
        Assert.Empty(await ItemsAsync(world, text));
        Assert.Equal("bank_report", (await world.Unmatched.GetAsync(id, default))!.AcknowledgedBy);
    }

    [Fact]
    public async Task AcknowledgeAsync_Item_IsAuditedAndDoneOnce()
    {
        using var world = World();
        var text = Status($"<TxInfAndSts><OrgnlEndToEndId>{EndToEndId.Of(PrefixedId.New<PayoutId>(world.Clock.Now))}</OrgnlEndToEndId><TxSts>RJCT</TxSts></TxInfAndSts>");
        await ApplyAsync(world, text);
        var item = Assert.Single(await ItemsAsync(world, text));
        Assert.Equal("unknown_payout", item.Reason);
        Assert.True(PrefixedId.TryParse<UnmatchedBankItemId>(item.Id, out var id));
        var input = new AcknowledgeBankItemRequest("Paid by the test environment.");
        Assert.False((await AcknowledgeAsync("short", new AcknowledgeBankItemRequest("short"))).TryGet(out _, out _));
        Assert.True((await AcknowledgeAsync("first", input)).TryGet(out var first, out _));
        Assert.True((await AcknowledgeAsync("first", input)).TryGet(out var again, out _) && again.Replayed && again.Body.SequenceEqual(first.Body));
        Assert.False((await AcknowledgeAsync("second", input)).TryGet(out _, out var refusal));
        Assert.Equal(RefusalCode.StateConflict, refusal.Code);
        Assert.Empty(await ItemsAsync(world, text));
        Assert.Equal(["unmatched_bank_item.created", "unmatched_bank_item.acknowledged"], await EventsAsync(world, MerchantId.Platform, id.Value));
        Assert.Equal(1, await world.CountAsync("SELECT count(*) FROM payments.audit_log WHERE action = 'unmatched_bank_item.acknowledged' AND object_id = @id", new { id = item.Id }));

        Task<Result<StoredResponse>> AcknowledgeAsync(string key, AcknowledgeBankItemRequest request) =>
            IdempotencyKey.Read($"{item.Id}-{key}").TryGet(out var value, out _)
                ? world.Unmatched.AcknowledgeAsync(new IdempotentRequest(MerchantId.Platform, value, new byte[32]), id, request, new Actor("test", null), default)
                : throw new InvalidOperationException(key);
    }

    /// <summary>Several instances find the same file at once: it is applied once, and each of its items is kept once.</summary>
    [Fact]
    public async Task ApplyAsync_SameFileAtTheSameTime_KeepsEachItemOnce()
    {
        using var world = World();
        var (_, payouts) = await RunAsync(world, 2);
        var text = Statement(Entry(payouts[0], "DBIT") + Entry(payouts[1], "DBIT", 1));
        await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => Task.Run(() => ApplyAsync(world, text))));
        Assert.Equal("paid,in_transit", await StatusesAsync(world, payouts));
        Assert.Equal("amount_differs", Assert.Single(await ItemsAsync(world, text)).Reason);
        Assert.Equal(["payout.created", "payout.paid"], await EventsAsync(world, payouts[0].Merchant, payouts[0].Id.Value));
        await world.AssertSoundAsync();
    }

    /// <summary>Deliberate damage, one file after the other against the same payouts: money is given back at most once for each, and the books balance.</summary>
    [Theory]
    [InlineData("pain.002")]
    [InlineData("camt.052")]
    [InlineData("camt.053")]
    [InlineData("camt.054")]
    public async Task ApplyAsync_DamagedFiles_NeverMoveMoneyTwice(string format)
    {
        using var world = World();
        var (file, payouts) = await RunAsync(world, 6);
        var text = BankFileDamage.File(format, [.. payouts.Select(p => (p.Id, p.Amount.MinorUnits))], file.Id);
        var damaged = Enumerable.Range(0, 2_000).Select(seed => BankFileDamage.Mutate(text, seed)).ToList();
        var (applied, rejected) = (0, 0);

        // Most say the same again: those that a reader takes and that say something else than a file before are given to the database.
        var said = new HashSet<string>();
        foreach (var bytes in damaged)
        {
            try
            {
                var report = await BankReportReader.ReadAsync(new MemoryStream(bytes), [BankFileDamage.Account], default);
                var words = string.Join(';', report.Results.Select(r => $"{r.Payout} {r.Said} {r.Amount} {r.Charges} {r.Held}").Concat(report.Files.Select(f => $"{f.File} {f.Said} {f.Amount} {f.Count} {f.ControlSum} {f.Held} {f.Except.Count}")));
                if (said.Add(words))
                {
                    await world.Reports.ApplyAsync("damaged", new MemoryStream(bytes), default);
                    applied++;
                }
            }
            catch (BankFileException)
            {
                rejected++;
            }
        }

        Assert.True(applied > 20 && rejected > 200, $"{applied} applied, {rejected} rejected");
        var balances = await BalancesAsync(world, payouts);
        foreach (var (payout, i) in payouts.Select((p, i) => (p, i)))
        {
            var now = (await world.Reads.GetAsync(payout.Merchant, payout.Id, default))!;
            Assert.Equal(PayoutTransitions.IsReversed(now.Status) ? payout.Amount.MinorUnits : 0, balances[i]);
            var events = await EventsAsync(world, payout.Merchant, payout.Id.Value);
            Assert.True(events.Count(e => e is "payout.failed" or "payout.returned") <= 1 && events.Count(e => e == "payout.paid") <= 1, string.Join(',', events));
        }

        await world.AssertSoundAsync();
    }

    private PayoutWorld World() => new(database.App, o =>
    {
        o.Rails["EUR"] = PayoutRail.File;
        o.FilePayouts = 100;
    });

    private static async Task<(PayoutFile File, IReadOnlyList<Payout> Payouts)> RunAsync(PayoutWorld world, int count)
    {
        // What other tests left behind goes with a run of its own.
        await world.Run.RunAsync(NextDate(), Currency.Eur, "test", default);
        var merchants = new List<MerchantId>();
        for (var i = 0; i < count; i++)
        {
            merchants.Add(await world.MerchantAsync(Currency.Eur));
            await world.EarnAsync(merchants[i], 7_000 + (101 * i), currency: Currency.Eur);
        }

        await world.Run.RunAsync(NextDate(), Currency.Eur, "test", default);
        var payouts = await Task.WhenAll(merchants.Select(async m => Assert.Single(await world.PayoutsAsync(m))));
        return (Assert.Single(await world.Files.FilesAsync(payouts[0].Run!.Value, default)), payouts);
    }

    private static DateOnly NextDate() => PayoutWorld.Today.AddDays(Interlocked.Increment(ref _days));

    private static async Task<(int, int, int)> BatchAsync(PayoutWorld world, PayoutFile file, long amount, string indicator, string extra = "") =>
        await ApplyAsync(world, Statement(
            $"""<Ntry><Amt Ccy="EUR">{Decimal(amount)}</Amt><CdtDbtInd>{indicator}</CdtDbtInd>{extra}<Sts><Cd>BOOK</Cd></Sts><NtryDtls><Btch><PmtInfId>{file.Id:N}-1</PmtInfId></Btch></NtryDtls></Ntry>""")) is var s
            ? (s.Results, s.Applied, s.Unmatched)
            : default;

    private static string Entry(Payout payout, string indicator, long more = 0) => $"""
        <Ntry><Amt Ccy="EUR">{Decimal(payout.Amount.MinorUnits + more)}</Amt><CdtDbtInd>{indicator}</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>
          <NtryDtls><TxDtls><Refs><EndToEndId>{EndToEndId.Of(payout.Id)}</EndToEndId></Refs></TxDtls></NtryDtls></Ntry>
        """;

    private static string Statement(string entries, string account = BankFileDamage.Account) =>
        $"<Document><BkToCstmrStmt><GrpHdr><MsgId>S</MsgId></GrpHdr><Stmt><Id>1</Id><Acct><Id><IBAN>{account}</IBAN></Id></Acct>{entries}</Stmt></BkToCstmrStmt></Document>";

    private static string Status(string transactions) =>
        $"<Document><CstmrPmtStsRpt><GrpHdr><MsgId>R</MsgId></GrpHdr><OrgnlPmtInfAndSts><OrgnlPmtInfId>x</OrgnlPmtInfId>{transactions}</OrgnlPmtInfAndSts></CstmrPmtStsRpt></Document>";

    private static string Decimal(Payout payout) => Decimal(payout.Amount.MinorUnits);

    private static string Decimal(long minor) => string.Create(CultureInfo.InvariantCulture, $"{minor / 100}.{minor % 100:00}");

    private static Task<BankReportSummary> ApplyAsync(PayoutWorld world, string text) => world.Reports.ApplyAsync("test", new MemoryStream(Encoding.UTF8.GetBytes(text)), default);

    private static async Task<string> StatusesAsync(PayoutWorld world, IReadOnlyList<Payout> payouts) =>
        string.Join(',', (await Task.WhenAll(payouts.Select(p => world.Reads.GetAsync(p.Merchant, p.Id, default)))).Select(p => Domain.Database.DbText.Of(p!.Status)));

    private static Task<long[]> BalancesAsync(PayoutWorld world, IReadOnlyList<Payout> payouts) =>
        Task.WhenAll(payouts.Select(p => world.BalanceAsync(ChartOfAccounts.MerchantAvailable(p.Merchant, Currency.Eur))));

    // In the order of the file; only what waits for somebody.
    private static async Task<IReadOnlyList<UnmatchedBankItemResource>> ItemsAsync(PayoutWorld world, string text)
    {
        var hash = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes(text)));
        return [.. (await world.Unmatched.ListAsync(false, null, null, 10_000, default)).Where(i => i.FileHash == hash).Reverse()];
    }

    private static async Task<IReadOnlyList<string>> EventsAsync(PayoutWorld world, MerchantId merchant, Guid id)
    {
        await using var connection = await world.Database.OpenConnectionAsync();
        return [.. await connection.QueryAsync<string>("SELECT type FROM payments.events WHERE merchant_id = @merchant AND object_id = @id ORDER BY sequence", new { merchant = merchant.Value, id })];
    }
}
