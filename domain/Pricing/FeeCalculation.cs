using System.Text.Json.Serialization;

namespace Payments.Domain.Pricing;

/// <summary>The kind of a part of a fee.</summary>
[JsonConverter(typeof(SnakeCaseEnum<FeePartType>))]
public enum FeePartType
{
    /// <summary>A share of the amount, or of the part of it that lies in one tier.</summary>
    Percentage,

    /// <summary>The fixed part.</summary>
    Fixed,

    /// <summary>The amount that raises the fee to the rule's minimum.</summary>
    Minimum,

    /// <summary>The amount that lowers the fee to the rule's maximum; negative.</summary>
    Maximum,

    /// <summary>The amount that lowers the fee to the captured amount, if the plan does not allow more; negative.</summary>
    AmountLimit,
}

/// <summary>One part of a fee, in minor units. The parts of a fee sum to it.</summary>
/// <param name="BasisPoints">The share, for a percentage.</param>
/// <param name="Of">The amount that the share is taken of, for a percentage.</param>
public sealed record FeePart(FeePartType Type, long Amount, int? BasisPoints = null, long? Of = null);

/// <summary>The captures that the applied rule is for. A field that the rule leaves open is absent.</summary>
public sealed record FeeRuleSelector(string? Currency, string? Method, string? CardBrand, CardRegion? CardRegion)
{
    internal static FeeRuleSelector Of(FeeRule rule) => new(rule.Currency?.ToUpperInvariant(), rule.Method, rule.CardBrand, rule.CardRegion);
}

/// <summary>What one capture cost and why. Amounts are minor units of the capture's currency.</summary>
/// <param name="Amount">What was captured.</param>
/// <param name="Fee">The sum of <paramref name="Parts"/>.</param>
/// <param name="PlanVersion">The version of the merchant's plan that was in force.</param>
/// <param name="Rule">The rule that was applied. Null if none matched: then the capture was free.</param>
/// <param name="VolumeBefore">The volume of the month before this capture; null if the rule has no tiers.</param>
public sealed record FeeDetail(long Amount, long Fee, int PlanVersion, FeeRuleSelector? Rule, long? VolumeBefore, IReadOnlyList<FeePart> Parts);

/// <summary>Computes the fee of a capture. It is pure, and the only source of fees: charges, quotes and their tests call it.</summary>
/// <remarks>
/// Tiers are marginal: each part of the month's volume has the price of the tier that it lies in. So reaching a threshold never changes the
/// price of earlier captures. The shares of a month depend on its volume, not on the order of captures, except for rounding. A capture that
/// crosses a threshold is priced in parts. The fixed part is that of the tier in which the capture begins. The share is rounded once for
/// each capture, half away from zero, to a whole minor unit. The parts of a capture in several tiers are rounded so that they sum to it.
/// Then the minimum, the maximum and the limit at the amount are applied, in this order. A fee is never negative.
/// </remarks>
public static class FeeCalculation
{
    /// <param name="volumeBefore">The volume captured in this month and currency before, in minor units.</param>
    public static FeeDetail Of(FeePlan plan, int planVersion, FeeSubject subject, long volumeBefore)
    {
        var amount = subject.Amount.MinorUnits;
        ArgumentOutOfRangeException.ThrowIfNegative(amount, nameof(subject));
        ArgumentOutOfRangeException.ThrowIfNegative(volumeBefore);
        if (plan.RuleFor(subject) is not { } rule)
            return new FeeDetail(amount, 0, planVersion, null, null, []);

        var parts = new List<FeePart>(2);
        var fee = AddShares(parts, rule, amount, volumeBefore);
        if (FixedPartAt(rule, volumeBefore) is > 0 and var fixedPart)
            fee += Add(parts, FeePartType.Fixed, fixedPart);
        if (fee < rule.Minimum)
            fee += Add(parts, FeePartType.Minimum, rule.Minimum - fee);
        if (fee > rule.Maximum)
            fee += Add(parts, FeePartType.Maximum, rule.Maximum.Value - fee);
        if (fee > amount && !plan.MayExceedAmount)
            fee += Add(parts, FeePartType.AmountLimit, amount - fee);
        return new FeeDetail(amount, fee, planVersion, FeeRuleSelector.Of(rule), rule.Tiers is { Count: > 0 } ? volumeBefore : null, parts);
    }

    /// <summary>
    /// How much of a charge's fee goes back with a refund. After the refund, the merchant has back the fee's share of everything that was
    /// refunded, rounded down. So refunds in any number of parts give back what one refund would, and all of the fee once everything is
    /// refunded.
    /// </summary>
    /// <param name="fee">The fee of all captures so far.</param>
    /// <param name="alreadyReturned">What earlier refunds gave back.</param>
    /// <param name="captured">What was captured so far.</param>
    /// <param name="refunded">What is refunded, this refund included.</param>
    public static Money ReturnedFee(RefundFeePolicy policy, Money fee, Money alreadyReturned, Money captured, Money refunded)
    {
        if (policy is RefundFeePolicy.Kept || captured.IsZero)
            return Money.Zero(fee.Currency);
        var share = (long)((Int128)fee.MinorUnits * Math.Min(refunded.MinorUnits, captured.MinorUnits) / captured.MinorUnits);
        return new Money(Math.Max(0, share - alreadyReturned.MinorUnits), fee.Currency);
    }

    private static long AddShares(List<FeePart> parts, FeeRule rule, long amount, long volumeBefore)
    {
        // Each part is its addition to the rounded sum so far. So the parts sum to the total exactly, and none is negative, because the sum
        // only grows.
        Int128 exact = 0;
        var (rounded, position, end) = (0L, (Int128)volumeBefore, (Int128)volumeBefore + amount);
        for (var i = -1; i < (rule.Tiers?.Count ?? 0) && position < end; i++)
        {
            var next = i + 1 < (rule.Tiers?.Count ?? 0) ? (Int128)rule.Tiers![i + 1].From : Int128.MaxValue;
            if (position >= next)
                continue;
            var basisPoints = i < 0 ? rule.BasisPoints : rule.Tiers![i].BasisPoints;
            var part = Int128.Min(end, next) - position;
            position += part;
            exact += part * basisPoints;
            var sum = (long)((exact + 5_000) / 10_000);
            if (basisPoints > 0)
                parts.Add(new FeePart(FeePartType.Percentage, sum - rounded, basisPoints, (long)part));
            rounded = sum;
        }

        return rounded;
    }

    private static long FixedPartAt(FeeRule rule, long volume)
    {
        var fixedPart = rule.Fixed;
        foreach (var tier in rule.Tiers ?? [])
        {
            if (volume < tier.From)
                break;
            fixedPart = tier.Fixed;
        }

        return fixedPart;
    }

    private static long Add(List<FeePart> parts, FeePartType type, long amount)
    {
        parts.Add(new FeePart(type, amount));
        return amount;
    }
}
