using System.Runtime.CompilerServices;
using System.Text;
using Payments.Domain.Payouts;
using Payments.Domain.Payouts.BankFiles;

namespace Payments.Domain.Tests.Payouts;

public sealed class NachaWriterTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 20, 22, 0, 0, TimeSpan.Zero);
    private static readonly NachaOriginator Originator = new("091000019", "WELLS FARGO", "1123456789", "Payment Functions", "1123456789",
        "09100001");

    // Traces as lanes and requests gave them.
    [Theory]
    [InlineData(1, 2, 3, 4, 6, 5)]
    [InlineData(8, 9, 7)]
    [InlineData(1, 1)]
    public async Task WriteAsync_TracesNotAscending_IsRefused(params int[] traces)
    {
        var transfers = traces.Select(t => Transfer(t)).ToList();
        await Assert.ThrowsAsync<InvalidOperationException>(() => WriteAsync(Head(transfers), transfers));

        // Only a file that was planned so may be written again so.
        Assert.NotEmpty(await WriteAsync(Head(transfers) with { Ascending = false }, transfers));
        await WriteAsync(Head([.. transfers.DistinctBy(t => t.Trace).OrderBy(t => t.Trace)]),
            transfers.DistinctBy(t => t.Trace).OrderBy(t => t.Trace));
    }

    [Theory]
    [InlineData(UsAccountType.Checking, "622")]
    [InlineData(UsAccountType.Savings, "632")]
    public async Task WriteAsync_AccountType_IsTheTransactionCode(UsAccountType type, string code)
    {
        var transfer = Transfer(1, type: type);
        Assert.StartsWith(code, Lines(await WriteAsync(Head([transfer]), [transfer]))[2], StringComparison.Ordinal);
    }

    // The buffer drains at 64 KiB: before it, right at it, and several times.
    [Theory]
    [InlineData(687)]
    [InlineData(688)]
    [InlineData(690)]
    [InlineData(2_500)]
    public async Task WriteAsync_FileLargerThanTheBuffer_HasEveryEntryOnce(int count)
    {
        var transfers = Enumerable.Range(1, count).Select(i => Transfer(i, i)).ToList();
        var bytes = await WriteAsync(Head(transfers), transfers);
        var file = await NachaReader.ReadAsync(new StringReader(Encoding.ASCII.GetString(bytes)), default);
        Assert.Equal(transfers.Select(t => (t.Trace, t.Amount.MinorUnits)),
            file.Entries.Select(e => (long.Parse(e.Trace.AsSpan(8), null), e.Amount)));
        Assert.Equal(count, file.Entries.Select(e => e.IndividualId).Distinct().Count());
        Assert.Equal((count + 4 + 9) / 10 * 10 * 95, bytes.Length);
    }

    [Fact]
    public async Task WriteAsync_CountOrTotalOtherThanPlanned_IsRefused()
    {
        var transfers = new[] { Transfer(1, 100), Transfer(2, 200) };
        var planned = Head(transfers);
        await Assert.ThrowsAsync<InvalidOperationException>(() =>
            WriteAsync(planned with { Total = planned.Total + new Money(1, Currency.Usd) }, transfers));
        await Assert.ThrowsAsync<InvalidOperationException>(() =>
            WriteAsync(planned with { Total = planned.Total - new Money(1, Currency.Usd) }, transfers));
        await Assert.ThrowsAsync<InvalidOperationException>(() => WriteAsync(planned with { Count = 3 }, transfers));
        await Assert.ThrowsAsync<InvalidOperationException>(() => WriteAsync(planned with { Count = 1 }, transfers));
        Assert.NotEmpty(await WriteAsync(planned, transfers));
    }

    [Theory]
    [InlineData(0, 1, false)]
    [InlineData(1, 1, true)]
    [InlineData(9_999_999_999, 1, true)]
    [InlineData(10_000_000_000, 1, false)]
    [InlineData(1, 0, false)]
    [InlineData(1, 9_999_999, true)]
    [InlineData(1, 10_000_000, false)]
    public async Task WriteAsync_AmountOrTraceAtItsLimit_FitsOrIsRefused(long amount, long trace, bool fits)
    {
        var transfer = Transfer(trace, amount);
        if (!fits)
        {
            await Assert.ThrowsAsync<InvalidOperationException>(() => WriteAsync(Head([transfer]), [transfer]));
            return;
        }

        var entry = Assert.Single((await NachaReader.ReadAsync(new StringReader(Encoding.ASCII.GetString(await WriteAsync(Head([transfer]),
            [transfer]))), default)).Entries);
        Assert.Equal((amount, $"09100001{trace:0000000}"), (entry.Amount, entry.Trace));
    }

    // What the head promises is refused before a byte is written.
    [Theory]
    [InlineData(999_999, 999_999_999_999, 35, true)]
    [InlineData(1_000_000, 999_999_999_999, 0, false)]
    [InlineData(1, 1_000_000_000_000, 0, false)]
    [InlineData(1, 1, 36, false)]
    [InlineData(1, 1, -1, false)]
    public async Task WriteAsync_HeadBeyondTheFormat_WritesNothing(int count, long total, int modifier, bool fits)
    {
        var output = new MemoryStream();
        var head = Head([Transfer(1)]) with { Count = count, Total = new Money(total, Currency.Usd), Modifier = modifier };
        var refused = await Assert.ThrowsAsync<InvalidOperationException>(() =>
            NachaWriter.WriteAsync(output, head, Originator, StreamOf([Transfer(1, 5)]), default));
        Assert.Equal(fits, refused.Message.Contains("was planned with", StringComparison.Ordinal));
        Assert.Equal(0, output.Length);
    }

    [Fact]
    public async Task WriteAsync_ThirtySixFilesOfADay_AreToldApart()
    {
        var transfer = Transfer(1);
        var modifiers = new List<char>();
        for (var i = 0; i < Nacha.MaxFilesOfADay; i++)
        {
            modifiers.Add(Lines(await WriteAsync(Head([transfer]) with { Modifier = i }, [transfer]))[0][33]);
        }

        Assert.Equal("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", string.Concat(modifiers));
    }

    private static CreditTransfer Transfer(long trace, long amount = 100, UsAccountType type = UsAccountType.Checking) =>
        BankAccountDetails.TryCreateUs("Müller Tools", "021000021", "123456789", type, out var account, out _)
            ? new CreditTransfer(new PayoutId(Guid.CreateVersion7(Now)), new Money(amount, Currency.Usd), account, trace)
            : throw new InvalidOperationException();

    private static BankFileHead Head(IReadOnlyList<CreditTransfer> transfers) =>
        new(Guid.ParseExact("0123456789abcdef0123456789abcdef", "N"), Now, new DateOnly(2026, 11, 23), transfers.Count,
            new Money(transfers.Sum(t => t.Amount.MinorUnits), Currency.Usd), 0);

    private static string[] Lines(byte[] bytes) => Encoding.ASCII.GetString(bytes).Split('\n');

    private static async Task<byte[]> WriteAsync(BankFileHead head, IEnumerable<CreditTransfer> transfers)
    {
        var output = new MemoryStream();
        var written = await NachaWriter.WriteAsync(output, head, Originator, StreamOf(transfers), default);
        Assert.Equal(output.Length, written);
        return output.ToArray();
    }

    private static async IAsyncEnumerable<CreditTransfer> StreamOf(IEnumerable<CreditTransfer> transfers,
        [EnumeratorCancellation] CancellationToken ct = default)
    {
        foreach (var transfer in transfers)
        {
            await Task.Yield();
            yield return transfer;
        }
    }
}
