using Dapper;
using Payments.Domain;
using Payments.Domain.Payouts;

namespace Payments.Postgres.Tests.Payouts;

/// <summary>What a preview says is what the run does, if nothing changes in between.</summary>
public sealed class PreviewTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    // Each test lives in a year of its own, so that their runs are not one run.
    private static int _years;

    private static DateTimeOffset OwnYear(int month = 11, int day = 20, int hour = 9) =>
        new(2030 + Interlocked.Increment(ref _years), month, day, hour, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    [InlineData(9)]
    [InlineData(10)]
    [InlineData(11)]
    [InlineData(12)]
    public async Task PreviewAsync_AnyState_IsWhatTheRunDoes(int seed)
    {
        var random = new Random(seed);
        using var world = new PayoutWorld(database.App, o => o.RunAt = new TimeOnly(random.Next(0, 4), 0));
        world.Clock.Now = OwnYear(random.Next(1, 13), random.Next(1, 29), random.Next(24));
        var currency = random.Next(3) switch { 0 => Currency.Eur, 1 => Currency.Usd, _ => Currency.Of("GBP") };
        var merchants = new List<MerchantId>();
        for (var i = 0; i < 12; i++)
        {
            merchants.Add(await RandomMerchantAsync(world, random, currency));
        }

        // The first round leaves reserves, rescheduled dates and an account that the bank refused; the second begins with them.
        for (var round = 0; round < 2; round++)
        {
            foreach (var merchant in merchants)
            {
                await RandomMoneyAsync(world, random, merchant, currency);
            }

            var previews = new Dictionary<MerchantId, PayoutPreviewResource>();
            foreach (var merchant in merchants)
            {
                previews.Add(merchant, await world.PreviewAsync(merchant, currency));
            }

            // Runs come until the one that was previewed has come for everybody.
            var last = previews.Values.Max(p => p.Date);
            for (var done = DateOnly.MinValue; done < last;)
            {
                var night = await world.Previews.PreviewRunAsync(currency, default);
                var list = (await world.Previews.ListAsync(currency, 1_000, null, default)).ToDictionary(p => p.Merchant);
                var before = await PaidAsync(world, merchants);
                world.Clock.Now = night.LooksAt;
                var run = await world.Run.RunAsync(night.Date, currency, "test", default);
                done = run.Date;
                Assert.Equal((night.Considered, night.Payouts, night.Amount), (run.Considered, run.Payouts, run.Amount));
                Assert.Equal(night.Considered - night.Payouts, night.Unpaid.Sum(u => u.Merchants));
                var after = await PaidAsync(world, merchants);
                foreach (var merchant in merchants)
                {
                    var paid = after[merchant].Except(before[merchant]).ToList();
                    if (list.TryGetValue(merchant.ToString(), out var said))
                    {
                        AssertIs(said, paid, $"seed {seed}, round {round}, the list for {run.Date}");
                    }

                    if (previews[merchant].Date == run.Date)
                    {
                        AssertIs(previews[merchant], paid, $"seed {seed}, round {round}, the preview for {run.Date}");
                    }
                    else if (previews[merchant].Date > run.Date)
                    {
                        Assert.Empty(paid);
                    }
                }
            }

            await world.AssertSoundAsync();
            foreach (var payout in (await Task.WhenAll(merchants.Select(world.PayoutsAsync))).SelectMany(p => p).Where(_ =>
                random.Next(4) == 0))
            {
                await world.SayAsync(payout, PayoutStatus.Failed, random.Next(2) == 0 ? "account_closed" : "could_not_process");
            }

            world.Clock.Now += TimeSpan.FromHours(random.Next(60));
        }
    }

    [Fact]
    public async Task PreviewAsync_FundsAreDueAndNotReleased_CountsThemAsTheRunDoes()
    {
        using var world = new PayoutWorld(database.App);
        world.Clock.Now = OwnYear();
        var today = Availability.DueDate(world.Clock.Now, Currency.Eur);
        var merchant = await world.MerchantAsync();
        await world.EarnAsync(merchant, -300);
        await world.EarnAsync(merchant, 5_000, today);
        await world.EarnAsync(merchant, 70, today.AddDays(30));

        var preview = await world.PreviewAsync(merchant, Currency.Eur, today);
        Assert.Equal((null, 4_700L, 4_700L, 70L), (preview.Reason, preview.Available, preview.Amount, preview.Pending));
        await world.Run.RunAsync(today, Currency.Eur, "test", default);
        Assert.Equal(4_700, Assert.Single(await world.PayoutsAsync(merchant)).Amount.MinorUnits);
    }

    [Fact]
    public async Task PreviewAsync_TodaysRunIsOver_IsOfTheNextBusinessDay()
    {
        using var world = new PayoutWorld(database.App);
        var now = new DateTimeOffset(2027, 11, 19, 9, 0, 0, TimeSpan.Zero); // a Friday
        world.Clock.Now = now;
        var merchant = await world.MerchantAsync();
        await world.EarnAsync(merchant, 100);
        Assert.Equal(new DateOnly(2027, 11, 19), (await world.PreviewAsync(merchant, Currency.Eur)).Date);
        await world.Run.RunAsync(new DateOnly(2027, 11, 19), Currency.Eur, "test", default);

        // What becomes available on Monday is paid on Monday.
        await world.EarnAsync(merchant, 40, new DateOnly(2027, 11, 22));
        var preview = await world.PreviewAsync(merchant, Currency.Eur);
        Assert.Equal((new DateOnly(2027, 11, 22), 40L, 0L), (preview.Date, preview.Amount, preview.Pending));
        Assert.Equal(new DateOnly(2027, 11, 22), (await world.Previews.PreviewRunAsync(Currency.Eur, default)).Date);
        Assert.False((await world.Previews.PreviewAsync(merchant, Currency.Eur, new DateOnly(2027, 11, 19), default)).TryGet(out _,
            out var refusal));
        Assert.Equal((RefusalCode.ParameterInvalid, "date"), (refusal.Code, refusal.Param));
    }

    [Fact]
    public async Task PreviewAsync_RunWasCutOff_IsOfThatRunUntilItHasPassedTheMerchant()
    {
        using var world = new PayoutWorld(database.App, o => (o.ChunkSize, o.Lanes) = (1, 1));
        world.Clock.Now = OwnYear();
        var date = Availability.DueDate(world.Clock.Now, Currency.Of("CHF"));
        var merchants = new List<MerchantId>();
        for (var i = 0; i < 3; i++)
        {
            merchants.Add(await world.MerchantAsync(Currency.Of("CHF")));
            await world.EarnAsync(merchants[i], 100, currency: Currency.Of("CHF"));
        }

        merchants.Sort((a, b) => string.CompareOrdinal(a.ToString(), b.ToString()));
        var run = await world.Run.StartAsync(date, Currency.Of("CHF"), "test", default);
        await world.Run.CreateChunkAsync(run.Id, 1, default);
        world.Clock.Now += TimeSpan.FromDays(7);

        Assert.True((await world.PreviewAsync(merchants[0], Currency.Of("CHF"))).Date > date);
        Assert.Equal((date, 100L), (await world.PreviewAsync(merchants[1], Currency.Of("CHF"))) is var p ? (p.Date, p.Amount) : default);
        var night = await world.Previews.PreviewRunAsync(Currency.Of("CHF"), default);
        Assert.Equal((date, 2L, 200L), (night.Date, night.Payouts, night.Amount));
        Assert.Equal(2, (await world.Previews.ListAsync(Currency.Of("CHF"), 100, null, default)).Count);
    }

    [Fact]
    public async Task PreviewAsync_BeforeABankAccountExists_ShowsTheBalanceAndWhatIsMissing()
    {
        using var world = new PayoutWorld(database.App);
        world.Clock.Now = OwnYear();
        var merchant = await world.MerchantAsync(withAccount: false);
        await world.EarnAsync(merchant, 3_692);
        await world.EarnAsync(merchant, 10, Availability.DueDate(world.Clock.Now, Currency.Eur).AddDays(30));
        var preview = await world.PreviewAsync(merchant, Currency.Eur);
        Assert.Equal(("no_bank_account", 3_692L, 10L, 0L, 3_692L),
            (preview.Reason, preview.Available, preview.Pending, preview.Amount, preview.CarriedOver));

        // And it is paid as soon as there is one.
        await world.AccountAsync(merchant, Currency.Eur);
        Assert.Equal(3_692, (await world.PreviewAsync(merchant, Currency.Eur)).Amount);
    }

    [Fact]
    public async Task PreviewAsync_NothingAvailable_SaysWhenSomethingWillBe()
    {
        using var world = new PayoutWorld(database.App);
        world.Clock.Now = OwnYear();
        var today = Availability.DueDate(world.Clock.Now, Currency.Eur);
        var merchant = await world.MerchantAsync();
        Assert.Null((await world.PreviewAsync(merchant, Currency.Eur)).NextAvailableOn);

        // A refund that outweighs the first income leaves nothing to pay on its date.
        await world.EarnAsync(merchant, 100, today.AddDays(9));
        await world.EarnAsync(merchant, -150, today.AddDays(9));
        await world.EarnAsync(merchant, 60, today.AddDays(11));
        var preview = await world.PreviewAsync(merchant, Currency.Eur);
        Assert.Equal(("nothing_available", today.AddDays(11), 10L), (preview.Reason, preview.NextAvailableOn, preview.Pending));

        await world.EarnAsync(merchant, -1);
        Assert.Equal(("negative_balance", today.AddDays(11)),
            (await world.PreviewAsync(merchant, Currency.Eur)) is var p ? (p.Reason, p.NextAvailableOn) : default);
        await world.EarnAsync(merchant, 5);
        Assert.Null((await world.PreviewAsync(merchant, Currency.Eur)).NextAvailableOn);
    }

    [Fact]
    public async Task CreateAsync_FundsAreDueAndNotReleased_PaysThem()
    {
        using var world = new PayoutWorld(database.App);
        world.Clock.Now = OwnYear();
        var merchant = await world.MerchantAsync();
        await world.EarnAsync(merchant, 900, Availability.DueDate(world.Clock.Now, Currency.Eur));
        await world.EarnAsync(merchant, 5, Availability.DueDate(world.Clock.Now, Currency.Eur).AddDays(1));
        Assert.True((await world.Manual.CreateAsync(SubmissionTests.Request(merchant, "due"), new CreatePayoutRequest(null, "EUR", null),
            "test", default)).TryGet(out _, out _));
        Assert.Equal(900, Assert.Single(await world.PayoutsAsync(merchant)).Amount.MinorUnits);
        await world.AssertSoundAsync();
    }

    private static void AssertIs(PayoutPreviewResource said, List<Payout> paid, string where)
    {
        Assert.True(said.Amount == paid.Sum(p => p.Amount.MinorUnits) && (said.Reason is null) == (paid.Count == 1), $"{where}: {said}, but {string.Join(", ", paid.Select(p => p.Amount))}");
        Assert.Equal(said.Available, said.Amount + said.Reserved + said.CarriedOver);
    }

    private static async Task<Dictionary<MerchantId, List<Payout>>> PaidAsync(PayoutWorld world, List<MerchantId> merchants)
    {
        var paid = new Dictionary<MerchantId, List<Payout>>();
        foreach (var merchant in merchants)
        {
            paid.Add(merchant, [.. await world.PayoutsAsync(merchant)]);
        }

        return paid;
    }

    private static async Task<MerchantId> RandomMerchantAsync(PayoutWorld world, Random random, Currency currency)
    {
        var merchant = await world.MerchantAsync(currency, withAccount: random.Next(6) != 0);
        if (random.Next(3) == 0)
        {
            // A change: it has to cool for three days.
            await world.AccountAsync(merchant, currency, number: 2);
        }

        if (random.Next(8) == 0)
        {
            await world.Settings.SetAccountAsync(merchant, currency, PayoutWorld.AccountRequest(currency, 3, verified: null), platform: false,
                "test", default);
        }

        if (random.Next(4) != 0)
        {
            var minimum = random.Next(1, 400);
            var schedule = random.Next(6) switch
            {
                0 => new PayoutScheduleRequest("weekly", DbText(random), null),
                1 => new PayoutScheduleRequest("monthly", null, random.Next(1, 32)),
                2 => new PayoutScheduleRequest("manual", null, null),
                _ => null,
            };
            var request = new PayoutSettingsRequest(
                schedule, null, minimum, random.Next(3) == 0 ? minimum + random.Next(300) : null,
                new PayoutReserveRequest(random.Next(2) * random.Next(3_000), random.Next(0, 10), random.Next(3) / 2 * random.Next(100)));
            Assert.True((await world.Settings.ChangeAsync(merchant, currency, request, platform: true, "test", default)).TryGet(out _,
                out _));
        }

        if (random.Next(8) == 0)
        {
            await world.Settings.HoldAsync(merchant, currency, "A look is needed.", "test", default);
        }

        if (random.Next(10) == 0)
        {
            await using var connection = await world.Database.OpenConnectionAsync();
            await connection.ExecuteAsync("UPDATE payments.merchants SET status = 'suspended' WHERE id = @id", new { id = merchant.Value });
        }

        return merchant;

        static string DbText(Random random) => ((DayOfWeek)random.Next(7)).ToString().ToLowerInvariant();
    }

    private static async Task RandomMoneyAsync(PayoutWorld world, Random random, MerchantId merchant, Currency currency)
    {
        var today = Availability.DueDate(world.Clock.Now, currency);
        for (var i = random.Next(6); i > 0; i--)
        {
            var amount = random.Next(4) == 0 ? -random.Next(1, 300) : random.Next(1, 600);
            await world.EarnAsync(merchant, amount, random.Next(3) == 0 ? null : today.AddDays(random.Next(-1, 6)), currency);
        }

        if (random.Next(3) == 0)
        {
            await world.Release.RunAsync(default);
        }
    }
}
