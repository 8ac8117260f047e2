using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Polly;
using Polly.CircuitBreaker;
using Polly.Retry;
using Polly.Timeout;

namespace Payments.Domain.Providers.Http;

/// <summary>
/// Calls one provider's API, with a time limit, a circuit breaker, and repeats where a repeat is safe. A call that moves money is repeated
/// only if nothing was carried out for certain: no connection, or 429. A look-up changes nothing and is repeated after any failure. An open
/// circuit sends nothing, so a call that it stops was not sent.
/// </summary>
public sealed class ProviderHttp
{
    private const long LongestAnswer = 4 * 1024 * 1024;

    private readonly string _provider;
    private readonly HttpClient _http;
    private readonly ResiliencePipeline<ProviderExchange> _send;
    private readonly ResiliencePipeline<ProviderExchange> _look;

    /// <param name="http">The client with its base address. This class disables the client's own time limit.</param>
    public ProviderHttp(string provider, HttpClient http, ProviderHttpOptions options, TimeProvider time, ILogger log)
    {
        _provider = provider;
        _http = http;
        _http.Timeout = Timeout.InfiniteTimeSpan;
        _http.MaxResponseContentBufferSize = LongestAnswer;
        var guarded = new ResiliencePipelineBuilder<ProviderExchange> { Name = provider, TimeProvider = time }
            .AddCircuitBreaker(new CircuitBreakerStrategyOptions<ProviderExchange>
            {
                FailureRatio = options.CircuitFailureRatio,
                MinimumThroughput = options.CircuitMinimumCalls,
                SamplingDuration = options.CircuitWindow,
                BreakDuration = options.CircuitBreak,
                ShouldHandle = arguments => ValueTask.FromResult(arguments.Outcome.Result is { IsFault: true }),
                OnOpened = arguments =>
                {
                    ProviderLog.CircuitOpened(log, provider, arguments.BreakDuration, arguments.Outcome.Result?.Detail);
                    return default;
                },
                OnClosed = _ =>
                {
                    ProviderLog.CircuitClosed(log, provider);
                    return default;
                },
            })
            .AddTimeout(new TimeoutStrategyOptions { Timeout = options.Timeout })
            .Build();
        _send = Repeating(options, time, exchange => exchange.End is ExchangeEnd.NotSent || exchange is { End: ExchangeEnd.Answered, Status: HttpStatusCode.TooManyRequests }, guarded);
        _look = Repeating(options, time, exchange => exchange.IsFault || exchange.Status is HttpStatusCode.TooManyRequests, guarded);
    }

    /// <summary>A call that may move money. The request carries the attempt's idempotency key, so a repeat is the same request.</summary>
    /// <param name="request">
    /// Creates the request, again for each repeat. Its body must be a <see cref="SentContent"/>, which tells not sent from unknown.
    /// </param>
    public Task<ProviderExchange> SendAsync(Func<HttpRequestMessage> request, CancellationToken ct) => RunAsync(_send, request, ct);

    /// <summary>A call that changes nothing.</summary>
    public Task<ProviderExchange> LookAsync(Func<HttpRequestMessage> request, CancellationToken ct) => RunAsync(_look, request, ct);

    private static ResiliencePipeline<ProviderExchange> Repeating(
        ProviderHttpOptions options, TimeProvider time, Func<ProviderExchange, bool> again, ResiliencePipeline<ProviderExchange> guarded)
    {
        var builder = new ResiliencePipelineBuilder<ProviderExchange> { TimeProvider = time };
        if (options.Repeats > 0)
        {
            builder.AddRetry(new RetryStrategyOptions<ProviderExchange>
            {
                MaxRetryAttempts = options.Repeats,
                ShouldHandle = arguments => ValueTask.FromResult(
                    arguments.Outcome.Result is { } exchange && again(exchange) && (exchange.RetryAfter ?? TimeSpan.Zero) <= options.LongestPause),
                BackoffType = DelayBackoffType.Exponential,
                Delay = TimeSpan.FromMilliseconds(100),
                MaxDelay = options.LongestPause,
                UseJitter = true,
                DelayGenerator = arguments => ValueTask.FromResult(arguments.Outcome.Result?.RetryAfter),
            });
        }

        return builder.AddPipeline(guarded).Build();
    }

    private async Task<ProviderExchange> RunAsync(ResiliencePipeline<ProviderExchange> pipeline, Func<HttpRequestMessage> request, CancellationToken ct)
    {
        try
        {
            return await pipeline.ExecuteAsync(async token => await ExchangeAsync(request, token), ct);
        }
        catch (BrokenCircuitException)
        {
            return ProviderExchange.NotSent($"The circuit of {_provider} is open after many failures: nothing was sent.");
        }
    }

    /// <summary>One exchange. After a failure, the outcome depends on whether the request can have arrived.</summary>
    private async Task<ProviderExchange> ExchangeAsync(Func<HttpRequestMessage> request, CancellationToken ct)
    {
        using var message = request();
        try
        {
            using var response = await _http.SendAsync(message, HttpCompletionOption.ResponseContentRead, ct);
            var body = await response.Content.ReadAsByteArrayAsync(ct);
            return new ProviderExchange(ExchangeEnd.Answered, response.StatusCode, body, $"HTTP {(int)response.StatusCode}.", RetryAfter(response));
        }
        catch (Exception e) when (e is HttpRequestException or IOException or SocketException or OperationCanceledException)
        {
            var what = e is HttpRequestException { HttpRequestError: not HttpRequestError.Unknown } http ? http.HttpRequestError.ToString() : e.GetType().Name;
            return message.Content is SentContent { Began: false }
                ? ProviderExchange.NotSent($"No connection to {_provider}: {what}.")
                : ProviderExchange.Unknown($"The call to {_provider} ended without an answer: {what}.");
        }
    }

    private static TimeSpan? RetryAfter(HttpResponseMessage response) => response.Headers.RetryAfter is { Delta: { } delta } ? delta : null;
}
