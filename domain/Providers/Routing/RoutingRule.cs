namespace Payments.Domain.Providers.Routing;

/// <param name="Weight">The share of charges that begin here, beside the weights of the others; 0 only comes after them, in the order written.</param>
public sealed record RoutingTarget(string Provider, int Weight);

/// <summary>One rule: what it is for, and the providers that it chooses among. What is empty or null restricts nothing.</summary>
/// <param name="Currencies">ISO 4217.</param>
/// <param name="CardCountries">ISO 3166-1 alpha-2 of the card's issuer.</param>
/// <param name="CardBrands">In lower case, as providers spell them: <c>visa</c>.</param>
/// <param name="AmountMin">Minor units, inclusive; only with exactly one currency, since minor units of two do not compare.</param>
/// <param name="AmountMax">Minor units, inclusive.</param>
/// <param name="MaxAttempts">How many providers are tried at most.</param>
public sealed record RoutingRule(
    string? Name,
    IReadOnlyList<string> Currencies,
    IReadOnlyList<string> CardCountries,
    IReadOnlyList<string> CardBrands,
    long? AmountMin,
    long? AmountMax,
    IReadOnlyList<RoutingTarget> Targets,
    int MaxAttempts);

/// <summary>What is known of a charge before any provider is asked.</summary>
/// <param name="CardBrand">Null where the caller did not say; then no rule matches that asks for one.</param>
/// <param name="CardCountry">Likewise.</param>
public sealed record RoutingFacts(Money Amount, string? CardBrand, string? CardCountry);
