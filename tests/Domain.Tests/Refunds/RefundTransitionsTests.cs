using Payments.Domain.Refunds;
using static Payments.Domain.Refunds.RefundStatus;

namespace Payments.Domain.Tests.Refunds;

public sealed class RefundTransitionsTests
{
    private static readonly HashSet<(RefundStatus From, RefundStatus To)> Legal =
    [
        (Pending, Processing), (Pending, Succeeded), (Pending, Failed),
        (Processing, Pending), (Processing, Succeeded), (Processing, Failed),
        (Succeeded, Failed),
    ];

    [Fact]
    public void Allows_EveryPair_AsTheTableSays()
    {
        foreach (var from in Enum.GetValues<RefundStatus>())
        {
            foreach (var to in Enum.GetValues<RefundStatus>())
                Assert.Equal(Legal.Contains((from, to)), RefundTransitions.Allows(from, to));
        }
    }
}
