namespace Payments.Domain.Tests.MoneyRules;

public sealed class PrefixedIdTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    [Fact]
    public void TryParse_WhatFormatWrote_IsTheSameId()
    {
        var id = PrefixedId.New<ChargeId>(Now);

        Assert.Matches("^ch_[0-9a-f]{32}$", id.ToString());
        Assert.True(PrefixedId.TryParse<ChargeId>(id.ToString(), out var parsed));
        Assert.Equal(id, parsed);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("ch_")]
    [InlineData("re_019b7c5a3c0870008000000000000000")]
    [InlineData("CH_019b7c5a3c0870008000000000000000")]
    [InlineData("ch_019b7c5a3c087000800000000000000")]
    [InlineData("ch_019b7c5a-3c08-7000-8000-000000000000")]
    public void TryParse_NotItsText_IsFalse(string? text) => Assert.False(PrefixedId.TryParse<ChargeId>(text, out _));

    [Fact]
    public void New_LaterMillisecond_SortsLater()
    {
        var ids = Enumerable.Range(0, 100).Select(i => PrefixedId.New<PayoutId>(Now.AddMilliseconds(i)).ToString()).ToArray();

        Assert.Equal(ids.Order(StringComparer.Ordinal), ids);
    }

    [Fact]
    public void Bucket_ManyMerchants_FillEveryLiveBucket()
    {
        var buckets = Enumerable.Range(0, 5_000).Select(_ => PrefixedId.New<MerchantId>(Now).Bucket).GroupBy(bucket => bucket).ToArray();

        Assert.Equal(MerchantId.LiveBuckets, buckets.Length);
        Assert.All(buckets, bucket => Assert.InRange(bucket.Key, 0, MerchantId.LiveBuckets - 1));
    }

    [Fact]
    public void In_EitherMode_IsTheOtherAccountOfTheSameMerchant()
    {
        for (var i = 0; i < 200; i++)
        {
            var live = PrefixedId.New<MerchantId>(Now);
            var test = live.In(Mode.Test);

            Assert.Equal((Mode.Live, Mode.Test), (live.Mode, test.Mode));
            Assert.Equal(live, test.In(Mode.Live));
            Assert.Equal((live, test), (live.In(Mode.Live), test.In(Mode.Test)));
            Assert.Equal(live.Bucket + MerchantId.LiveBuckets, test.Bucket);
        }
    }

    [Fact]
    public void New_PayoutOfAMerchant_HoldsItsBucket()
    {
        for (var i = 0; i < 200; i++)
        {
            var merchant = PrefixedId.New<MerchantId>(Now).In(i % 2 == 0 ? Mode.Live : Mode.Test);

            Assert.Equal(merchant.Bucket, PayoutId.New(merchant, Now).Bucket);
        }
    }
}
