using System.Text;
using Payments.Domain.Payouts;
using Payments.Domain.Payouts.BankFiles;
using Payments.Tests.Payouts;

namespace Payments.Domain.Tests.Payouts;

/// <summary>NACHA files as banks and transports deliver them.</summary>
public sealed class NachaReaderTests
{
    private static readonly ReturnEntry[] Entries =
    [
        new("091000010000007", "PAYOUT000000001", 1_234, "R03", "NO ACCOUNT"),
        new("091000010000008", "PAYOUT000000002", 0, "C01", "1918171614"),
        new("091000010000009", "PAYOUT000000003", 9_999_999_999, "R02"),
        new("091000010000010", "PAYOUT000000004", 77, "R01", Company: "OTHER"),
    ];

    private static readonly string[] File = NachaText.Returns(Entries);

    [Theory]
    [InlineData("return-date-zeros", "R02 YR9ZNBZW8SKZ7TA 19487")]
    [InlineData("return-date-blank", "R02 YR9ZNBZW8SKZ7TA 19487")]
    [InlineData("no-entries", "")]
    [InlineData("no-entries-cut", "")]
    [InlineData("notification-of-change", "C01 SVBQGV0TP33APWE 987654321")]
    [InlineData("traces-out-of-order", "")]
    public async Task ReadAsync_FileOfABank_IsRead(string name, string expected)
    {
        var report = await ReadAsync(await System.IO.File.ReadAllBytesAsync(PathOf(name), TestContext.Current.CancellationToken));
        Assert.Equal(expected, Said(report));
        Assert.Empty(report.Unmatched);
    }

    [Fact]
    public async Task ReadAsync_FileWithoutLineBreaks_IsRead()
    {
        var report = await ReadAsync(await System.IO.File.ReadAllBytesAsync(PathOf("return-no-line-breaks"),
            TestContext.Current.CancellationToken));
        Assert.Equal(("091000010000003", PayoutStatus.Returned), (Assert.Single(report.Results).OriginalTrace, report.Results[0].Said));
    }

    [Theory]
    [InlineData("as written")]
    [InlineData("carriage returns and line feeds")]
    [InlineData("carriage returns")]
    [InlineData("two carriage returns and a line feed")]
    [InlineData("next lines")]
    [InlineData("no line breaks")]
    [InlineData("no line breaks, filler cut")]
    [InlineData("blocks of ten records")]
    [InlineData("blanks cut")]
    [InlineData("blanks added")]
    [InlineData("blank lines between")]
    [InlineData("blank lines before")]
    [InlineData("filler missing")]
    [InlineData("filler cut")]
    [InlineData("too much filler")]
    [InlineData("end of file mark")]
    [InlineData("end of file mark in a line")]
    [InlineData("NULs behind")]
    [InlineData("byte order mark")]
    [InlineData("UTF-16")]
    [InlineData("numbers padded with blanks")]
    [InlineData("a name in UTF-8")]
    public async Task ReadAsync_DamageOfTransports_ReadsTheSame(string damage)
    {
        var text = NachaText.Text(File);
        var cut = string.Concat(File.Select(l => l.TrimEnd(' ') + "\n"));
        var content = File.Where(l => l.Trim('9').Length > 0).ToArray();
        var bytes = damage switch
        {
            "as written" => Latin(text),
            "carriage returns and line feeds" => Latin(text.Replace("\n", "\r\n", StringComparison.Ordinal)),
            "carriage returns" => Latin(text.Replace("\n", "\r", StringComparison.Ordinal)),
            "two carriage returns and a line feed" => Latin(text.Replace("\n", "\r\r\n", StringComparison.Ordinal)),
            "next lines" => Latin(text.Replace("\n", "\u0085", StringComparison.Ordinal)),
            "no line breaks" => Latin(string.Concat(File)),
            "no line breaks, filler cut" => Latin(string.Concat(File)[..((LengthOfContent() * 94) + 30)]),
            "blocks of ten records" => Latin(string.Join('\n', File.Chunk(10).Select(block => string.Concat(block)))),
            "blanks cut" => Latin(cut),
            "blanks added" => Latin(text.Replace("\n", "     \n", StringComparison.Ordinal)),
            "blank lines between" => Latin(text.Replace("\n", "\n\n   \n", StringComparison.Ordinal)),
            "blank lines before" => Latin("\r\n  \n" + text),
            "filler missing" => Latin(NachaText.Text(content)),
            "filler cut" => Latin(NachaText.Text(content) + "9999"),
            "too much filler" => Latin(text + NachaText.Text(Enumerable.Repeat(new string('9', 94), 13))),
            "end of file mark" => Latin(text + "\u001A"),
            "end of file mark in a line" => Latin(text.TrimEnd('\n') + "\u001A\u001A\n"),
            "NULs behind" => Latin(text + new string('\0', 500)),
            "byte order mark" => [0xEF, 0xBB, 0xBF, .. Latin(text)],
            "UTF-16" => [.. Encoding.Unicode.GetPreamble(), .. Encoding.Unicode.GetBytes(text)],
            "numbers padded with blanks" => Latin(text.Replace("0000001234", "      1234", StringComparison.Ordinal)),
            "a name in UTF-8" => Encoding.UTF8.GetBytes(text.Replace("MUELLER + SOEHNE", "MÜLLER + SÖHNE  ", StringComparison.Ordinal)),
            _ => throw new ArgumentOutOfRangeException(nameof(damage)),
        };
        var (expected, report) = (await ReadAsync(Latin(text)), await ReadAsync(bytes));
        Assert.Equal(Said(expected), Said(report));
        Assert.Equal(3, report.Results.Count);
        Assert.Equal(("1000000000", "OTHER"), (report.Results[0].Company, report.Results[2].Company));
    }

