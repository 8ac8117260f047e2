using FunctionsHost.Protocol;
using Grpc.Core;

namespace FunctionsHost.Worker;

/// <summary>The endpoint that the worker connects to.</summary>
internal sealed class FunctionRpcService(WorkerSupervisor workers) : FunctionRpc.FunctionRpcBase
{
    public override async Task EventStream(
        IAsyncStreamReader<StreamingMessage> requestStream, IServerStreamWriter<StreamingMessage> responseStream, ServerCallContext context)
    {
        if (!await requestStream.MoveNext(context.CancellationToken) || requestStream.Current.StartStream is not { } start)
            throw new Grpc.Core.RpcException(new Status(StatusCode.InvalidArgument, "The first message of a worker is StartStream."));
        var channel = workers.Connect(start.WorkerId)
            ?? throw new Grpc.Core.RpcException(new Status(StatusCode.NotFound, "This host did not start that worker."));
        await channel.RunAsync(requestStream, responseStream, context.CancellationToken);
    }
}
