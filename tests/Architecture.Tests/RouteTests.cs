using System.Reflection;
using Microsoft.Azure.Functions.Worker;
using Payments.Functions.Http;

namespace Payments.Architecture.Tests;

/// <summary>
/// Routes as the Functions host tries them: in the order of function names, where the first match wins and a literal segment has no precedence over a
/// parameter (azure-functions-host issues 3153 and 9876).
/// </summary>
public sealed class RouteTests
{
    [Fact]
    public void HttpFunctions_Routes_AreShadowedByNoEarlierName()
    {
        var routes = Routes();
        var shadowed =
            from later in routes
            from earlier in routes
            where string.Compare(earlier.Name, later.Name, StringComparison.OrdinalIgnoreCase) < 0
                && earlier.Methods.Intersect(later.Methods, StringComparer.OrdinalIgnoreCase).Any()
                && Takes(earlier.Segments, later.Segments)
            select $"{earlier.Name} takes the requests of {later.Name}";

        Assert.NotEmpty(routes);
        Assert.Empty(shadowed);
    }

    [Theory]
    [InlineData("v1/payouts/{id}", "v1/payouts/preview", true)]
    [InlineData("v1/payouts/preview", "v1/payouts/{id}", false)]
    [InlineData("v1/payouts/{id}", "v1/payouts/{id}/cancel", false)]
    [InlineData("{*path}", "v1/payouts/{id}/cancel", true)]
    [InlineData("v1/{kind}/preview", "v1/payouts/preview", true)]
    [InlineData("v1/ledger/journals/{*key}", "v1/ledger/accounts", false)]
    public void Takes_OneRouteAndAnother_TellsWhetherTheOtherIsHidden(string earlier, string later, bool takes) =>
        Assert.Equal(takes, Takes(earlier.Split('/'), later.Split('/')));

    [Fact]
    public void UnknownRoute_Name_IsTheLast() => Assert.Equal(UnknownRouteFunctions.Name, Routes().Select(route => route.Name).Max(StringComparer.OrdinalIgnoreCase));

    private static List<(string Name, string[] Methods, string[] Segments)> Routes() =>
    [
        .. from method in typeof(HealthFunctions).Assembly.GetTypes().SelectMany(type => type.GetMethods())
           let name = method.GetCustomAttribute<FunctionAttribute>()?.Name
           from parameter in method.GetParameters()
           let trigger = parameter.GetCustomAttribute<HttpTriggerAttribute>()
           where name is not null && trigger is not null
           select (name, trigger.Methods ?? [], trigger.Route!.Split('/')),
    ];

    // Whether every request of the later route matches the earlier one.
    private static bool Takes(ReadOnlySpan<string> earlier, ReadOnlySpan<string> later)
    {
        if (earlier.Length > 0 && earlier[0].StartsWith("{*", StringComparison.Ordinal))
            return true;
        if (earlier.Length == 0 || later.Length == 0)
            return earlier.Length == later.Length;
        var isSame = earlier[0].StartsWith('{') || string.Equals(earlier[0], later[0], StringComparison.OrdinalIgnoreCase);
        return isSame && Takes(earlier[1..], later[1..]);
    }
}
