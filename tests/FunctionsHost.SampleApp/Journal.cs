using System.Text.Json;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Extensions.Configuration;

namespace FunctionsHost.SampleApp;

/// <summary>
/// Writes down each run of a function where the tests read it: a line of JSON in the file <c>Journal</c>. The settings
/// <c>Fail</c> and <c>Hold</c> (a file that the function waits for) say how functions behave.
/// </summary>
public sealed class Journal(IConfiguration settings)
{
    private static readonly Lock Writing = new();
    private static int _running;

    public async Task TakeAsync(string text, FunctionContext context, CancellationToken cancellation)
    {
        var running = Interlocked.Increment(ref _running);
        try
        {
            Write(new
            {
                Function = context.FunctionDefinition.Name,
                Text = text,
                Running = running,
                context.TraceContext.TraceParent,
                Retry = context.RetryContext is { } retry ? $"{retry.RetryCount}/{retry.MaxRetryCount}" : null,
                Data = context.BindingContext.BindingData.ToDictionary(pair => pair.Key, pair => pair.Value?.ToString()),
            });
            while (settings["Hold"] is { } hold && !File.Exists(hold))
                await Task.Delay(20, cancellation);
        }
        catch (OperationCanceledException)
        {
            Write(new { Function = context.FunctionDefinition.Name, Text = "cancelled" });
            throw;
        }
        finally
        {
            Interlocked.Decrement(ref _running);
        }
        if (settings["Fail"] is not null)
            throw new InvalidOperationException("deliberate");
    }

    public void Write(object entry)
    {
        lock (Writing)
            File.AppendAllText(settings["Journal"]!, JsonSerializer.Serialize(entry) + "\n");
    }
}
