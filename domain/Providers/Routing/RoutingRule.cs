namespace Payments.Domain.Providers.Routing;

/// <param name="Weight">
/// The share of charges that begin at this provider, relative to the other weights. A provider with weight 0 comes only after the others,
/// in the order of the rule.
/// </param>
public sealed record RoutingTarget(string Provider, int Weight);

/// <summary>
/// One rule: the charges that it matches, and the providers that it chooses among. An empty or null condition matches every charge.
/// </summary>
/// <param name="Currencies">ISO 4217.</param>
/// <param name="CardCountries">ISO 3166-1 alpha-2 of the card's issuer.</param>
/// <param name="CardBrands">In lower case, as providers spell them: <c>visa</c>.</param>
/// <param name="AmountMin">
/// Minor units, inclusive. Allowed only with exactly one currency, because minor units of two currencies do not compare.
/// </param>
/// <param name="AmountMax">Minor units, inclusive.</param>
/// <param name="MaxAttempts">The largest number of providers at which a charge is tried.</param>
public sealed record RoutingRule(
    string? Name,
    IReadOnlyList<string> Currencies,
    IReadOnlyList<string> CardCountries,
    IReadOnlyList<string> CardBrands,
    long? AmountMin,
    long? AmountMax,
    IReadOnlyList<RoutingTarget> Targets,
    int MaxAttempts);

/// <summary>The facts about a charge before any provider is called.</summary>
/// <param name="CardBrand">Null if the caller did not say. A rule with a condition on the brand then does not match.</param>
/// <param name="CardCountry">Null if the caller did not say. A rule with a condition on the country then does not match.</param>
public sealed record RoutingFacts(Money Amount, string? CardBrand, string? CardCountry);
