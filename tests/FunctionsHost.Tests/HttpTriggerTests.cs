using System.Net;
using System.Text;
using System.Text.Json;

namespace FunctionsHost.Tests;

/// <summary>One host for all tests that only send requests.</summary>
public sealed class HttpHost : IAsyncLifetime
{
    private SampleHost? _host;

    internal SampleHost Host => _host!;

    public async ValueTask InitializeAsync() => _host = await SampleHost.StartAsync(
        [],
        new Dictionary<string, string> { ["AzureWebJobs.Poco.Disabled"] = "1", ["FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"] = "1000" });

    public ValueTask DisposeAsync() => _host?.DisposeAsync() ?? ValueTask.CompletedTask;
}

public sealed class HttpTriggerTests(HttpHost shared) : IClassFixture<HttpHost>
{
    private readonly HttpClient _client = shared.Host.Client;

    private static Uri Relative(string path) => new(path, UriKind.Relative);

    [Fact]
    public async Task Route_WithConstraint_ServesWhatItMatches()
    {
        var id = Guid.CreateVersion7(TimeProvider.System.GetUtcNow());
        Assert.Equal($"{id} 7", await _client.GetStringAsync(Relative($"/api/things/{id}?limit=7")));
        Assert.Equal("preview", await _client.GetStringAsync(Relative("/API/Things/Preview/")));
        Assert.Equal(HttpStatusCode.NotFound, (await _client.GetAsync(Relative("/api/things/not-a-guid"))).StatusCode);
    }

    [Fact]
    public async Task Route_Absent_IsTheFunctionsNameUnderThePrefix() =>
        Assert.Equal("named GET", await _client.GetStringAsync(Relative("/api/Named")));

