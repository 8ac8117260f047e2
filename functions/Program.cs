using Microsoft.Azure.Functions.Worker.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Payments.Functions;
using Payments.Functions.Middleware;

var builder = FunctionsApplication.CreateBuilder(args);
builder.ConfigureFunctionsWebApplication();
builder.UseMiddleware<RequestMiddleware>();
builder.UseMiddleware<AuthenticationMiddleware>();
builder.Services.AddSingleton<CallerAddress>();
builder.Services.AddPayments(builder.Configuration);
builder.Services.AddTelemetry(builder.Configuration);

// The host logs one line per request. Here only warnings and errors of ASP.NET Core matter.
builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);

// The worker leaves the console to the Functions host. If the app is its own host, it must write there itself.
if (builder.Configuration.GetValue("Logging:Console:Enabled", false))
    builder.Logging.AddSimpleConsole(options => options.SingleLine = true);

builder.Build().Run();
