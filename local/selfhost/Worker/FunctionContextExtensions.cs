using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Payments.SelfHost.Hosting;

namespace Microsoft.Azure.Functions.Worker
{
    public static class FunctionContextExtensions
    {
        /// <summary>The request that started the function; null when something else did.</summary>
        public static HttpContext? GetHttpContext(this FunctionContext context) =>
            context is Invocation invocation
                ? invocation.HttpContext
                : context.Items.TryGetValue(Invocation.HttpContextKey, out var item) ? item as HttpContext : null;
    }

    public static class FunctionContextBindingFeatureExtensions
    {
        /// <summary>What the function returned, or will: settable until the response is written.</summary>
        public static InvocationResult GetInvocationResult(this FunctionContext context) => Invocation.Of(context).Result;

        /// <summary>As <see cref="GetInvocationResult(FunctionContext)"/>, of a known type.</summary>
        /// <exception cref="InvalidOperationException">The function returned something else.</exception>
        public static InvocationResult<T> GetInvocationResult<T>(this FunctionContext context) =>
            new TypedInvocationResult<T>(Invocation.Of(context));
    }

    public static class FunctionContextLoggerExtensions
    {
        public static ILogger<T> GetLogger<T>(this FunctionContext context) =>
            context.InstanceServices.GetRequiredService<ILogger<T>>();

        public static ILogger GetLogger(this FunctionContext context, string categoryName) =>
            context.InstanceServices.GetRequiredService<ILoggerFactory>().CreateLogger(categoryName);
    }
}

namespace Microsoft.Azure.Functions.Worker.Context.Features
{
    /// <summary>Binds the arguments of an invocation, once: what middleware changes in them is what the function gets.</summary>
    public interface IFunctionInputBindingFeature
    {
        ValueTask<FunctionInputBindingResult> BindFunctionInputAsync(FunctionContext context);
    }

    /// <summary>The arguments, in the order of the parameters.</summary>
    public class FunctionInputBindingResult(object?[] values)
    {
        public object?[] Values { get; } = values;
    }
}
