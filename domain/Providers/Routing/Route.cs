namespace Payments.Domain.Providers.Routing;

/// <summary>The rules of routing. Pure: the same charge always has the same route.</summary>
public static class Route
{
    /// <summary>The largest number of providers at which a charge is tried.</summary>
    public const int MostAttempts = 5;

    /// <summary>
    /// The route of a charge: its providers, in the order in which they are tried. The first rule that matches and names a usable provider
    /// decides. Without such a rule, the route is the default provider alone.
    /// </summary>
    /// <param name="usable">Whether a provider is configured here and can use the payment method.</param>
    /// <param name="seed">A number that depends only on the charge. It makes the draw by weight repeatable.</param>
    public static IReadOnlyList<string> Plan(IReadOnlyList<RoutingRule> rules, RoutingFacts facts, string defaultProvider, Func<string, bool> usable, ulong seed)
    {
        foreach (var rule in rules)
        {
            if (!Matches(rule, facts))
                continue;
            var targets = rule.Targets.Where(target => usable(target.Provider)).ToList();
            if (targets.Count > 0)
                return [.. Order(targets, seed).Take(Math.Clamp(rule.MaxAttempts, 1, MostAttempts))];
        }

        return [defaultProvider];
    }

    public static bool Matches(RoutingRule rule, RoutingFacts facts) =>
        Among(rule.Currencies, facts.Amount.Currency.Code)
        && Among(rule.CardCountries, facts.CardCountry)
        && Among(rule.CardBrands, facts.CardBrand)
        && (rule.AmountMin is not { } least || facts.Amount.MinorUnits >= least)
        && (rule.AmountMax is not { } most || facts.Amount.MinorUnits <= most);

    /// <summary>
    /// Whether another provider may be tried after this answer. It must be certain that nothing was carried out, and another provider must
    /// be able to decide differently. A decision of the issuer or the card is the same everywhere, and card schemes fine repeats. Never
    /// after an unknown outcome: the provider may have charged.
    /// </summary>
    public static bool MayGoOn(PaymentAnswer answer) => answer.Result switch
    {
        PaymentResult.NotSent => true,
        PaymentResult.Declined => answer.Decline is { } code && DependsOnProcessor(code),
        PaymentResult.Authorized or PaymentResult.Succeeded or PaymentResult.Pending or PaymentResult.RequiresAction or PaymentResult.Canceled
            or PaymentResult.Expired or PaymentResult.Unknown => false,
    };

    /// <summary>The retryable declines that may turn out differently at another provider.</summary>
    public static bool DependsOnProcessor(DeclineCode code) => code switch
    {
        DeclineCode.DoNotHonor or DeclineCode.IssuerUnavailable or DeclineCode.ProcessingError or DeclineCode.ProviderUnavailable => true,
        DeclineCode.AuthenticationFailed or DeclineCode.AuthenticationRequired or DeclineCode.CardNotSupported or DeclineCode.CurrencyNotSupported or DeclineCode.ExpiredCard
            or DeclineCode.Fraudulent or DeclineCode.IncorrectCvc or DeclineCode.InsufficientFunds or DeclineCode.InvalidAccount or DeclineCode.InvalidAmount
            or DeclineCode.InvalidRequest or DeclineCode.LimitExceeded or DeclineCode.LostCard or DeclineCode.NotPermitted or DeclineCode.RestrictedCard
            or DeclineCode.StolenCard => false,
    };

    /// <summary>Draws targets by weight, without replacement. Targets with weight 0 follow in the order of the rule.</summary>
    private static IEnumerable<string> Order(List<RoutingTarget> targets, ulong seed)
    {
        var state = seed;
        var left = targets.Where(target => target.Weight > 0).ToList();
        while (left.Count > 0)
        {
            var total = left.Sum(target => (long)target.Weight);
            var drawn = (long)(Next(ref state) % (ulong)total);
            var index = 0;
            while (drawn >= left[index].Weight)
                drawn -= left[index++].Weight;
            yield return left[index].Provider;
            left.RemoveAt(index);
        }

        foreach (var target in targets.Where(target => target.Weight <= 0))
            yield return target.Provider;
    }

    private static bool Among(IReadOnlyList<string> allowed, string? value) => allowed.Count == 0 || (value is not null && allowed.Contains(value, StringComparer.Ordinal));

    // SplitMix64 (Steele, Lea, Flood 2014) yields a few well-mixed numbers from one seed, without state to keep.
    private static ulong Next(ref ulong state)
    {
        state = unchecked(state + 0x9E3779B97F4A7C15UL);
        var mixed = state;
        mixed = unchecked((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9UL);
        mixed = unchecked((mixed ^ (mixed >> 27)) * 0x94D049BB133111EBUL);
        return mixed ^ (mixed >> 31);
    }
}
