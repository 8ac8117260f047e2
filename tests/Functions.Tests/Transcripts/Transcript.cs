using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Payments.Kit;
using Xunit.v3;

namespace Payments.Functions.Tests.Transcripts;

/// <summary>
/// Writes down what each test said to the app and what it answered, one file a test, where <c>PAYMENTS_TRANSCRIPTS</c> names a folder.
/// Recordings of two builds are compared with <c>tests/transcripts.mjs</c>: a change that should change no answer is so held against more
/// than tests assert.
/// </summary>
internal static class Transcript
{
    private static readonly string? Folder = Environment.GetEnvironmentVariable("PAYMENTS_TRANSCRIPTS") is { Length: > 0 } folder
        ? Path.GetFullPath(folder, Repository.Root)
        : null;

    private static readonly ConcurrentDictionary<string, TestTranscript> Tests = new(StringComparer.Ordinal);

    /// <summary>A client for requests to the app. Its requests are recorded for the test that makes them.</summary>
    public static HttpClient Client(SocketsHttpHandler? handler = null, Uri? address = null, TimeSpan? timeout = null)
    {
        handler ??= new SocketsHttpHandler();
        var http = new HttpClient(Folder is null ? handler : new Recorder(handler)) { BaseAddress = address };
        http.Timeout = timeout ?? http.Timeout;
        return http;
    }

    /// <summary>
    /// One look of a test that polls. What it asked is forgotten if the test goes on to look again, since how often it does depends on the
    /// machine.
    /// </summary>
    public static async Task<(T Seen, bool Held)> LookAsync<T>(Func<Task<T>> look, Func<T, bool> holds)
    {
        var transcript = Folder is null ? null : OfThisTest();
        var before = transcript?.Count ?? 0;
        var seen = await look();
        var held = holds(seen);
        if (!held)
            transcript?.ForgetFrom(before);
        return (seen, held);
    }

    /// <summary>Writes the files, once all tests have run: only then is it known which exchanges overlapped and which were polls.</summary>
    /// <param name="transport">Names a folder in the recording, since both transports run the same tests; empty for none.</param>
    public static void Write(string transport)
    {
        if (Folder is null)
            return;
        var folder = Directory.CreateDirectory(Path.Combine(Folder, transport)).FullName;
        foreach (var (name, transcript) in Tests)
        {
            if (transcript.Count > 0)
                File.WriteAllText(Path.Combine(folder, name + ".txt"), transcript.ToString());
        }
    }

    private static TestTranscript? OfThisTest()
    {
        var context = TestContext.Current;
        if (context.Test is not IXunitTest test || context.TestClass is not { } type || context.TestMethod is not { } method)
            return null;
        var title = $"{type.TestClassName[(type.TestClassName.LastIndexOf('.') + 1)..]}.{method.MethodName}";
        var arguments = test.TestMethodArguments;
        if (arguments.Length == 0)
            return Tests.GetOrAdd(title, _ => new TestTranscript(title));

        // Arguments are too long for a file's name, and have signs that no name may have: words for the reader, a hash to tell them apart.
        var text = JsonSerializer.Serialize(arguments, Rendering.Json);
        var words = string.Concat(text.Take(60).Select(c => char.IsAsciiLetterOrDigit(c) || c is '_' ? c : ' '));
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..8];
        var name = $"{title}.{string.Join('-', [.. words.Split(' ', StringSplitOptions.RemoveEmptyEntries), hash])}";
        return Tests.GetOrAdd(name, _ => new TestTranscript($"{title} {text}"));
    }

    private sealed class Recorder(HttpMessageHandler inner) : DelegatingHandler(inner)
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken ct)
        {
            if (OfThisTest() is not { } transcript)
                return await base.SendAsync(request, ct);

            // Before the first await, so that requests which a test starts at once are in the order in which it starts them.
            var exchange = transcript.Begin(request);
            try
            {
                if (request.Content is { } content)
                    exchange.RequestBody = await content.ReadAsByteArrayAsync(ct);
                var response = await base.SendAsync(request, ct);
                exchange.ResponseBody = await BufferAsync(response.Content, ct);
                exchange.Response = response;
                return response;
            }
            catch (Exception e)
            {
                exchange.Failure = e.GetType().Name;
                throw;
            }
            finally
            {
                transcript.End(exchange);
            }
        }

        // The test reads it once more.
        private static async Task<byte[]> BufferAsync(HttpContent content, CancellationToken ct)
        {
            await content.LoadIntoBufferAsync(ct);
            return await content.ReadAsByteArrayAsync(ct);
        }
    }
}

