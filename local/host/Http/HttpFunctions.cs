using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Threading.RateLimiting;
using FunctionsHost.Hosting;
using FunctionsHost.Protocol;
using FunctionsHost.Worker;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace FunctionsHost.Http;

/// <summary>
/// Serves HTTP functions. The request itself is forwarded to the worker over HTTP while the invocation goes there over
/// gRPC; the worker pairs the two by the invocation's id.
/// </summary>
internal sealed class HttpFunctions : IDisposable
{
    private static readonly TypedData NoHttp = new() { Http = new RpcHttp() };

    private readonly WorkerSupervisor _workers;
    private readonly WorkerForwarder _forwarder;
    private readonly HostConsole _console;
    private readonly TimeProvider _time;
    private readonly RouteTable _routes;
    private readonly ConcurrencyLimiter? _throttle;
    private readonly TimeSpan _timeout;
    private readonly TimeSpan _timeoutGrace;
    private readonly TimeSpan _patience;

    public HttpFunctions(
        RouteTable routes,
        HostJson hostJson,
        HostSettings settings,
        WorkerSupervisor workers,
        WorkerForwarder forwarder,
        HostConsole console,
        TimeProvider time)
    {
        _routes = routes;
        _workers = workers;
        _forwarder = forwarder;
        _console = console;
        _time = time;
        _throttle = ThrottleOf(hostJson);
        _timeout = hostJson.Time("functionTimeout", TimeSpan.Zero);
        _timeoutGrace = EventRunner.TimeoutGrace(settings.Values);
        _patience = Settings.Time(settings.Values, "FunctionsHost:WorkerPatience", TimeSpan.FromSeconds(30));
    }

    public static string RoutePrefix(HostJson hostJson) => hostJson.Text("extensions:http:routePrefix", "api").Trim('/');