    [Fact]
    public async Task ReadAsync_SeveralFilesInOne_ReadsAll()
    {
        var other = NachaText.Returns(new ReturnEntry("091000010000011", "PAYOUT000000005", 5, "R20"));
        var report = await ReadAsync(Latin(NachaText.Text([.. File, .. other])));
        Assert.Equal([.. Entries.Where(e => e.Code[0] == 'R').Select(e => e.Trace), "091000010000011"],
            report.Results.Select(r => r.OriginalTrace));
        await Assert.ThrowsAsync<BankFileException>(() => ReadAsync(Latin(NachaText.Text([.. File, .. other[..^6]]))));
    }

    // Every figure of both controls, one digit at a time: each says something of the file, and the file has to agree.
    [Fact]
    public async Task ReadAsync_FigureOfAControlChanged_IsRefused()
    {
        var batch = Array.FindIndex(File, l => l[0] == '8');
        var end = Array.FindIndex(File, l => l[0] == '9');
        foreach (var (line, from, to) in new[] { (batch, 4, 44), (batch, 79, 94), (end, 1, 55) })
        {
            for (var column = from; column < to; column++)
            {
                var changed = File[line].ToCharArray();
                changed[column] = changed[column] == '7' ? '8' : '7';
                string[] altered = [.. File[..line], new string(changed), .. File[(line + 1)..]];
                await Assert.ThrowsAsync<BankFileException>(() => ReadAsync(Latin(NachaText.Text(altered))));
            }
        }
    }

    [Theory]
    [InlineData("blanks cut and no line breaks")]
    [InlineData("an entry lost")]
    [InlineData("a return lost")]
    [InlineData("a batch header lost")]
    [InlineData("a batch control lost")]
    [InlineData("the file control lost")]
    [InlineData("the file header lost")]
    [InlineData("two returns of one entry")]
    [InlineData("the batch of another company")]
    [InlineData("another format code")]
    [InlineData("text behind the end")]
    [InlineData("a record of no type")]
    [InlineData("a character lost")]
    [InlineData("a letter in a trace number")]
    public async Task ReadAsync_DamageWithTwoMeanings_IsRefused(string damage)
    {
        int First(char type) => Array.FindIndex(File, l => l[0] == type);
        string[] Without(int line) => [.. File[..line], .. File[(line + 1)..]];
        string[] With(int line, string text) => [.. File[..line], text, .. File[(line + 1)..]];
        var text = damage switch
        {
            "blanks cut and no line breaks" => string.Concat(File.Select(l => l.TrimEnd(' '))),
            "an entry lost" => NachaText.Text(Without(First('6'))),
            "a return lost" => NachaText.Text(Without(First('7'))),
            "a batch header lost" => NachaText.Text(Without(First('5'))),
            "a batch control lost" => NachaText.Text(Without(First('8'))),
            "the file control lost" => NachaText.Text(Without(First('9'))),
            "the file header lost" => NachaText.Text(Without(0)),
            "two returns of one entry" => NachaText.Text([.. File[..(First('7') + 1)], File[First('7')], .. File[(First('7') + 1)..]]),
            "the batch of another company" =>
                NachaText.Text(With(First('8'), File[First('8')].Replace("1000000000", "1000000001", StringComparison.Ordinal))),
            "another format code" => NachaText.Text(With(0, File[0].Replace("094101", "080101", StringComparison.Ordinal))),
            "text behind the end" => NachaText.Text(File) + "the end",
            "a record of no type" => NachaText.Text(With(First('6'), "2" + File[First('6')][1..])),
            "a character lost" => NachaText.Text(With(First('6'), File[First('6')].Remove(60, 1))),
            "a letter in a trace number" => NachaText.Text(With(First('6'), File[First('6')][..93] + "O")),
            _ => throw new ArgumentOutOfRangeException(nameof(damage)),
        };
        await Assert.ThrowsAsync<BankFileException>(() => ReadAsync(Latin(text)));
    }

