using System.Collections.Concurrent;
using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Payments.Faults;

/// <summary>One answer of the platform.</summary>
internal sealed record Reply(int Status, string Body)
{
    public bool IsSuccess => Status is >= 200 and < 300;

    public JsonNode Json => JsonNode.Parse(Body)!;

    public string? Text(string property) => Json[property]?.GetValue<string>();
}

/// <summary>
/// A client that is as careful as a merchant's should be. It repeats a request that got no answer under the same key, until it gets one or
/// its patience ends. It remembers every answer.
/// </summary>
internal sealed class Api(World world, Tally tally)
{
    private readonly ConcurrentQueue<(Acknowledged Request, string Key, string Body, DateTimeOffset At)> _acknowledged = new();
    private readonly ConcurrentQueue<Violation> _violations = new();

    /// <summary>How long the client asks for one answer.</summary>
    public TimeSpan Patience { get; set; } = TimeSpan.FromMinutes(2);

    public IReadOnlyCollection<Acknowledged> Acknowledged => [.. _acknowledged.Select(a => a.Request)];

    /// <summary>Answers that break a promise.</summary>
    public IReadOnlyCollection<Violation> Violations => _violations;

    /// <summary>Sends a request that changes something. Null if no answer came in time: then the run may rely on nothing.</summary>
    /// <param name="operation">The name under which the request is counted and remembered.</param>
    /// <param name="twice">Sends the request twice at once, as a nervous client does. Both answers must be the same.</param>
    public async Task<Reply?> MoveAsync(string operation, string merchant, string key, string path, object body, string idempotencyKey, bool twice = false)
    {
        var text = JsonSerializer.Serialize(body);
        var sent = twice
            ? await Task.WhenAll(SendAsync(HttpMethod.Post, path, key, text, idempotencyKey), SendAsync(HttpMethod.Post, path, key, text, idempotencyKey))
            : [await SendAsync(HttpMethod.Post, path, key, text, idempotencyKey)];
        var replies = sent.OfType<Reply>().ToList();
        var reply = replies.Find(r => r.IsSuccess) ?? replies.FirstOrDefault();
        if (reply is null)
        {
            tally.Add($"operation {operation}: given up");
            return null;
        }

        if (!reply.IsSuccess)
        {
            tally.Add($"operation {operation}: refused, {reply.Status}{(reply.Body.StartsWith('{') && reply.Json["code"] is { } code ? " " + code : "")}");
            return reply;
        }

        tally.Add($"operation {operation}");
        if (replies.Count == 2 && replies.All(r => r.IsSuccess) && replies[0] != replies[1])
            _violations.Enqueue(new Violation("same_answer", $"two of one {operation} ({idempotencyKey}) at once were answered differently: {replies[0].Body} and {replies[1].Body}"));
        _acknowledged.Enqueue((new Acknowledged(operation, merchant, idempotencyKey, path, text, reply.Status, reply.Json), key, reply.Body, world.Clock.Now));
        return reply;
    }

    /// <summary>Sends a request that may be repeated without an idempotency key.</summary>
    public Task<Reply?> SetAsync(HttpMethod method, string path, string key, object? body = null, string? onBehalfOf = null) =>
        SendAsync(method, path, key, body is null ? null : JsonSerializer.Serialize(body), idempotencyKey: null, onBehalfOf);

    public Task<Reply?> GetAsync(string path, string key) => SendAsync(HttpMethod.Get, path, key, body: null, idempotencyKey: null);

    /// <summary>Repeats acknowledged requests under their keys. The answers must be the same, byte for byte.</summary>
    public async Task<IReadOnlyList<Violation>> ReplayAsync(int atMost, Random random)
    {
        // A key is kept for 48 hours.
        var oldest = world.Clock.Now - TimeSpan.FromHours(40);
        var kept = _acknowledged.Where(a => a.At > oldest && a.Request.IdempotencyKey.Length > 0).ToArray();
        random.Shuffle(kept);
        var violations = new ConcurrentQueue<Violation>();
        await Parallel.ForEachAsync(kept.Take(atMost), new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (past, _) =>
        {
            var again = await SendAsync(HttpMethod.Post, past.Request.Path, past.Key, past.Request.Request, past.Request.IdempotencyKey);
            tally.Add("replayed answers");
            if (again is null)
                violations.Enqueue(new Violation("same_answer", $"the {past.Request.Operation} {past.Request.IdempotencyKey} was answered before and is not any more"));
            else if (again.Status != past.Request.Status || again.Body != past.Body)
                violations.Enqueue(new Violation("same_answer", $"the {past.Request.Operation} {past.Request.IdempotencyKey} was answered {past.Request.Status} {past.Body}, and now {again.Status} {again.Body}"));
        });
        return [.. violations];
    }

    private async Task<Reply?> SendAsync(HttpMethod method, string path, string key, string? body, string? idempotencyKey, string? onBehalfOf = null)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                using var request = new HttpRequestMessage(method, path);
                request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
                if (idempotencyKey is not null)
                    request.Headers.Add("Idempotency-Key", idempotencyKey);
                if (onBehalfOf is not null)
                    request.Headers.Add("On-Behalf-Of", onBehalfOf);
                if (body is not null)
                    request.Content = new StringContent(body, Encoding.UTF8, "application/json");
                using var response = await world.Http.SendAsync(request);
                var reply = new Reply((int)response.StatusCode, await response.Content.ReadAsStringAsync());

                // Another try of the same request may be in progress, or an instance may be full or without its database. All these answers
                // ask for a repetition.
                var again = reply.Status is 429 or >= 500 || (reply.Status == 409 && response.Headers.RetryAfter is not null);
                if (!again)
                    return reply;
                tally.Add(string.Create(CultureInfo.InvariantCulture, $"try again: {reply.Status}"));
            }
            catch (Exception e) when (e is HttpRequestException or OperationCanceledException or IOException or SocketException)
            {
                tally.Add("try again: no answer");
            }

            if (TimeProvider.System.GetElapsedTime(started) > Patience)
                return null;
            await Task.Delay(100);
        }
    }
}
