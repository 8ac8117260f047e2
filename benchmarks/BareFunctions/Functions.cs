using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Payments.Benchmarks;

namespace Payments.BareFunctions;

/// <summary>The functions that the app and the host are measured against.</summary>
public sealed class Functions(IServiceProvider services)
{
    [Function("Empty")]
    public IResult Empty([HttpTrigger(AuthorizationLevel.Anonymous, "get", "post", Route = "empty")] HttpRequest request) => Results.StatusCode(StatusCodes.Status201Created);

    [Function("Insert")]
    public async Task InsertAsync([HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "v1/charges")] HttpRequest request) =>
        await BareCharge.InsertAsync(request.HttpContext, services.GetRequiredService<NpgsqlDataSource>());
}
