using FunctionsHost.Hosting;
using FunctionsHost.Http;
using FunctionsHost.Protocol;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace FunctionsHost.Tests;

public sealed class RouteTableTests
{
    private static readonly IServiceProvider Services = new ServiceCollection().AddRoutingCore().AddLogging().BuildServiceProvider();

    /// <param name="functions">Each <c>Name METHOD,METHOD route</c>, with <c>*</c> for all methods.</param>
    private static RouteTable Table(params string[] functions) => new(
        functions.Select(text =>
        {
            var parts = text.Split(' ');
            var methods = parts[1] == "*"
                ? ""
                : $$""", "methods": [{{string.Join(',', parts[1].Split(',').Select(method => $"\"{method}\""))}}]""";
            return Function.From(
                new RpcFunctionMetadata
                {
                    Name = parts[0],
                    FunctionId = parts[0],
                    RawBindings =
                    {
                        $$"""{ "name": "request", "type": "httpTrigger", "direction": "In", "route": "{{parts[2]}}"{{methods}} }""",
                    },
                },
                new ConfigurationBuilder().Build());
        }),
        "",
        Services);

    private static string Match(RouteTable table, string method, string path)
    {
        var context = new DefaultHttpContext { Request = { Method = method, Path = path } };
        var values = new RouteValueDictionary();
        return table.Match(context, values) is { } route
            ? string.Join(
                ' ',
                values.Where(pair => pair.Value is not null)
                    .OrderBy(pair => pair.Key, StringComparer.Ordinal)
                    .Select(pair => $"{pair.Key}={pair.Value}")
                    .Prepend(route.Function.Name))
            : "404";
    }

    [Theory]
    [InlineData("GET", "/v1/charges/7", "Charge id=7")]
    [InlineData("get", "/V1/CHARGES/7/", "Charge id=7")]
    [InlineData("POST", "/v1/charges/7", "404")]
    [InlineData("GET", "/v1/charges", "Charges")]
    [InlineData("GET", "/v1/charges/", "Charges")]
    [InlineData("POST", "/v1/charges", "CreateCharge")]
    [InlineData("GET", "/v1/charges/7/refunds", "404")]
    [InlineData("GET", "/v1//7", "404")]
    [InlineData("GET", "/v1/charges//", "404")]
    [InlineData("GET", "/files/2026.csv", "File name=2026")]
    [InlineData("GET", "/files/2026.txt", "404")]
    [InlineData("GET", "/days/5", "Day id=5")]
    [InlineData("GET", "/days/five", "404")]
    [InlineData("GET", "/pages", "Pages")]
    [InlineData("GET", "/pages/2", "Pages page=2")]
    [InlineData("GET", "/sizes", "Sizes size=10")]
    [InlineData("GET", "/", "404")]
    [InlineData("GET", "/zz", "Zz")]
    [InlineData("GET", "/zz/a/b", "Zz rest=a/b")]
    public void Match_GivesTheFunctionAndItsValues(string method, string path, string expected)
    {
        var table = Table(
            "Charge GET v1/charges/{id}", "Charges GET v1/charges", "CreateCharge POST v1/charges", "File GET files/{name}.csv",
            "Day GET days/{id:int}",
            "Pages GET pages/{page?}", "Sizes GET sizes/{size=10}", "Zz * zz/{*rest}");
        Assert.Equal(expected, Match(table, method, path));
    }

    [Fact]
    public void Match_TwoRoutesThatBothMatch_TakesTheFirstByFunctionName()
    {
        // Endpoint routing would prefer the literal segment that comes first.
        var table = Table("B GET a/{x}/c", "C GET a/b/{y}");
        Assert.Equal("B x=b", Match(table, "GET", "/a/b/c"));
        Assert.Equal("C y=d", Match(table, "GET", "/a/b/d"));
    }

    [Fact]
    public void Match_WithMoreRoutesThanAWordHasBits_FindsEach()
    {
        var table = Table([.. Enumerable.Range(0, 200).Select(i => $"F{i:000} GET r{i}/{{id}}")]);
        Assert.All(Enumerable.Range(0, 200), i => Assert.Equal($"F{i:000} id=x", Match(table, "GET", $"/r{i}/x")));
    }

