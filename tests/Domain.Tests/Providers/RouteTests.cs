using FsCheck;
using FsCheck.Fluent;
using Payments.Domain.Providers;
using Payments.Domain.Providers.Routing;

namespace Payments.Domain.Tests.Providers;

/// <summary>The rules of routing: who is asked, in which order, and when it ends.</summary>
public sealed class RouteTests
{
    private static readonly string[] All = ["a", "b", "c", "d", "e", "f"];

    private static readonly RoutingFacts Facts = new(new Money(1000, Currency.Eur), "visa", "DE");

    [Fact]
    public void Plan_AnyRules_NamesUsableProvidersOnceInTheSameOrderEveryTime() => Prop.ForAll(Rules().ToArbitrary(), Seeds().ToArbitrary(), (rules, seed) =>
    {
        bool Usable(string name) => name is not ("b" or "e");
        var plan = Route.Plan(rules, Facts, "default", Usable, seed);
        var deciding = rules.FirstOrDefault(rule => Route.Matches(rule, Facts) && rule.Targets.Any(target => Usable(target.Provider)));

        Assert.Equal(plan, Route.Plan(rules, Facts, "default", Usable, seed));
        Assert.Equal(plan.Count, plan.Distinct().Count());
        if (deciding is null)
        {
            Assert.Equal(["default"], plan);
            return;
        }

        var usable = deciding.Targets.Where(target => Usable(target.Provider)).ToList();
        Assert.Equal(Math.Min(usable.Count, deciding.MaxAttempts), plan.Count);
        Assert.Subset(usable.Select(target => target.Provider).ToHashSet(), plan.ToHashSet());

        // What weighs nothing comes last, in the order written.
        var weights = plan.Select(name => usable.Single(target => target.Provider == name).Weight).ToList();
        Assert.Equal(weights.OrderBy(weight => weight == 0), weights);
        var fallbacks = usable.Where(target => target.Weight == 0).Select(target => target.Provider).ToList();
        Assert.Equal(fallbacks.Take(weights.Count(weight => weight == 0)), plan.Where((_, i) => weights[i] == 0));
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Plan_ByWeight_GivesEachItsShareOfFirstTries()
    {
        RoutingRule[] rules = [Rule() with { Targets = [new("a", 7), new("b", 3), new("c", 0)] }];
        var firsts = Enumerable.Range(0, 20_000).Select(i => Route.Plan(rules, Facts, "default", _ => true, unchecked((ulong)i * 0x9E3779B97F4A7C15UL))[0]).CountBy(name => name).ToDictionary();

        // Fixed seeds, so the count is always the same; five standard deviations are 320.
        Assert.InRange(firsts["a"], 13_680, 14_320);
        Assert.Equal(20_000 - firsts["a"], firsts["b"]);
    }

    [Fact]
    public void Plan_FirstRuleThatMatches_Decides()
    {
        RoutingRule[] rules =
        [
            Rule("a") with { Currencies = ["USD"] },
            Rule("b") with { CardBrands = ["amex"] },
            Rule("c") with { AmountMin = 1001, Currencies = ["EUR"] },
            Rule("gone") with { Name = "names only what is not usable" },
            Rule("d") with { Currencies = ["EUR"], CardCountries = ["FR", "DE"], CardBrands = ["visa"], AmountMin = 1000, AmountMax = 1000 },
            Rule("e"),
        ];

        Assert.Equal(["d"], Route.Plan(rules, Facts, "default", name => name != "gone", 1));
        Assert.Equal(["e"], Route.Plan(rules, Facts with { CardCountry = null }, "default", name => name != "gone", 1));
        Assert.Equal(["e"], Route.Plan(rules, Facts with { CardBrand = null }, "default", name => name != "gone", 1));
        Assert.Equal(["c"], Route.Plan(rules, Facts with { Amount = new Money(1001, Currency.Eur) }, "default", name => name != "gone", 1));
        Assert.Equal(["default"], Route.Plan([], Facts, "default", _ => true, 1));
    }

    /// <summary>The whole matrix: another provider is tried only after what is known not to have been carried out.</summary>
    [Fact]
    public void MayGoOn_WholeMatrix_OnlyAfterNotSentAndDeclinesOfTheProcessor()
    {
        DeclineCode[] retried = [DeclineCode.DoNotHonor, DeclineCode.IssuerUnavailable, DeclineCode.ProcessingError, DeclineCode.ProviderUnavailable];
        foreach (var result in Enum.GetValues<PaymentResult>())
        {
            foreach (var code in Enum.GetValues<DeclineCode>().Cast<DeclineCode?>().Append(null))
            {
                var expected = result is PaymentResult.NotSent || (result is PaymentResult.Declined && code is { } c && retried.Contains(c));
                Assert.Equal((result, code, expected), (result, code, Route.MayGoOn(new PaymentAnswer(result, Decline: code))));
            }
        }

        Assert.All(retried, code => Assert.True(code.IsRetryable()));
    }

    private static RoutingRule Rule(params string[] providers) => new(null, [], [], [], null, null, [.. providers.Select(name => new RoutingTarget(name, 1))], Route.MostAttempts);

    private static Gen<ulong> Seeds() => Gen.Choose(int.MinValue, int.MaxValue).Select(i => unchecked((ulong)i * 0x9E3779B97F4A7C15UL));

    private static Gen<RoutingRule[]> Rules()
    {
        var some = Gen.Elements<IReadOnlyList<string>>([], ["EUR"], ["USD"], ["USD", "EUR"]);
        var countries = Gen.Elements<IReadOnlyList<string>>([], ["DE"], ["FR"]);
        var rule =
            from currencies in some
            from place in countries
            from brand in Gen.Elements<IReadOnlyList<string>>([], ["visa"], ["amex"])
            from least in Gen.Elements<long?>(null, 999, 1000, 1001)
            from attempts in Gen.Choose(1, Route.MostAttempts)
            from count in Gen.Choose(1, All.Length)
            from names in Gen.Shuffle(All)
            from weights in Gen.ArrayOf(Gen.Choose(0, 3), All.Length)
            select new RoutingRule(null, currencies, place, brand, least, null, [.. names.Take(count).Select((name, i) => new RoutingTarget(name, weights[i]))], attempts);
        return Gen.ListOf(rule).Select(list => list.ToArray());
    }
}