    [Theory]
    [InlineData("R61", 21, 500, "disputes an earlier return")]
    [InlineData("R77", 21, 500, "disputes an earlier return")]
    [InlineData("R0A", 21, 500, "no code of a return")]
    [InlineData("X03", 21, 500, "neither the code")]
    [InlineData("R03", 26, 500, "A debit was returned")]
    [InlineData("C01", 21, 500, "moves no money")]
    public async Task ReadAsync_ReturnThatIsNoneOfACredit_IsKeptWithItsReason(string code, int transactionCode, long amount, string reason)
    {
        var report = await ReadAsync(new ReturnEntry("091000010000007", "PAYOUT000000001", amount, code, TransactionCode: transactionCode));
        var word = Assert.Single(report.Unmatched);
        Assert.Contains(reason, word.Detail, StringComparison.Ordinal);
        Assert.Equal(UnmatchedReason.MeaningUnclear, word.Reason);
        Assert.Equal(("091000010000007", "PAYOUT000000001", code, new Money(amount, Currency.Usd)),
            (word.OriginalTrace, word.IndividualId, word.Code, word.Amount));
        Assert.Equal((0, 0, 0), (report.Results.Count, report.Corrections.Count, report.Foreign));
    }

    [Theory]
    [InlineData("R60")]
    [InlineData("R78")]
    [InlineData("R85")]
    public async Task ReadAsync_ReturnBesideTheDisputes_IsAReturn(string code) =>
        Assert.Equal(code, Assert.Single((await ReadAsync(new ReturnEntry("091000010000007", "PAYOUT000000001", 1, code))).Results).Code);

    [Theory]
    [InlineData(21, 1, 0)]
    [InlineData(31, 1, 0)]
    [InlineData(22, 0, 1)]
    [InlineData(32, 0, 1)]
    public async Task ReadAsync_EntryWithoutAReturn_IsKeptWhereItsCodeSaysReturned(int transactionCode, int unmatched, int foreign)
    {
        var lines = NachaText.Returns(new ReturnEntry("091000010000007", "PAYOUT000000001", 1, "R03", TransactionCode: transactionCode));
        var addendum = Array.FindIndex(lines, l => l[0] == '7');
        lines[addendum] = "705" + lines[addendum][3..];
        var report = await ReadAsync(Latin(NachaText.Text(lines)));
        Assert.Equal((unmatched, foreign, 0), (report.Unmatched.Count, report.Foreign, report.Results.Count));
    }

    // Columns 36 to 64 by code, as appendix five of the Nacha rules has them.
    [Theory]
    [InlineData("C01", "1918171614", null, "1918171614", null, null)]
    [InlineData("C02", "121042882", "121042882", null, null, null)]
    [InlineData("C03", "121042882   1918171614", "121042882", "1918171614", null, null)]
    [InlineData("C04", "MUELLER AND SONS", null, null, null, "MUELLER AND SONS")]
    [InlineData("C05", "32", null, null, UsAccountType.Savings, null)]
    [InlineData("C05", "22", null, null, UsAccountType.Checking, null)]
    [InlineData("C06", "1918171614          37", null, "1918171614", UsAccountType.Savings, null)]
    [InlineData("C07", "1210428821918171614       22", "121042882", "1918171614", UsAccountType.Checking, null)]
    public void TryRead_CorrectedData_HasTheFieldsOfTheCode(string code, string data, string? routing, string? account,
        UsAccountType? type, string? name)
    {
        Assert.True(NotificationOfChange.TryRead(code, data, out var change));
        Assert.Equal(new AccountChange(routing, account, type, name), change);
    }

    [Theory]
    [InlineData("C01", "")]
    [InlineData("C01", "1918171614         X")]
    [InlineData("C02", "121042882 1")]
    [InlineData("C03", "1210428821918171614")]
    [InlineData("C03", "121042882")]
    [InlineData("C05", "42")]
    [InlineData("C05", "3")]
    [InlineData("C06", "1918171614")]
    [InlineData("C07", "121042882         22")]
    [InlineData("C08", "121042882")]
    [InlineData("C13", "")]
    public void TryRead_DataOfAnotherForm_IsRefused(string code, string data) =>
        Assert.False(NotificationOfChange.TryRead(code, data, out _));