    [Theory]
    [InlineData("GetPayout GET v1/payouts/{id}", "PreviewPayouts GET v1/payouts/preview")]
    [InlineData("getPayout GET v1/payouts/{id}", "PreviewPayouts GET,POST v1/payouts/preview")]
    [InlineData("A * v1/payouts/{id}", "B POST v1/payouts/{number:int}")]
    [InlineData("A GET v1/payouts", "B GET V1/Payouts")]
    [InlineData("A GET {**rest}", "B GET v1/payouts")]
    [InlineData("A GET v1/{*rest}", "B GET v1/payouts/{id}")]
    [InlineData("A GET v1/payouts/{id?}", "B GET v1/payouts")]
    [InlineData("A GET v1/{x:minlength(3)}", "B GET v1/payouts")]
    [InlineData("A GET v1/{x:int}", "B GET v1/{y:int}")]
    public void Table_WithARouteThatNoRequestReaches_IsRefusedNamingBoth(string front, string behind)
    {
        var e = Assert.Throws<InvalidOperationException>(() => Table(front, behind));
        Assert.Contains($"'{front.Split(' ')[0]}'", e.Message, StringComparison.Ordinal);
        Assert.Contains($"'{behind.Split(' ')[0]}'", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("GetPayout GET v1/payouts/{id:guid}", "PreviewPayouts GET v1/payouts/preview")]
    [InlineData("CalculatePayout GET v1/payouts/preview", "GetPayout GET v1/payouts/{id}")]
    [InlineData("A GET v1/payouts/{id}", "B POST v1/payouts/preview")]
    [InlineData("A GET v1/payouts/{id}", "B GET v1/payouts/{id}/lines")]
    [InlineData("A GET v1/payouts", "ZUnknown * {*path}")]
    [InlineData("A GET a/{x}/c", "B GET a/b/{y}")]
    [InlineData("A GET v1/{x:int}", "B GET v1/{y:guid}")]
    [InlineData("A GET v1/{x}.csv", "B GET v1/{y}")]
    public void Table_WhereEachRouteIsReached_IsTaken(string first, string second) => Assert.Equal(2, Table(first, second).Routes.Count);

    [Theory]
    [InlineData("admin/x", "keeps routes")]
    [InlineData("Runtime", "keeps routes")]
    [InlineData("a/{x:colour}", "no route constraint 'colour'")]
    [InlineData("a/{x", "'F' has the route 'a/{x'")]
    public void Table_WithARouteThatCannotBeServed_IsRefusedByFunctionName(string route, string says)
    {
        var e = Assert.Throws<InvalidOperationException>(() => Table($"F GET {route}"));
        Assert.Contains(says, e.Message, StringComparison.Ordinal);
        Assert.Contains("'F'", e.Message, StringComparison.Ordinal);
    }
}

public sealed class FunctionTests
{
    private static Function From(params string[] bindings) =>
        Function.From(
            new RpcFunctionMetadata { Name = "F", FunctionId = "1", RawBindings = { bindings } }, new ConfigurationBuilder().Build());

    [Theory]
    [InlineData("'F' has no trigger", """{ "name": "a", "type": "http", "direction": "Out" }""")]
    [InlineData("'F' has two triggers", """{ "name": "a", "type": "httpTrigger" }""", """{ "name": "b", "type": "timerTrigger" }""")]
    [InlineData(
        "binding of type 'queue'",
        """{ "name": "a", "type": "timerTrigger" }""",
        """{ "name": "$return", "type": "queue", "direction": "Out" }""")]
    public void From_WhatThisHostDoesNotServe_IsRefusedByFunctionName(string says, params string[] bindings)
    {
        var e = Assert.Throws<InvalidOperationException>(() => From(bindings));
        Assert.Contains(says, e.Message, StringComparison.Ordinal);
        Assert.Contains("'F'", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Route_Empty_IsRefused()
    {
        var function = From("""{ "name": "a", "type": "httpTrigger", "route": "" }""");
        var services = new ServiceCollection().AddRoutingCore().AddLogging().BuildServiceProvider();
        var e = Assert.Throws<InvalidOperationException>(() => new RouteTable([function], "", services));
        Assert.Contains("empty route", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("AzureWebJobs.F.Disabled", "true", false)]
    [InlineData("AzureWebJobs:F:Disabled", "1", false)]
    [InlineData("AzureWebJobs.F.Disabled", "false", true)]
    public void Disabled_BySetting_IsNotEnabled(string name, string value, bool enabled)
    {
        var settings = new ConfigurationBuilder().AddInMemoryCollection([new(name, value)]).Build();
        var metadata = new RpcFunctionMetadata
        {
            Name = "F",
            FunctionId = "1",
            RawBindings = { """{ "name": "a", "type": "httpTrigger" }""" },
        };
        Assert.Equal(enabled, Function.From(metadata, settings).IsEnabled);
    }
}
