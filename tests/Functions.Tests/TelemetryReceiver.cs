using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Text;
using Payments.Kit;

[assembly: AssemblyFixture(typeof(Payments.Functions.Tests.TelemetryReceiver))]

namespace Payments.Functions.Tests;

/// <summary>A span as the app exported it.</summary>
public sealed record ReceivedSpan(string Trace, string Id, string Parent, string Name);

/// <summary>Stands where the app's telemetry goes: takes OTLP over HTTP and keeps spans and the names of metrics.</summary>
public sealed class TelemetryReceiver : IAsyncLifetime
{
    /// <summary>Where telemetry comes in; null where the app runs elsewhere and <c>PAYMENTS_TEST_OTLP_PORT</c> does not say.</summary>
    public static int? Port { get; } = Environment.GetEnvironmentVariable("PAYMENTS_TEST_OTLP_PORT") is { Length: > 0 } port
        ? int.Parse(port, CultureInfo.InvariantCulture)
        : Environment.GetEnvironmentVariable("PAYMENTS_TEST_APP_URL") is { Length: > 0 } ? null : FreePorts.Take();

    private readonly HttpListener _listener = new();
    private readonly ConcurrentQueue<ReceivedSpan> _spans = new();
    private readonly ConcurrentDictionary<string, bool> _metrics = new(StringComparer.Ordinal);
    private Task _loop = Task.CompletedTask;

    /// <summary>False where the app was started by somebody else and sends its telemetry elsewhere.</summary>
    public bool IsThere { get; private set; }

    public ICollection<string> Metrics => _metrics.Keys;

    public IReadOnlyList<ReceivedSpan> Of(string trace) => [.. _spans.Where(span => span.Trace == trace)];

    public ValueTask InitializeAsync()
    {
        if (Port is { } port)
        {
            _listener.Prefixes.Add($"http://127.0.0.1:{port}/");
            _listener.Start();
            IsThere = true;
            _loop = ReceiveAsync();
        }

        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        if (IsThere)
            _listener.Stop();
        await _loop;
        _listener.Close();
    }

    private async Task ReceiveAsync()
    {
        while (true)
        {
            HttpListenerContext context;
            try
            {
                context = await _listener.GetContextAsync();
            }
            catch (Exception e) when (e is HttpListenerException or InvalidOperationException)
            {
                // Stopped, while it waited or just before.
                return;
            }

            using var body = new MemoryStream();
            await context.Request.InputStream.CopyToAsync(body);
            var bytes = body.ToArray();
            switch (context.Request.Url!.AbsolutePath)
            {
                case "/v1/traces":
                    Spans(bytes);
                    break;
                case "/v1/metrics":
                    // ExportMetricsServiceRequest.resource_metrics(1).scope_metrics(2).metrics(2).name(1)
                    foreach (var name in Fields(bytes, 1).SelectMany(r => Fields(r, 2)).SelectMany(s => Fields(s, 2)).SelectMany(m => Fields(m, 1)))
                        _metrics[Encoding.UTF8.GetString(name.Span)] = true;
                    break;
            }

            try
            {
                context.Response.ContentType = "application/x-protobuf";
                context.Response.Close();
            }
            catch (Exception e) when (e is HttpListenerException or InvalidOperationException)
            {
                // Stopped before the answer.
                return;
            }
        }
    }

    // ExportTraceServiceRequest.resource_spans(1).scope_spans(2).spans(2), of which trace_id(1), span_id(2), parent_span_id(4), name(5)
    private void Spans(ReadOnlyMemory<byte> request)
    {
        foreach (var span in Fields(request, 1).SelectMany(resource => Fields(resource, 2)).SelectMany(scope => Fields(scope, 2)))
            _spans.Enqueue(new ReceivedSpan(Hex(span, 1), Hex(span, 2), Hex(span, 4), Encoding.UTF8.GetString(Fields(span, 5).First().Span)));

        static string Hex(ReadOnlyMemory<byte> message, int field) => Convert.ToHexStringLower(Fields(message, field).FirstOrDefault().Span);
    }

    /// <summary>The values of a length-delimited field of a protobuf message.</summary>
    private static List<ReadOnlyMemory<byte>> Fields(ReadOnlyMemory<byte> message, int field)
    {
        var found = new List<ReadOnlyMemory<byte>>();
        var at = 0;
        while (at < message.Length)
        {
            var tag = Varint(message.Span, ref at);
            switch (tag & 7)
            {
                case 0:
                    Varint(message.Span, ref at);
                    break;
                case 1:
                    at += 8;
                    break;
                case 2:
                    var length = (int)Varint(message.Span, ref at);
                    if ((int)(tag >> 3) == field)
                        found.Add(message.Slice(at, length));
                    at += length;
                    break;
                case 5:
                    at += 4;
                    break;
                default:
                    throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture, $"No such wire type: {tag & 7}."));
            }
        }

        return found;
    }

    private static ulong Varint(ReadOnlySpan<byte> bytes, ref int at)
    {
        var value = 0UL;
        for (var shift = 0; ; shift += 7)
        {
            var next = bytes[at++];
            value |= (ulong)(next & 0x7f) << shift;
            if (next < 0x80)
                return value;
        }
    }
}
