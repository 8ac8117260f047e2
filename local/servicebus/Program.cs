using System.Globalization;
using System.Runtime.InteropServices;
using Payments.Local.ServiceBus;

const string Usage = "Usage: servicebus [--port 5672] --queues queues.json [--data contents.log]";

var (port, queues, data) = (5672, "", (string?)null);
for (var i = 0; i < args.Length; i += 2)
{
    var value = i + 1 < args.Length ? args[i + 1] : null;
    switch (args[i], value)
    {
        case ("--port", not null) when int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out port):
            break;
        case ("--queues", not null):
            queues = value;
            break;
        case ("--data", not null):
            data = value;
            break;
        default:
            await Console.Error.WriteLineAsync(Usage);
            return 2;
    }
}
if (queues.Length == 0)
{
    await Console.Error.WriteLineAsync(Usage);
    return 2;
}

var stop = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
void Stop(PosixSignalContext signal)
{
    signal.Cancel = true;
    stop.TrySetResult();
}
using var interrupted = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
using var terminated = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);

await using var bus = ServiceBusDouble.Start(new ServiceBusDoubleOptions
{
    Port = port,
    DataFile = data,
    // A client that reconnects at once after a restart must not be told that its queue does not exist.
    Entities = EntityFile.Read(queues),
});
await Console.Out.WriteLineAsync($"Service Bus double ready: {bus.ConnectionString}");
await stop.Task;
return 0;
