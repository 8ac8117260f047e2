using Payments.Domain.Charges;
using static Payments.Domain.Charges.ChargeStatus;

namespace Payments.Domain.Tests.Charges;

public sealed class ChargeTransitionsTests
{
    private static readonly HashSet<(ChargeStatus From, ChargeStatus To)> Legal =
    [
        (Pending, RequiresAction), (Pending, Processing), (Pending, Authorized), (Pending, Captured), (Pending, Declined), (Pending, Canceled), (Pending, Expired),
        (Processing, RequiresAction), (Processing, Authorized), (Processing, Captured), (Processing, Declined), (Processing, Canceled), (Processing, Expired),
        (RequiresAction, Processing), (RequiresAction, Authorized), (RequiresAction, Captured), (RequiresAction, Declined), (RequiresAction, Canceled), (RequiresAction, Expired),
        (Authorized, PartiallyCaptured), (Authorized, Captured), (Authorized, Canceled), (Authorized, Expired),
        (PartiallyCaptured, Captured),
    ];

    public static TheoryData<ChargeStatus, ChargeStatus> Matrix()
    {
        var matrix = new TheoryData<ChargeStatus, ChargeStatus>();
        foreach (var from in Enum.GetValues<ChargeStatus>())
        {
            foreach (var to in Enum.GetValues<ChargeStatus>())
                matrix.Add(from, to);
        }

        return matrix;
    }

    [Theory]
    [MemberData(nameof(Matrix))]
    public void Allows_EveryPair_AsTheTableSays(ChargeStatus from, ChargeStatus to) =>
        Assert.Equal(Legal.Contains((from, to)), ChargeTransitions.Allows(from, to));

    [Theory]
    [InlineData(Captured)]
    [InlineData(Canceled)]
    [InlineData(Declined)]
    [InlineData(Expired)]
    public void IsTerminal_AnEnd_IsTrue(ChargeStatus status) => Assert.True(ChargeTransitions.IsTerminal(status));
}
