using System.Diagnostics;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using Payments.Domain.Messaging;

namespace Payments.Domain.Webhooks.Outbound;

/// <summary>One attempt and its outcome.</summary>
/// <param name="Response">The first kilobyte of the response, or the reason why there was none.</param>
/// <param name="RetryAfter">The wait that the endpoint asked for.</param>
internal sealed record Attempt(AttemptOutcome Outcome, int? StatusCode, TimeSpan Latency, string? Response, TimeSpan? RetryAfter);

/// <summary>Makes one attempt. It never throws, whatever the endpoint does.</summary>
internal sealed class SendDelivery(WebhookHttp http, WebhookOptions options, TimeProvider time)
{
    private const int KeptOfTheAnswer = 1024;

    private static readonly TimeSpan LongestBody = TimeSpan.FromSeconds(1);

    /// <param name="keys">The endpoint's keys, the current one first.</param>
    public async Task<Attempt> SendAsync(string url, IReadOnlyList<SigningKey> keys, string apiVersion, StoredEvent happened, string? traceParent)
    {
        var started = time.GetTimestamp();
        _ = ActivityContext.TryParse(traceParent, null, isRemote: true, out var parent);
        using var activity = OutboundMetrics.Activities.StartActivity("deliver webhook", ActivityKind.Client, parent);
        using var timeout = new CancellationTokenSource(options.Timeout, time);
        var attempt = await TrySendAsync(url, keys, apiVersion, happened, started, timeout.Token);
        activity?.SetTag("http.response.status_code", attempt.StatusCode);
        activity?.SetTag("webhook.outcome", attempt.Outcome.ToString());
        OutboundMetrics.Attempted(attempt, time.GetUtcNow() - happened.CreatedAt);
        return attempt;
    }

    private async Task<Attempt> TrySendAsync(
        string url, IReadOnlyList<SigningKey> keys, string apiVersion, StoredEvent happened, long started, CancellationToken ct)
    {
        try
        {
            using var request = Request(url, keys, apiVersion, happened);
            using var response = await http.SendAsync(request, ct);

            // The status line decides. The body is only for the log, so nothing waits for it longer than a second.
            var status = (int)response.StatusCode;
            var latency = time.GetElapsedTime(started);
            return new Attempt(DeliveryRules.Read(status), status, latency, await HeadAsync(response, ct), RetryAfter(response));
        }
        catch (OperationCanceledException)
        {
            return Failed(AttemptOutcome.TimedOut, $"No answer within {options.Timeout.TotalSeconds:0} s.");
        }
        catch (Exception e) when (e is AddressRefusedException || e.InnerException is AddressRefusedException)
        {
            return Failed(AttemptOutcome.AddressRefused, "The host has no public address.");
        }
        catch (Exception e) when (e is HttpRequestException or IOException or SocketException or InvalidOperationException or UriFormatException or FormatException)
        {
            return Failed(AttemptOutcome.ConnectionFailed, e.Message);
        }

        Attempt Failed(AttemptOutcome outcome, string reason) => new(outcome, null, time.GetElapsedTime(started), Clean(reason), null);
    }

    private HttpRequestMessage Request(string url, IReadOnlyList<SigningKey> keys, string apiVersion, StoredEvent happened)
    {
        var body = happened.ToJson(apiVersion);
        var id = happened.Id.ToString();
        var timestamp = time.GetUtcNow().ToUnixTimeSeconds();
        var content = new ReadOnlyMemoryContent(body);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = content };
        request.Headers.Add(StandardWebhooks.IdHeader, id);
        request.Headers.Add(StandardWebhooks.TimestampHeader, timestamp.ToString(System.Globalization.CultureInfo.InvariantCulture));
        request.Headers.Add(StandardWebhooks.SignatureHeader, string.Join(' ', keys.Select(key => key.Sign(id, timestamp, body.Span))));
        request.Headers.UserAgent.Add(new ProductInfoHeaderValue("Payment-Functions-Webhooks", "1.0"));
        return request;
    }

    /// <summary>The first kilobyte of the body, or as much as arrived within a second or before the connection broke.</summary>
    private async Task<string?> HeadAsync(HttpResponseMessage response, CancellationToken ct)
    {
        var buffer = new byte[KeptOfTheAnswer];
        var length = 0;
        using var pause = new CancellationTokenSource(LongestBody, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, pause.Token);
        try
        {
            await using var stream = await response.Content.ReadAsStreamAsync(either.Token);
            while (length < buffer.Length && await stream.ReadAsync(buffer.AsMemory(length), either.Token) is > 0 and var read)
                length += read;
        }
        catch (Exception e) when (e is OperationCanceledException or HttpRequestException or IOException or SocketException
            or InvalidOperationException)
        {
            // A body that never ends, or that is shorter than announced, does not change the outcome.
        }

        return length == 0 ? null : Clean(Encoding.UTF8.GetString(buffer, 0, length));
    }

    // A Postgres text cannot hold a NUL, and a log of attempts should hold no control characters.
    private static string Clean(string text) => string.Create(Math.Min(text.Length, KeptOfTheAnswer), text, (span, source) =>
    {
        for (var i = 0; i < span.Length; i++)
            span[i] = char.IsControl(source[i]) && source[i] is not ('\n' or '\t') || char.IsSurrogate(source[i]) ? '�' : source[i];
    });

    private TimeSpan? RetryAfter(HttpResponseMessage response) => response.Headers.RetryAfter switch
    {
        { Delta: { } delta } => delta,
        { Date: { } date } => date - time.GetUtcNow(),
        _ => null,
    };
}