/// <summary>The exchanges of one test.</summary>
internal sealed class TestTranscript(string title)
{
    private readonly Lock _lock = new();
    private readonly List<Exchange> _exchanges = [];
    private int _now;

    public int Count
    {
        get
        {
            lock (_lock)
                return _exchanges.Count;
        }
    }

    public Exchange Begin(HttpRequestMessage request)
    {
        lock (_lock)
        {
            var exchange = new Exchange
            {
                Began = ++_now,
                Method = request.Method.Method,
                Path = request.RequestUri!.PathAndQuery,
                Caller = $"{request.Headers}",
            };
            _exchanges.Add(exchange);
            return exchange;
        }
    }

    public void End(Exchange exchange)
    {
        lock (_lock)
            exchange.Ended = ++_now;
    }

    public void ForgetFrom(int index)
    {
        lock (_lock)
            _exchanges.RemoveRange(index, _exchanges.Count - index);
    }

    public override string ToString()
    {
        lock (_lock)
        {
            var text = new StringBuilder(title).Append('\n');
            var placeholders = new Placeholders(numbered: true);
            var last = "";
            foreach (var exchange in InOrder(WithoutPolls(_exchanges)))
            {
                var next = placeholders.In(exchange.ToString());
                if (next != last)
                    text.Append('\n').Append(next);
                last = next;
            }

            return text.ToString();
        }
    }

    // The headers tell callers apart: whether another merchant sees the same path is no poll.
    private static IEnumerable<Exchange> WithoutPolls(List<Exchange> exchanges) => exchanges.Where((exchange, i) =>
        exchange.Method != "GET" || i + 1 == exchanges.Count || exchanges[i + 1] is not { Method: "GET" } next
        || (next.Path, next.Caller) != (exchange.Path, exchange.Caller));

    // Which of several requests at once is answered how is a race. They are sorted by what is the same in each run.
    private static IEnumerable<Exchange> InOrder(IEnumerable<Exchange> exchanges)
    {
        var together = new List<Exchange>();
        var until = 0;
        foreach (var exchange in exchanges)
        {
            if (exchange.Began > until)
            {
                foreach (var sorted in Sorted(together))
                    yield return sorted;
                together.Clear();
            }

            together.Add(exchange);
            until = Math.Max(until, exchange.Ended);
        }

        foreach (var sorted in Sorted(together))
            yield return sorted;
    }

    private static IReadOnlyList<Exchange> Sorted(List<Exchange> together)
    {
        if (together.Count == 1)
            return [.. together];
        var unnumbered = new Placeholders(numbered: false);
        return [.. together.OrderBy(exchange => unnumbered.In(exchange.ToString()), StringComparer.Ordinal)];
    }
}

/// <summary>A request, and its answer or the error that came in its place.</summary>
internal sealed class Exchange
{
    // Requests of megabytes test a limit.
    private const int LongestRequest = 20_000;

    // What the server adds by itself.
    private static readonly string[] Unsaid = ["Date", "Server", "Transfer-Encoding", "Connection"];

    private string? _text;

    public required int Began { get; init; }

    public int Ended { get; set; } = int.MaxValue;

    public required string Method { get; init; }

    public required string Path { get; init; }

    /// <summary>The request's headers: its key above all.</summary>
    public required string Caller { get; init; }

    public byte[] RequestBody { get; set; } = [];

    public byte[] ResponseBody { get; set; } = [];

    public HttpResponseMessage? Response { get; set; }

    public string? Failure { get; set; }

    public override string ToString() => _text ??= Text();

    private string Text()
    {
        var text = new StringBuilder().Append(CultureInfo.InvariantCulture, $"=== {Method} {Path}\n")
            .Append(Rendering.Body(RequestBody, LongestRequest));
        if (Response is not { } response)
            return text.Append(CultureInfo.InvariantCulture, $"--> no answer: {Failure ?? "the test did not wait for it"}\n").ToString();
        text.Append(CultureInfo.InvariantCulture, $"--> {(int)response.StatusCode} {response.Content.Headers.ContentType}\n");
        var headers = response.Headers.ExceptBy(Unsaid, header => header.Key, StringComparer.OrdinalIgnoreCase);
        foreach (var (name, values) in headers.OrderBy(header => header.Key, StringComparer.Ordinal))
            text.Append(CultureInfo.InvariantCulture, $"{name}: {string.Join(", ", values)}\n");
        return text.Append(Rendering.Body(ResponseBody)).ToString();
    }
}
