using System.Text.Json.Serialization;

namespace Payments.Domain.Pricing;

/// <summary>The price of the part of a month's volume that lies above a threshold.</summary>
/// <param name="From">The volume from which it holds, in minor units of the rule's currency.</param>
/// <param name="Fixed">Minor units, for each capture that begins in this tier.</param>
public sealed record FeeTier(long From, int BasisPoints, long Fixed);

/// <summary>
/// What captures of one kind cost: a share of the amount plus a fixed part, within a minimum and a maximum. Fixed parts are minor units. A
/// selector that is null matches every value.
/// </summary>
/// <param name="Currency">ISO 4217 code. Null: every currency.</param>
/// <param name="Method">The kind of payment method, such as <c>card</c>.</param>
/// <param name="CardBrand">The card's network as the provider names it, such as <c>visa</c>.</param>
/// <param name="CardRegion">Where the card comes from, seen from the merchant.</param>
/// <param name="Minimum">The least fee of a capture.</param>
/// <param name="Maximum">The largest fee of a capture. Null: no limit.</param>
/// <param name="Tiers">
/// Other prices from thresholds of the merchant's monthly volume on, ascending. A rule with tiers must name its currency.
/// </param>
public sealed record FeeRule(
    string? Currency,
    int BasisPoints,
    long Fixed,
    long Minimum = 0,
    long? Maximum = null,
    string? Method = null,
    string? CardBrand = null,
    CardRegion? CardRegion = null,
    IReadOnlyList<FeeTier>? Tiers = null)
{
    /// <summary>
    /// How narrowly the rule selects. The currency counts most, then the brand, the region and the method. A plan with two rules that name
    /// the same things with the same values is refused. So of two rules that match one capture, one is narrower.
    /// </summary>
    internal int Narrowness => (Currency is null ? 0 : 8) + (CardBrand is null ? 0 : 4) + (CardRegion is null ? 0 : 2) + (Method is null ? 0 : 1);

    internal bool Matches(FeeSubject subject) =>
        (Currency is null || string.Equals(Currency, subject.Amount.Currency.Code, StringComparison.OrdinalIgnoreCase))
        && (Method is null || string.Equals(Method, subject.Method, StringComparison.OrdinalIgnoreCase))
        && (CardBrand is null || string.Equals(CardBrand, subject.CardBrand, StringComparison.OrdinalIgnoreCase))
        && (CardRegion is null || CardRegion == subject.CardRegion);

    internal Refusal? Validate(string at)
    {
        if (Currency is not null && !Domain.Currency.TryParse(Currency, out _))
            return Refusal.Invalid($"{at}.currency", $"'{Currency}' is not an ISO 4217 currency code.");
        if (Method is not null && !IsWord(Method))
            return Refusal.Invalid($"{at}.method", "`method` must have 1 to 40 lower-case letters, digits and underscores, such as card.");
        if (CardBrand is not null && !IsWord(CardBrand))
            return Refusal.Invalid($"{at}.card_brand", "`card_brand` must have 1 to 40 lower-case letters, digits and underscores, such as visa.");
        if (Method is not null and not FeeSubject.CardMethod && (CardBrand is not null || CardRegion is not null))
            return Refusal.Invalid($"{at}.method", "`method` must be card in a rule with `card_brand` or `card_region`.");
        if (BasisPoints is < 0 or > 10_000)
            return Refusal.Invalid($"{at}.basis_points", "`basis_points` must be from 0 to 10000.");
        if (Fixed is < 0 or > FeePlan.MaximumFixed)
            return Refusal.Invalid($"{at}.fixed", $"`fixed` must be from 0 to {FeePlan.MaximumFixed} minor units.");
        if (Minimum is < 0 or > FeePlan.MaximumFixed)
            return Refusal.Invalid($"{at}.minimum", $"`minimum` must be from 0 to {FeePlan.MaximumFixed} minor units.");
        if (Maximum < Minimum)
            return Refusal.Invalid($"{at}.maximum", "`maximum` must not be below `minimum`.");
        return ValidateTiers(at);
    }

    private Refusal? ValidateTiers(string at)
    {
        if (Tiers is not { Count: > 0 } tiers)
            return null;
        if (Currency is null)
            return Refusal.Invalid($"{at}.tiers", "A rule with `tiers` must name its `currency`.");
        if (tiers.Count > FeePlan.MaximumTiers)
            return Refusal.Invalid($"{at}.tiers", $"`tiers` must hold at most {FeePlan.MaximumTiers} tiers.");
        for (var i = 0; i < tiers.Count; i++)
        {
            if (tiers[i].From is <= 0 or > FeePlan.MaximumVolume || (i > 0 && tiers[i].From <= tiers[i - 1].From))
                return Refusal.Invalid($"{at}.tiers[{i}].from", $"`from` must be 1 to {FeePlan.MaximumVolume} minor units, and more than in the tier before.");
            if (tiers[i].BasisPoints is < 0 or > 10_000)
                return Refusal.Invalid($"{at}.tiers[{i}].basis_points", "`basis_points` must be from 0 to 10000.");
            if (tiers[i].Fixed is < 0 or > FeePlan.MaximumFixed)
                return Refusal.Invalid($"{at}.tiers[{i}].fixed", $"`fixed` must be from 0 to {FeePlan.MaximumFixed} minor units.");
        }

        return null;
    }

    private static bool IsWord(string text) =>
        text is { Length: > 0 and <= 40 } && text.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '_');
}