    [Fact]
    public void Corrected_FieldCorrectedBefore_Stays()
    {
        var sent = Account("021000021", "111111", UsAccountType.Checking);
        var afterC01 = Account("021000021", "222222", UsAccountType.Checking);
        Assert.Equal(Account("021000021", "222222", UsAccountType.Savings),
            AccountCorrections.Corrected(Correction("C05", "32"), sent, afterC01));
        Assert.Equal(afterC01, AccountCorrections.Corrected(Correction("C01", "333333"), sent, afterC01));
        Assert.Equal(afterC01, AccountCorrections.Corrected(Correction("C01", "222222"), sent, sent));

        // A routing number with a wrong check digit, and an account number of letters.
        Assert.Null(AccountCorrections.Corrected(Correction("C02", "021000022"), sent, sent));
        Assert.Null(AccountCorrections.Corrected(Correction("C01", "22-22A"), sent, sent));
        Assert.True(BankAccountDetails.TryCreateIban("A", "DE89370400440532013000", null, out var iban, out _));
        Assert.Null(AccountCorrections.Corrected(Correction("C01", "222222"), iban, iban));
    }

    /// <summary>A notification of change keeps the holder's address, so the same notification again changes nothing.</summary>
    [Fact]
    public void Corrected_AccountWithAnAddress_KeepsIt()
    {
        var sent = Account("021000021", "111111", UsAccountType.Checking) with { Address = new PostalAddress(null, null, null, "Omaha", "US") };
        var corrected = AccountCorrections.Corrected(Correction("C01", "222222"), sent, sent);
        Assert.Equal(sent.Address, corrected?.Address);
        Assert.Equal(corrected, AccountCorrections.Corrected(Correction("C01", "222222"), sent, corrected!));
    }

    /// <summary>
    /// Two thousand damaged files: each is refused whole, or every return in it is still there, as a result, a correction or a word that a
    /// person reads.
    /// The database's part, money once, has its own test.
    /// </summary>
    [Fact]
    public async Task ReadAsync_TwoThousandDamagedFiles_NeverCrashesAndNeverLosesAReturn()
    {
        var (read, refused) = (0, 0);
        for (var seed = 0; seed < 2_000; seed++)
        {
            BankReport report;
            try
            {
                report = await ReadAsync(NachaText.Damage(File, seed));
            }
            catch (BankFileException)
            {
                refused++;
                continue;
            }

            read++;
            Assert.True(report.Results.Count + report.Corrections.Count + report.Unmatched.Count >= Entries.Length, $"seed {seed}");
            Assert.All(report.Results, r => Assert.True(r.Amount!.Value.MinorUnits >= 0));
        }

        Assert.True(read > 200 && refused > 200, $"{read} read, {refused} refused");
    }

    /// <summary>Files of others, where somebody has put them: how many are read, and why the others are not.</summary>
    [Fact]
    public async Task ReadAsync_FilesOfOthers_AreReadOrRefusedWithAReason()
    {
        var folder = Environment.GetEnvironmentVariable("NACHA_SAMPLES");
        Assert.SkipWhen(folder is null, "NACHA_SAMPLES names no folder of files.");
        var (read, reasons) = (0, new List<string>());
        foreach (var path in Directory.GetFiles(folder!, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            try
            {
                var report = await ReadAsync(await System.IO.File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken));
                read++;
                TestContext.Current.TestOutputHelper?.WriteLine(
                    $"{path}: {report.Results.Count} returns, {report.Corrections.Count} corrections, "
                    + $"{report.Unmatched.Count} unmatched, {report.Foreign} others");
            }
            catch (BankFileException e)
            {
                reasons.Add($"{path}: {e.Message}");
            }
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{read} read, {reasons.Count} refused\n{string.Join('\n', reasons)}");
        Assert.True(read > 0);
    }

    private static int LengthOfContent() => File.Count(l => l.Trim('9').Length > 0);

    private static byte[] Latin(string text) => Encoding.Latin1.GetBytes(text);

    private static Task<BankReport> ReadAsync(byte[] bytes) => BankReportReader.ReadAsync(new MemoryStream(bytes), [], default);

    private static Task<BankReport> ReadAsync(ReturnEntry entry) => ReadAsync(Latin(NachaText.Text(NachaText.Returns(entry))));

    private static string Said(BankReport report) => string.Join(
        '|',
        report.Results.Select(r => $"{r.Code} {r.IndividualId} {r.Amount!.Value.MinorUnits}")
            .Concat(report.Corrections.Select(c => $"{c.Code} {c.IndividualId} {c.Data.Trim()}")));

    private static string PathOf(string name) => Path.Combine(AppContext.BaseDirectory, "Payouts", "Nacha", name + ".ach");

    private static BankCorrection Correction(string code, string data) =>
        new("091000010000007", "PAYOUT000000001", "1000000000", code, data);

    private static BankAccountDetails Account(string routing, string number, UsAccountType type) =>
        BankAccountDetails.TryCreateUs("A", routing, number, type, out var account, out _) ? account
            : throw new InvalidOperationException(routing);
}
