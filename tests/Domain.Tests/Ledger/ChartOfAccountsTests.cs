using Payments.Domain.Database;
using Payments.Domain.Ledger;

namespace Payments.Domain.Tests.Ledger;

public sealed class ChartOfAccountsTests
{
    private static readonly MerchantId Merchant = new(new Guid("019b7c5a-3c08-7000-8000-000000000007"));

    [Fact]
    public void RulesOf_MerchantsAccounts_StopAtZeroAndAreTheMerchants()
    {
        foreach (var account in new[]
        {
            ChartOfAccounts.MerchantPending(Merchant, Currency.Eur), ChartOfAccounts.MerchantAvailable(Merchant, Currency.Eur),
            ChartOfAccounts.MerchantReserve(Merchant, Currency.Eur), ChartOfAccounts.MerchantDisputed(Merchant, Currency.Eur),
            ChartOfAccounts.MerchantInTransit(Merchant, Currency.Eur),
        })
        {
            Assert.Equal(new AccountRules(CreditNormal: true, MinBalance: 0, Merchant), ChartOfAccounts.RulesOf(account.Name));
        }
    }

    [Fact]
    public void RulesOf_WhatOthersOweAndCosts_AreDebitNormal()
    {
        foreach (var account in new[]
        {
            ChartOfAccounts.ProcessorClearing("sandbox", Currency.Eur), ChartOfAccounts.BankSettlement(Currency.Eur),
            ChartOfAccounts.PlatformProcessingCosts(Currency.Eur), ChartOfAccounts.PlatformDisputeLosses(Currency.Eur), ChartOfAccounts.PlatformWriteOffs(Currency.Eur),
        })
        {
            Assert.Equal(new AccountRules(CreditNormal: false, null, null), ChartOfAccounts.RulesOf(account.Name));
        }
    }

    [Fact]
    public void RulesOf_EarningsAndPositions_AreCreditNormal()
    {
        foreach (var account in new[] { ChartOfAccounts.PlatformFees(Currency.Eur), ChartOfAccounts.PlatformSuspense(Currency.Eur), ChartOfAccounts.ForeignExchange(Currency.Eur) })
            Assert.Equal(new AccountRules(CreditNormal: true, null, null), ChartOfAccounts.RulesOf(account.Name));
    }

    [Theory]
    [InlineData("")]
    [InlineData("platform")]
    [InlineData("platform/typo")]
    [InlineData("merchant/mer_1/pending")]
    [InlineData("merchant/mer_019b7c5a3c0870008000000000000007/typo")]
    [InlineData("processor//clearing")]
    public void RulesOf_NoAccountOfTheChart_Throws(string name) => Assert.Throws<ArgumentException>(() => ChartOfAccounts.RulesOf(name));

    [Fact]
    public void DbText_EachStatus_ReadsBackAndNumbersDoNot()
    {
        foreach (var status in Enum.GetValues<PostingStatus>())
            Assert.Equal(status, DbText.Parse<PostingStatus>(DbText.Of(status)));
        Assert.Equal("exists_with_different_content", DbText.Of(PostingStatus.ExistsWithDifferentContent));
        Assert.Throws<FormatException>(() => DbText.Parse<PostingStatus>("1"));
        Assert.Throws<ArgumentOutOfRangeException>(() => DbText.Of((PostingStatus)99));
    }
}
