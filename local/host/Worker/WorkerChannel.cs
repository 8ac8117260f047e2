using System.Collections.Concurrent;
using System.Threading.Channels;
using FunctionsHost.Hosting;
using FunctionsHost.Protocol;
using Grpc.Core;

namespace FunctionsHost.Worker;

/// <summary>A run of a function that the worker has not answered yet.</summary>
internal sealed class PendingInvocation(WorkerChannel worker, Function function, string id)
    : TaskCompletionSource<InvocationResponse>(TaskCreationOptions.RunContinuationsAsynchronously)
{
    public Function Function => function;

    public string Id => id;

    /// <summary>Trips the token of the run. The run goes on until the function heeds it.</summary>
    public void Cancel() => worker.Cancel(id);
}

/// <summary>The worker ended, or its stream did, while a function ran.</summary>
internal sealed class WorkerLostException(string message) : Exception(message);

/// <summary>
/// The stream of messages to and from one worker process. One pump writes to it, so that callers never wait for one
/// another; messages that have queued up meanwhile leave in one flush.
/// </summary>
internal sealed class WorkerChannel(HostConsole console, RpcLog.Types.Level logLevel, Action<WorkerChannel> onLost)
{
    /// <summary>The worker logs failures of functions under this name. The host prints them from the answer to the invocation.</summary>
    private const string InvocationCategory = "Microsoft.Azure.Functions.Worker.FunctionsApplication";

    private static readonly WriteOptions MoreFollows = new(WriteFlags.BufferHint);

    private readonly Channel<StreamingMessage> _outbound = Channel.CreateUnbounded<StreamingMessage>(
        new UnboundedChannelOptions { SingleReader = true });
    private readonly ConcurrentDictionary<string, PendingInvocation> _running = new(StringComparer.Ordinal);
    private readonly TaskCompletionSource<WorkerInitResponse> _initialised = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<FunctionMetadataResponse> _described = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _loaded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<FunctionLoadResponse> _loads = [];
    private int _loading;
    private volatile bool _lost;
    private bool _canCancel;

    /// <summary>Where the worker takes HTTP requests; null where the app has no ASP.NET Core integration.</summary>
    public string? HttpAddress { get; private set; }

    public int Running => _running.Count;

    /// <summary>Serves the stream until it ends.</summary>
    public async Task RunAsync(
        IAsyncStreamReader<StreamingMessage> reader, IServerStreamWriter<StreamingMessage> writer, CancellationToken cancellation)
    {
        var writing = WriteAsync(writer);
        try
        {
            while (await reader.MoveNext(cancellation))
                Receive(reader.Current);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // The worker has gone.
        }
        Lose("The worker's connection ended.");
        await writing;
    }

    /// <summary>Prepares the worker for invocations and gives the functions that it has.</summary>
    /// <exception cref="InvalidOperationException">The worker refused: the message says why.</exception>
    public async Task<IReadOnlyList<RpcFunctionMetadata>> InitialiseAsync(string folder, CancellationToken cancellation)
    {
        Send(new StreamingMessage
        {
            WorkerInitRequest =
                new WorkerInitRequest { HostVersion = "4.1037.0.0", WorkerDirectory = folder, FunctionAppDirectory = folder },
        });
        // Sent with it, as the worker answers both without the other.
        Send(new StreamingMessage { FunctionsMetadataRequest = new FunctionsMetadataRequest { FunctionAppDirectory = folder } });
        var initialised = await _initialised.Task.WaitAsync(cancellation);
        Require(initialised.Result, "The worker did not start");
        _canCancel = initialised.Capabilities.ContainsKey("HandlesInvocationCancelMessage");
        HttpAddress = initialised.Capabilities.TryGetValue("HttpUri", out var uri) ? Loopback(uri) : null;

        var described = await _described.Task.WaitAsync(cancellation);
        Require(described.Result, "The worker could not list its functions");
        var functions = described.FunctionMetadataResults;
        foreach (var function in functions)
        {
            if (function.Status is { Status: StatusResult.Types.Status.Failure } failure && failure.Exception is not null)
                Require(failure, $"The worker could not describe the function '{function.Name}'");
        }
        if (functions.Count == 0)
            return functions;
        _loading = functions.Count;
        foreach (var function in functions)
        {
            var metadata = new RpcFunctionMetadata
            {
                Name = function.Name,
                Directory = function.Directory,
                EntryPoint = function.EntryPoint,
                ScriptFile = function.ScriptFile,
            };
            metadata.Bindings.Add(function.Bindings);
            metadata.Properties.Add(function.Properties);
            var load = new FunctionLoadRequest { FunctionId = function.FunctionId, Metadata = metadata };
            Send(new StreamingMessage { FunctionLoadRequest = load });
        }
        await _loaded.Task.WaitAsync(cancellation);
        foreach (var load in _loads)
            Require(load.Result, $"The worker could not load the function '{functions.First(f => f.FunctionId == load.FunctionId).Name}'");
        return functions;
    }

