using FunctionsHost.SampleApp;
using Microsoft.Azure.Functions.Worker.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

var builder = FunctionsApplication.CreateBuilder(args);
// Left out by a test that shows what the host says then.
if (builder.Configuration["WithoutWebApplication"] is null)
    builder.ConfigureFunctionsWebApplication();
builder.Services.AddSingleton<Journal>();
builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Error);
if (builder.Configuration["FailAtStart"] is { } reason)
    throw new InvalidOperationException(reason);
builder.Build().Run();