    public Task ServeAsync(HttpContext context)
    {
        var values = new RouteValueDictionary();
        // A disabled function keeps its route, as on the platform.
        if (_routes.Match(context, values) is not { Function.IsEnabled: true } route)
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return Task.CompletedTask;
        }
        return _throttle is null ? InvokeAsync(context, route.Function, values) : ThrottleAsync(context, route.Function, values, _throttle);
    }

    public void Dispose() => _throttle?.Dispose();

    /// <summary>Null where host.json sets no limit, as it does not by default.</summary>
    private static ConcurrencyLimiter? ThrottleOf(HostJson hostJson)
    {
        var concurrent = hostJson.Number("extensions:http:maxConcurrentRequests", -1);
        var outstanding = hostJson.Number("extensions:http:maxOutstandingRequests", -1);
        if (concurrent < 0 && outstanding < 0)
            return null;
        var running = concurrent >= 0 ? concurrent : outstanding;
        return new ConcurrencyLimiter(new ConcurrencyLimiterOptions
        {
            PermitLimit = running,
            QueueLimit = outstanding < 0 ? int.MaxValue : Math.Max(outstanding - running, 0),
            QueueProcessingOrder = QueueProcessingOrder.OldestFirst,
        });
    }

    private async Task ThrottleAsync(HttpContext context, Function function, RouteValueDictionary values, ConcurrencyLimiter throttle)
    {
        using var permit = await throttle.AcquireAsync(1, context.RequestAborted);
        if (permit.IsAcquired)
            await InvokeAsync(context, function, values);
        else
            context.Response.StatusCode = StatusCodes.Status429TooManyRequests;
    }

    private async Task InvokeAsync(HttpContext context, Function function, RouteValueDictionary values)
    {
        var request = Describe(context, function, values);
        WorkerChannel? worker;
        PendingInvocation? pending = null;
        do
        {
            worker = _workers.Current ?? await WaitForWorkerAsync(context.RequestAborted);
            if (worker is not { HttpAddress: not null })
            {
                context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
                return;
            }
            try
            {
                pending = worker.Begin(function, request);
            }
            catch (WorkerLostException)
            {
                // Nothing of the request has reached a function, so another worker can have it.
            }
        }
        while (pending is null);
        var address = worker.HttpAddress;
        using var gone = context.RequestAborted.UnsafeRegister(static state => ((PendingInvocation)state!).Cancel(), pending);
        if (_timeout <= TimeSpan.Zero)
        {
            await ForwardAsync(context, function, worker, address, pending);
            return;
        }
        using var deadline = new InvocationDeadline(_time, _timeout, _timeoutGrace, worker, pending, _workers, _console);
        await ForwardAsync(context, function, worker, address, pending);
    }

    private async Task ForwardAsync(HttpContext context, Function function, WorkerChannel worker, string address, PendingInvocation pending)
    {
        var error = await _forwarder.SendAsync(context, address, pending.Id);
        if (error is not null && !context.RequestAborted.IsCancellationRequested)
        {
            // The function may wait for a request that will not come.
            pending.Cancel();
        }
        StatusResult? result = null;
        string? lost = null;
        try
        {
            result = (await pending.Task).Result;
        }
        catch (WorkerLostException e)
        {
            lost = e.Message;
        }
        if (error is null && result is { Status: StatusResult.Types.Status.Success })
            return;
        if (context.RequestAborted.IsCancellationRequested)
            return;
        if (lost is not null)
            _console.Line($"Function '{function.Name}' failed (invocation {pending.Id}): {lost}");
        else if (result is not { Status: StatusResult.Types.Status.Success })
            _console.Failed(function.Name, pending.Id, result?.Exception);
        else
            _console.Line(
                $"Function '{function.Name}' (invocation {pending.Id}): the request could not be forwarded to the worker: {error}");
        // The caller gets an empty 500, or a reset where part of an answer is already out.
        if (context.Response.HasStarted)
        {
            context.Abort();
            return;
        }
        context.Response.Clear();
        context.Response.StatusCode = StatusCodes.Status500InternalServerError;
    }

    private async Task<WorkerChannel?> WaitForWorkerAsync(CancellationToken gone)
    {
        try
        {
            return await _workers.ReadyAsync(gone).WaitAsync(_patience, _time, gone);
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            return null;
        }
    }

    /// <summary>
    /// What the worker offers to the function beside the request: route and query values, and the headers as this host
    /// received them, which the worker itself does not see once it has consumed those that a proxy adds.
    /// </summary>
    private InvocationRequest Describe(HttpContext context, Function function, RouteValueDictionary values)
    {
        var headers = context.Request.Headers;
        var request = new InvocationRequest
        {
            InvocationId = Guid.CreateVersion7(_time.GetUtcNow()).ToString(),
            FunctionId = function.Id,
            TraceContext = new RpcTraceContext { TraceParent = headers.TraceParent.ToString(), TraceState = headers.TraceState.ToString() },
        };
        request.InputData.Add(new ParameterBinding { Name = function.TriggerName, Data = NoHttp });
        var data = request.TriggerMetadata;
        var query = context.Request.Query;
        foreach (var (name, value) in query)
            data[name] = new TypedData { String = value.ToString() };
        foreach (var (name, value) in values)
        {
            if (value is not null)
                data[name] = new TypedData { String = Convert.ToString(value, CultureInfo.InvariantCulture)! };
        }
        data["Query"] = new TypedData { Json = HttpJson.Write(query) };
        data["Headers"] = new TypedData { Json = HttpJson.Write(headers) };
        return request;
    }
}

/// <summary>Writes names and values as a JSON object, with buffers that are used again.</summary>
internal static class HttpJson
{
    [ThreadStatic]
    private static ArrayBufferWriter<byte>? _buffer;

    [ThreadStatic]
    private static Utf8JsonWriter? _writer;

    private static readonly JsonWriterOptions Options =
        new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    public static string Write(IQueryCollection query)
    {
        if (query.Count == 0)
            return "{}";
        var writer = Begin();
        foreach (var (name, value) in query)
            writer.WriteString(name, value.ToString());
        return End(writer);
    }

    public static string Write(IHeaderDictionary headers)
    {
        var writer = Begin();
        foreach (var (name, value) in headers)
            writer.WriteString(name, value.ToString());
        return End(writer);
    }

    private static Utf8JsonWriter Begin()
    {
        var buffer = _buffer ??= new ArrayBufferWriter<byte>(1024);
        buffer.ResetWrittenCount();
        var writer = _writer ??= new Utf8JsonWriter(buffer, Options);
        writer.Reset(buffer);
        writer.WriteStartObject();
        return writer;
    }

    private static string End(Utf8JsonWriter writer)
    {
        writer.WriteEndObject();
        writer.Flush();
        return Encoding.UTF8.GetString(_buffer!.WrittenSpan);
    }
}