    /// <summary>Registers a run and sends it to the worker.</summary>
    /// <exception cref="WorkerLostException">The worker has gone, and has seen nothing of the run.</exception>
    public PendingInvocation Begin(Function function, InvocationRequest request)
    {
        var pending = new PendingInvocation(this, function, request.InvocationId);
        _running[request.InvocationId] = pending;
        // Lose closes the queue before it looks for what runs, so it fails each run that was sent.
        if (Send(new StreamingMessage { InvocationRequest = request }))
            return pending;
        _running.TryRemove(request.InvocationId, out _);
        throw new WorkerLostException("The worker's connection ended.");
    }

    /// <summary>Trips the token of a run. The run goes on until the function heeds it.</summary>
    public void Cancel(string invocationId)
    {
        if (_canCancel)
            Send(new StreamingMessage { InvocationCancel = new InvocationCancel { InvocationId = invocationId } });
    }

    /// <summary>Asks the worker to end.</summary>
    public void Terminate(TimeSpan grace) => Send(new StreamingMessage
    {
        WorkerTerminate = new WorkerTerminate { GracePeriod = Google.Protobuf.WellKnownTypes.Duration.FromTimeSpan(grace) },
    });

    /// <summary>Fails what runs: no answer will come.</summary>
    public void Lose(string reason)
    {
        if (!_lost)
        {
            _lost = true;
            // Before what runs fails: a caller that tries again must not find this worker.
            onLost(this);
        }
        _outbound.Writer.TryComplete();
        var lost = new WorkerLostException(reason);
        _initialised.TrySetException(lost);
        _described.TrySetException(lost);
        _loaded.TrySetException(lost);
        foreach (var id in _running.Keys)
        {
            if (_running.TryRemove(id, out var pending))
                pending.TrySetException(lost);
        }
    }

    private static string Loopback(string uri) =>
        // A name would be looked up, and tried as IPv6 first, for each connection.
        uri.Replace("//localhost:", "//127.0.0.1:", StringComparison.OrdinalIgnoreCase);

    private static void Require(StatusResult? result, string what)
    {
        if (result is { Status: StatusResult.Types.Status.Success } or null)
            return;
        throw new InvalidOperationException($"{what}: {HostConsole.Describe(result.Exception)}");
    }

    private bool Send(StreamingMessage message) => _outbound.Writer.TryWrite(message);

    private async Task WriteAsync(IServerStreamWriter<StreamingMessage> writer)
    {
        var messages = _outbound.Reader;
        try
        {
            while (await messages.WaitToReadAsync())
            {
                while (messages.TryRead(out var message))
                {
                    writer.WriteOptions = messages.TryPeek(out _) ? MoreFollows : null;
                    await writer.WriteAsync(message);
                }
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or InvalidOperationException)
        {
            Lose("The worker's connection ended.");
        }
    }

    private void Receive(StreamingMessage message)
    {
        switch (message.ContentCase)
        {
            case StreamingMessage.ContentOneofCase.InvocationResponse:
                if (_running.TryRemove(message.InvocationResponse.InvocationId, out var pending))
                    pending.TrySetResult(message.InvocationResponse);
                break;
            case StreamingMessage.ContentOneofCase.RpcLog:
                if (message.RpcLog.Level >= logLevel && message.RpcLog.Level != RpcLog.Types.Level.None
                    && message.RpcLog.Category != InvocationCategory)
                    Print(message.RpcLog);
                break;
            case StreamingMessage.ContentOneofCase.WorkerInitResponse:
                _initialised.TrySetResult(message.WorkerInitResponse);
                break;
            case StreamingMessage.ContentOneofCase.FunctionMetadataResponse:
                _described.TrySetResult(message.FunctionMetadataResponse);
                break;
            case StreamingMessage.ContentOneofCase.FunctionLoadResponse:
                _loads.Add(message.FunctionLoadResponse);
                if (_loads.Count == _loading)
                    _loaded.TrySetResult();
                break;
        }
    }

    private void Print(RpcLog log) =>
        console.Line(
            $"[{log.Level}] {log.Category}: "
            + $"{log.Message}{(log.Exception is null ? "" : Environment.NewLine + HostConsole.Describe(log.Exception))}");
}
