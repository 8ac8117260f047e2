namespace Payments.Domain.Providers.Routing;

/// <summary>The rules of routing. Pure: the same charge always takes the same way.</summary>
public static class Route
{
    /// <summary>The most providers that one charge is tried at.</summary>
    public const int MostAttempts = 5;

    /// <summary>
    /// The providers that a charge is tried at, in order. The first rule that matches and names a usable provider decides; without one the default stands alone.
    /// </summary>
    /// <param name="usable">Whether a provider is configured here and can use the payment method.</param>
    /// <param name="seed">Of the charge: decides by weight, the same way each time.</param>
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
    /// Whether another provider may be tried after this answer. Only when it is certain that nothing was carried out, and only where another
    /// processor may see it otherwise: what the issuer or the card decided is the same everywhere, and asking again is fined by the schemes. Never after an
    /// unknown outcome: it may have charged.
    /// </summary>
    public static bool MayGoOn(PaymentAnswer answer) => answer.Result switch
    {
        PaymentResult.NotSent => true,
        PaymentResult.Declined => answer.Decline is { } code && DependsOnProcessor(code),
        PaymentResult.Authorized or PaymentResult.Succeeded or PaymentResult.Pending or PaymentResult.RequiresAction or PaymentResult.Canceled
            or PaymentResult.Expired or PaymentResult.Unknown => false,
    };

    /// <summary>The retryable declines that may be different at another processor.</summary>
    public static bool DependsOnProcessor(DeclineCode code) => code switch
    {
        DeclineCode.DoNotHonor or DeclineCode.IssuerUnavailable or DeclineCode.ProcessingError or DeclineCode.ProviderUnavailable => true,
        DeclineCode.AuthenticationFailed or DeclineCode.AuthenticationRequired or DeclineCode.CardNotSupported or DeclineCode.CurrencyNotSupported or DeclineCode.ExpiredCard
            or DeclineCode.Fraudulent or DeclineCode.IncorrectCvc or DeclineCode.InsufficientFunds or DeclineCode.InvalidAccount or DeclineCode.InvalidAmount
            or DeclineCode.InvalidRequest or DeclineCode.LimitExceeded or DeclineCode.LostCard or DeclineCode.NotPermitted or DeclineCode.RestrictedCard
            or DeclineCode.StolenCard => false,
    };

    /// <summary>Draws without putting back, by weight; what weighs nothing follows in the order written.</summary>
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

    // SplitMix64 (Steele, Lea, Flood 2014): a few well-mixed numbers from one seed, without a generator to keep.
    private static ulong Next(ref ulong state)
    {
        state = unchecked(state + 0x9E3779B97F4A7C15UL);
        var mixed = state;
        mixed = unchecked((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9UL);
        mixed = unchecked((mixed ^ (mixed >> 27)) * 0x94D049BB133111EBUL);
        return mixed ^ (mixed >> 31);
    }
}
