using Payments.Domain.Disputes;

namespace Payments.Domain.Tests.Disputes;

public sealed class DisputeReasonsTests
{
    [Theory]
    [InlineData("visa", "10.4", DisputeReason.Fraudulent)]
    [InlineData("visa", "12.6.1", DisputeReason.Duplicate)]
    [InlineData("visa", "13.9", DisputeReason.ProductNotReceived)]
    [InlineData("visa", "13.2", DisputeReason.SubscriptionCanceled)]
    [InlineData("visa", "13.5", DisputeReason.ProductUnacceptable)]
    [InlineData("visa", "13.7", DisputeReason.CreditNotProcessed)]
    [InlineData("visa", "13.8", DisputeReason.General)]
    [InlineData("visa", "99.9", DisputeReason.General)]
    [InlineData("mastercard", "4837", DisputeReason.Fraudulent)]
    [InlineData("mc", "4853", DisputeReason.General)]
    [InlineData("amex", "c08", DisputeReason.ProductNotReceived)]
    [InlineData("american_express", "P08", DisputeReason.Duplicate)]
    [InlineData("discover", "UA02", DisputeReason.Fraudulent)]
    [InlineData(null, " 4837 ", DisputeReason.Fraudulent)]
    [InlineData("visa", null, DisputeReason.General)]
    [InlineData("visa", "4837", DisputeReason.General)]
    public void FromNetwork_Code_IsItsNeutralReason(string? network, string? code, DisputeReason expected) =>
        Assert.Equal(expected, DisputeReasons.FromNetwork(network, code));

    [Theory]
    [InlineData("visa", 30)]
    [InlineData("Mastercard", 45)]
    [InlineData("amex", 20)]
    [InlineData("discover", 30)]
    [InlineData("girocard", 20)]
    [InlineData(null, 20)]
    public void DefaultDays_Network_IsItsUsualLimit(string? network, int days) => Assert.Equal(days, EvidenceDeadlines.DefaultDays(network));

    [Fact]
    public void Default_EarlyWarning_HasNoDeadline() =>
        Assert.Null(EvidenceDeadlines.Default("visa", DisputeStage.EarlyWarning, Any.Start));
}
