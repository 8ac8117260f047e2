using Payments.Domain.Disputes;
using static Payments.Domain.Disputes.DisputeStatus;

namespace Payments.Domain.Tests.Disputes;

public sealed class DisputeTransitionsTests
{
    private static readonly Dictionary<DisputeStatus, DisputeStatus[]> InStage = new()
    {
        [WarningNeedsResponse] = [WarningUnderReview, WarningClosed, Prevented],
        [WarningUnderReview] = [WarningNeedsResponse, WarningClosed, Prevented],
        [WarningClosed] = [Prevented],
        [Prevented] = [WarningClosed],
        [NeedsResponse] = [Expired, UnderReview, Accepted, Won, Lost],
        [Expired] = [NeedsResponse, UnderReview, Accepted, Won, Lost],
        [UnderReview] = [NeedsResponse, Accepted, Won, Lost],
        [Accepted] = [Won, Lost],
        [Won] = [Lost],
        [Lost] = [Won],
    };

    public static TheoryData<DisputeStage, DisputeStatus, DisputeStage, DisputeStatus> Matrix()
    {
        var rows = new TheoryData<DisputeStage, DisputeStatus, DisputeStage, DisputeStatus>();
        foreach (var fromStage in Enum.GetValues<DisputeStage>())
        {
            foreach (var from in Enum.GetValues<DisputeStatus>())
            {
                foreach (var toStage in Enum.GetValues<DisputeStage>())
                {
                    foreach (var to in Enum.GetValues<DisputeStatus>())
                    {
                        rows.Add(fromStage, from, toStage, to);
                    }
                }
            }
        }

        return rows;
    }

    [Fact]
    public void Allows_WholeMatrix_IsWhatTheTableSays()
    {
        foreach (var row in Matrix())
        {
            var (fromStage, from, toStage, to) = row.Data;
            var expected = Legal(fromStage, from) && Legal(toStage, to)
                && (toStage > fromStage || (toStage == fromStage && InStage[from].Contains(to)));
            Assert.True(expected == DisputeTransitions.Allows(fromStage, from, toStage, to), $"{fromStage}/{from} -> {toStage}/{to}");
        }
    }

    [Theory]
    [InlineData(DisputeStage.Chargeback, Won, DisputeStage.PreArbitration, NeedsResponse, true)]
    [InlineData(DisputeStage.PreArbitration, NeedsResponse, DisputeStage.Chargeback, Won, false)]
    [InlineData(DisputeStage.EarlyWarning, Prevented, DisputeStage.Chargeback, NeedsResponse, true)]
    [InlineData(DisputeStage.Chargeback, WarningClosed, DisputeStage.Arbitration, NeedsResponse, false)]
    [InlineData(DisputeStage.Inquiry, WarningNeedsResponse, DisputeStage.Chargeback, WarningClosed, false)]
    public void Allows_AcrossStages_OnlyForwardsWithAStatusOfTheStage(DisputeStage fromStage, DisputeStatus from, DisputeStage toStage, DisputeStatus to, bool expected) =>
        Assert.Equal(expected, DisputeTransitions.Allows(fromStage, from, toStage, to));

    [Theory]
    [InlineData(WarningNeedsResponse, false, true)]
    [InlineData(WarningUnderReview, false, false)]
    [InlineData(WarningClosed, true, false)]
    [InlineData(Prevented, true, false)]
    [InlineData(NeedsResponse, false, true)]
    [InlineData(Expired, true, false)]
    [InlineData(UnderReview, false, false)]
    [InlineData(Accepted, true, false)]
    [InlineData(Won, true, false)]
    [InlineData(Lost, true, false)]
    public void Status_EachOne_IsClosedOrAwaitsAResponse(DisputeStatus status, bool closed, bool awaits)
    {
        Assert.Equal(closed, DisputeTransitions.IsClosed(status));
        Assert.Equal(awaits, DisputeTransitions.AwaitsResponse(status));
    }

    private static bool Legal(DisputeStage stage, DisputeStatus status) =>
        stage < DisputeStage.Chargeback == status is WarningNeedsResponse or WarningUnderReview or WarningClosed or Prevented;
}
