using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Payments.Domain;

namespace Payments.Functions.Http;

/// <summary>
/// Answers every request that no other function takes. So a caller with a wrong path or method gets a problem instead of the host's empty
/// 404. The host tries routes in the order of function names, so this name must stay the last.
/// </summary>
public static class UnknownRouteFunctions
{
    public const string Name = "ZUnknownRoute";

    [Function(Name)]
    public static IResult Answer(
        [HttpTrigger(AuthorizationLevel.Anonymous, "get", "head", "post", "put", "patch", "delete", "options", "trace", Route = "{*path}")] HttpRequest request) => Problems.Of(
        new Refusal(RefusalCode.NotFound, $"There is no {request.Method} {request.Path}. See the API reference for paths and their methods."));
}
