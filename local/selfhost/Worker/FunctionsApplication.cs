using Azure.Core.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Azure.Functions.Worker.Middleware;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.Metrics;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Payments.SelfHost.Hosting;

namespace Microsoft.Azure.Functions.Worker
{
    /// <summary>Where an app registers its middleware.</summary>
    public interface IFunctionsWorkerApplicationBuilder
    {
        IServiceCollection Services { get; }

        IFunctionsWorkerApplicationBuilder Use(Func<FunctionExecutionDelegate, FunctionExecutionDelegate> middleware);
    }

    /// <summary>Options of the worker.</summary>
    public class WorkerOptions
    {
        /// <summary>Reads the JSON of messages into parameters; by default System.Text.Json, whatever the case of names.</summary>
        public ObjectSerializer? Serializer { get; set; }

        public IDictionary<string, string> Capabilities { get; } = new Dictionary<string, string>(StringComparer.Ordinal);
    }
}

namespace Microsoft.Azure.Functions.Worker.Middleware
{
#pragma warning disable CA1711 // The name is the official one.
    /// <summary>The rest of the pipeline.</summary>
    public delegate Task FunctionExecutionDelegate(FunctionContext context);
#pragma warning restore CA1711

    /// <summary>Code around every function. One instance serves all invocations.</summary>
    public interface IFunctionsWorkerMiddleware
    {
        Task Invoke(FunctionContext context, FunctionExecutionDelegate next);
    }
}

namespace Microsoft.Azure.Functions.Worker.Builder
{
    /// <summary>The entry of an app.</summary>
    public class FunctionsApplication
    {
        private FunctionsApplication()
        {
        }

        public static FunctionsApplicationBuilder CreateBuilder(string[] args) => new(args);
    }

    /// <summary>Builds a functions app that is its own host.</summary>
    public class FunctionsApplicationBuilder : IHostApplicationBuilder, IFunctionsWorkerApplicationBuilder
    {
        private readonly SelfHostComposition _composition;
        private bool _built;

        internal FunctionsApplicationBuilder(string[] args) => _composition = new SelfHostComposition(args);

        internal SelfHostComposition Composition => _composition;

        private WebApplicationBuilder Inner => _composition.Builder;

        public IDictionary<object, object> Properties => ((IHostApplicationBuilder)Inner).Properties;

        public ConfigurationManager Configuration => Inner.Configuration;

        IConfigurationManager IHostApplicationBuilder.Configuration => Inner.Configuration;

        public IHostEnvironment Environment => Inner.Environment;

        public ILoggingBuilder Logging => Inner.Logging;

        public IMetricsBuilder Metrics => Inner.Metrics;

        public IServiceCollection Services => Inner.Services;

        /// <summary>Builds the app, once.</summary>
        /// <exception cref="InvalidOperationException">The app was built before, or a function or a setting of it is wrong: the message names it.</exception>
        public IHost Build()
        {
            if (_built)
                throw new InvalidOperationException("Build can be called only once.");
            _built = true;
            return _composition.Build();
        }

        public void ConfigureContainer<TContainerBuilder>(
            IServiceProviderFactory<TContainerBuilder> factory, Action<TContainerBuilder>? configure = null)
            where TContainerBuilder : notnull =>
            ((IHostApplicationBuilder)Inner).ConfigureContainer(factory, configure);

        public IFunctionsWorkerApplicationBuilder Use(Func<FunctionExecutionDelegate, FunctionExecutionDelegate> middleware)
        {
            _composition.AddMiddleware(middleware);
            return this;
        }
    }

    public static class FunctionsApplicationBuilderAspNetCoreExtensions
    {
        /// <summary>Lets HTTP functions take <c>HttpRequest</c> and return ASP.NET Core results. Call it first.</summary>
        public static FunctionsApplicationBuilder ConfigureFunctionsWebApplication(this FunctionsApplicationBuilder builder)
        {
            builder.Composition.EnableHttp();
            return builder;
        }
    }
}

namespace Microsoft.Extensions.Hosting
{

    public static class MiddlewareWorkerApplicationBuilderExtensions
    {
        /// <summary>Adds a middleware class as a singleton.</summary>
        public static IFunctionsWorkerApplicationBuilder UseMiddleware<T>(this IFunctionsWorkerApplicationBuilder builder)
            where T : class, IFunctionsWorkerMiddleware
        {
            builder.Services.TryAddSingleton<T>();
            return builder.Use(next =>
            {
                T? instance = null;
                return context => (instance ??= context.InstanceServices.GetRequiredService<T>()).Invoke(context, next);
            });
        }

        /// <inheritdoc cref="UseMiddleware{T}(IFunctionsWorkerApplicationBuilder)"/>
        public static IFunctionsWorkerApplicationBuilder UseMiddleware(
            this IFunctionsWorkerApplicationBuilder builder, Func<FunctionContext, Func<Task>, Task> middleware) =>
            builder.Use(next => context => middleware(context, () => next(context)));

        /// <summary>Adds a middleware class that runs only for invocations that the predicate takes.</summary>
        public static IFunctionsWorkerApplicationBuilder UseWhen<T>(
            this IFunctionsWorkerApplicationBuilder builder, Func<FunctionContext, bool> predicate)
            where T : class, IFunctionsWorkerMiddleware
        {
            builder.Services.TryAddSingleton<T>();
            return builder.Use(next => context => predicate(context)
                ? context.InstanceServices.GetRequiredService<T>().Invoke(context, next)
                : next(context));
        }

        /// <inheritdoc cref="UseWhen{T}(IFunctionsWorkerApplicationBuilder, Func{FunctionContext, bool})"/>
        public static IFunctionsWorkerApplicationBuilder UseWhen(
            this IFunctionsWorkerApplicationBuilder builder,
            Func<FunctionContext, bool> predicate,
            Func<FunctionContext, Func<Task>, Task> middleware) =>
            builder.Use(next => context => predicate(context) ? middleware(context, () => next(context)) : next(context));
    }
}