/// <summary>What happens to the fee when captured money is refunded.</summary>
[JsonConverter(typeof(SnakeCaseEnum<RefundFeePolicy>))]
public enum RefundFeePolicy
{
    /// <summary>The platform keeps it.</summary>
    Kept,

    /// <summary>
    /// The merchant gets it back in proportion to the part of the captures that is refunded, and all of it once everything is refunded.
    /// </summary>
    Returned,
}

/// <summary>How much the platform keeps of captured amounts. Immutable: a change is a new version of a merchant's plan.</summary>
public sealed record FeePlan(IReadOnlyList<FeeRule> Rules)
{
    /// <summary>The largest fixed part, minimum or maximum, in minor units.</summary>
    public const long MaximumFixed = 1_000_000;

    public const int MaximumRules = 200;
    public const int MaximumTiers = 20;
    public const long MaximumVolume = 1_000_000_000_000_000;

    /// <summary>
    /// Whether a fee may exceed the captured amount, so that the merchant owes the rest. If false, a fee ends at the amount.
    /// </summary>
    public bool MayExceedAmount { get; init; }

    /// <summary>What a refund does to the fee.</summary>
    public RefundFeePolicy FeeOnRefund { get; init; }

    /// <summary>What disputes cost; null means <see cref="DisputeFeePlan.Standard"/>.</summary>
    public DisputeFeePlan? Disputes { get; init; }

    /// <summary>2.9 % and a fixed part of 30 minor units, in KWD of 100.</summary>
    public static FeePlan Standard { get; } = new([new("JPY", 290, 30), new("KWD", 290, 100), new(null, 290, 30)]);

    /// <summary>Why the plan cannot be used, or null.</summary>
    public Refusal? Validate(string param)
    {
        if (Rules is null)
            return Refusal.Invalid($"{param}.rules", "`rules` is required. Send an empty list to charge no fees.");
        if (Rules.Count > MaximumRules)
            return Refusal.Invalid($"{param}.rules", $"`rules` must hold at most {MaximumRules} rules.");
        for (var i = 0; i < Rules.Count; i++)
        {
            if (Rules[i] is null)
                return Refusal.Invalid($"{param}.rules[{i}]", "A rule must be an object.");
            if (Rules[i].Validate($"{param}.rules[{i}]") is { } refusal)
                return refusal;
        }

        if (Rules.Select(rule => (rule.Currency?.ToUpperInvariant(), rule.Method, rule.CardBrand, rule.CardRegion)).Distinct().Count() != Rules.Count)
            return Refusal.Invalid($"{param}.rules", "Two rules name the same captures. Send one rule for each combination of currency, method, brand and region.");
        return Disputes?.Validate($"{param}.disputes");
    }

    /// <summary>Whether the fee of a capture in the currency can depend on the month's volume.</summary>
    public bool HasTiers(Currency currency)
    {
        foreach (var rule in Rules)
        {
            if (rule.Tiers is { Count: > 0 } && string.Equals(rule.Currency, currency.Code, StringComparison.OrdinalIgnoreCase))
                return true;
        }

        return false;
    }

    /// <summary>The narrowest rule that matches, or null: then the capture is free.</summary>
    public FeeRule? RuleFor(FeeSubject subject)
    {
        FeeRule? found = null;
        foreach (var rule in Rules)
        {
            if (rule.Matches(subject) && (found is null || rule.Narrowness > found.Narrowness))
                found = rule;
        }

        return found;
    }
}