    [Fact]
    public async Task Route_CatchAll_TakesTheRest()
    {
        using var response = await _client.GetAsync(Relative("/api/catch/a/b%20c"));
        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        Assert.Equal("unknown a/b c", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Method_Wrong_Is404WithoutAllowHeader()
    {
        using var response = await _client.DeleteAsync(Relative($"/api/things/{Guid.Empty}"));
        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        Assert.Empty(response.Content.Headers.Allow);
        Assert.Empty(await response.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData("GET")]
    [InlineData("POST")]
    [InlineData("PATCH")]
    public async Task Methods_Null_AnswersAll(string method)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), Relative("/api/named"));
        Assert.Equal($"named {method}", await (await _client.SendAsync(request)).Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Answer_OfTheWorker_IsPassedOn()
    {
        using var response = await _client.GetAsync(Relative("/api/action"));
        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        Assert.Equal("""{"name":"x"}""", await response.Content.ReadAsStringAsync());
        Assert.Equal("application/json", response.Content.Headers.ContentType!.MediaType);
    }

    [Fact]
    public async Task Function_Throws_IsAnEmpty500AndPrinted()
    {
        using var response = await _client.GetAsync(Relative("/api/throws"));
        Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
        Assert.Empty(await response.Content.ReadAsStringAsync());
        Assert.Contains("Function 'Throws' failed", shared.Host.Output, StringComparison.Ordinal);
        Assert.Contains("deliberate", shared.Host.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Function_ThrowsAfterTheFirstFlush_ResetsTheConnection() =>
        await Assert.ThrowsAsync<HttpRequestException>(() => _client.GetStringAsync(Relative("/api/throws-late")));

    [Fact]
    public async Task Parameter_ThatCannotBeMade_IsAnEmpty500()
    {
        using var response = await _client.GetAsync(Relative($"/api/things/{Guid.Empty}?limit=many"));
        Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
        Assert.Empty(await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Caller_IsTheImmediatePeerAndItsHeadersAreInTheBindingData()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, Relative("/api/caller?a=1&b=x%20y"));
        request.Headers.Host = "pay.example";
        request.Headers.Add("X-Forwarded-For", "203.0.113.7, 198.51.100.1");
        request.Headers.Add("X-Forwarded-Host", "elsewhere.example");
        request.Headers.Add("X-Forwarded-Proto", "https");
        request.Headers.Add("X-Custom", "own");
        request.Headers.Add("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        request.Headers.Add("x-ms-invocation-id", "forged");
        using var caller = JsonDocument.Parse(await (await _client.SendAsync(request)).Content.ReadAsStringAsync());
        string Text(string name) => caller.RootElement.GetProperty(name).ToString();

        Assert.Equal("127.0.0.1", Text("peer"));
        Assert.Equal("pay.example", Text("host"));
        Assert.Equal("http", Text("scheme"));
        Assert.Equal("", Text("forwardedFor"));
        Assert.Equal("own", Text("custom"));
        Assert.Equal("True", Text("invocation"));
        Assert.Equal("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", Text("traceParent"));
        Assert.Equal("""{"a":"1","b":"x y"}""", Text("query"));
        using var headers = JsonDocument.Parse(Text("headers"));
        Assert.Equal("203.0.113.7, 198.51.100.1", headers.RootElement.GetProperty("X-Forwarded-For").GetString());
        Assert.Equal("pay.example", headers.RootElement.GetProperty("Host").GetString());
        Assert.Equal("own", headers.RootElement.GetProperty("X-Custom").GetString());
    }

    [Fact]
    public async Task Header_WithNonAsciiText_ReachesTheFunction()
    {
        using var handler = new SocketsHttpHandler { RequestHeaderEncodingSelector = (_, _) => Encoding.UTF8 };
        using var client = new HttpClient(handler) { BaseAddress = _client.BaseAddress };
        client.DefaultRequestHeaders.TryAddWithoutValidation("X-Custom", "héé");
        using var caller = JsonDocument.Parse(await client.GetStringAsync(Relative("/api/caller")));
        Assert.Equal("héé", caller.RootElement.GetProperty("custom").GetString());
    }

    [Fact]
    public async Task BindingData_HoldsRouteAndQueryButNoOptionalValueThatIsAbsent()
    {
        Assert.Equal("A1 7 False", await _client.GetStringAsync(Relative("/api/data/A1?limit=7")));
        Assert.Equal("A1 7 True", await _client.GetStringAsync(Relative("/api/data/A1/x?limit=7")));
    }

    [Fact]
    public async Task Body_OverTheLimitOfTheSetting_IsA500()
    {
        using var small = await _client.PostAsync(Relative("/api/read"), new StringContent(new string('x', 1000)));
        Assert.Equal("1000", await small.Content.ReadAsStringAsync());
        using var large = await _client.PostAsync(Relative("/api/read"), new StringContent(new string('x', 1001)));
        Assert.Equal(HttpStatusCode.InternalServerError, large.StatusCode);
    }

    [Fact]
    public async Task Disabled_HttpFunction_Is404()
    {
        Assert.Equal(HttpStatusCode.NotFound, (await _client.GetAsync(Relative("/api/poco"))).StatusCode);
        Assert.Contains("Poco: [GET]", shared.Host.Output, StringComparison.Ordinal);
        Assert.Contains("/api/poco (disabled)", shared.Host.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Start_PrintsEachFunctionWithMethodsAndAddress() =>
        Assert.Contains($"Thing: [GET,POST] {_client.BaseAddress}api/things/{{id:guid}}", shared.Host.Output, StringComparison.Ordinal);

    [Fact]
    public async Task ManyRequestsAtOnce_AreAnsweredEachWithItsOwn()
    {
        var ids = Enumerable.Range(0, 300).Select(_ => Guid.CreateVersion7(TimeProvider.System.GetUtcNow())).ToList();
        var answers = await Task.WhenAll(ids.Select(id => _client.GetStringAsync(Relative($"/api/things/{id}?limit=1"))));
        Assert.Equal(ids.Select(id => $"{id} 1"), answers);
    }
}
