using System.Collections.Concurrent;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Threading.Channels;

namespace Payments.Acquirer;

/// <summary>A webhook on its way. Its body stays in the journal until it is sent.</summary>
internal sealed class PendingWebhook(int generation, long number, string id, string type, string subject, long offset, int length)
{
    /// <summary>How often the journal had been cleared when the webhook was made; an older one is void.</summary>
    public int Generation { get; } = generation;

    /// <summary>The entry's sequence number times 16 plus the place among the entry's webhooks.</summary>
    public long Number { get; } = number;
    public string Id { get; } = id;
    public string Type { get; } = type;
    public string Subject { get; } = subject;
    public long Offset { get; } = offset;
    public int Length { get; } = length;
    public int Attempt { get; set; }
    public bool Held { get; set; }

    /// <summary>Ends with the first try, however it went.</summary>
    public TaskCompletionSource FirstTry { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
}

/// <summary>
/// Delivers webhooks until they are acknowledged. At least once: a crash between the acknowledgement and its record repeats one.
/// A bounded number is under way, so a slow receiver never holds up a payment.
/// </summary>
internal sealed class WebhookDispatcher(
    AcquirerOptions options, JournalFile journal, FaultPlan faults, AcquirerClock clock, ILogger<WebhookDispatcher> logger) : BackgroundService
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    private readonly Channel<PendingWebhook> _ready = Channel.CreateUnbounded<PendingWebhook>();
    private readonly PriorityQueue<PendingWebhook, long> _waiting = new();
    private readonly Lock _gate = new();
    private readonly HttpClient _http = new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        UseProxy = false,
        MaxConnectionsPerServer = Math.Max(1, options.WebhookConcurrency),
        PooledConnectionLifetime = TimeSpan.FromMinutes(2),
    })
    {
        Timeout = TimeSpan.FromSeconds(options.WebhookTimeoutSeconds),
    };
    private ConcurrentQueue<long> _delivered = new();
    private int _pending;
    private int _generation;

    /// <summary>Whether anybody listens; if not, no webhook is made.</summary>
    public bool Enabled { get; } = !string.IsNullOrEmpty(options.WebhookUrl);

    public int Pending => Volatile.Read(ref _pending);

    public int Generation => Volatile.Read(ref _generation);

    public void Enqueue(PendingWebhook webhook)
    {
        lock (_gate)
        {
            if (webhook.Generation != _generation)
                return;
            _pending++;
            _ready.Writer.TryWrite(webhook);
        }
    }

    /// <summary>The numbers of webhooks acknowledged since the last call, to be recorded.</summary>
    public long[] TakeDelivered()
    {
        if (_delivered.IsEmpty)
            return [];
        var numbers = new List<long>();
        while (numbers.Count < 1000 && _delivered.TryDequeue(out var number))
            numbers.Add(number);
        return [.. numbers];
    }

    /// <summary>Forgets every webhook: the journal they live in is being cleared.</summary>
    public void Clear()
    {
        lock (_gate)
        {
            _generation++;
            _waiting.Clear();
            while (_ready.Reader.TryRead(out _))
            {
            }
            _delivered = new();
            _pending = 0;
        }
    }

    public override void Dispose()
    {
        _http.Dispose();
        base.Dispose();
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!Enabled || !WebhookSignature.TryParseSecret(options.WebhookSecret, out var secret))
            return Task.CompletedTask;
        var workers = Enumerable.Range(0, Math.Max(1, options.WebhookConcurrency)).Select(_ => DeliverAsync(secret, stoppingToken));
        return Task.WhenAll(workers.Append(WakeAsync(stoppingToken)));
    }

    private async Task WakeAsync(CancellationToken ct)
    {
        using var timer = new PeriodicTimer(Tick);
        try
        {
            while (await timer.WaitForNextTickAsync(ct))
            {
                lock (_gate)
                {
                    while (_waiting.TryPeek(out var webhook, out var due) && due <= Environment.TickCount64)
                    {
                        _waiting.Dequeue();
                        _ready.Writer.TryWrite(webhook);
                    }
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The program stops; what is undelivered is found in the journal.
        }
    }

    private async Task DeliverAsync(byte[] secret, CancellationToken ct)
    {
        try
        {
            await foreach (var webhook in _ready.Reader.ReadAllAsync(ct))
                await DeliverOneAsync(webhook, secret, ct);
        }
        catch (OperationCanceledException)
        {
            // The program stops; what is undelivered is found in the journal.
        }
    }

    private async Task DeliverOneAsync(PendingWebhook webhook, byte[] secret, CancellationToken ct)
    {
        var plan = faults.Webhooks;
        if (!webhook.Held && HoldMilliseconds(webhook, plan) is { } hold)
        {
            webhook.Held = true;
            Wait(webhook, hold);
            return;
        }
        var attempt = ++webhook.Attempt;
        var dropped = attempt == 1 && Drawn(webhook, "drop_first", plan.DropFirst);
        var acknowledged = !dropped && await SendAsync(webhook, secret, ct);
        if (acknowledged && attempt == 1 && Drawn(webhook, "duplicate", plan.Duplicate))
            await SendAsync(webhook, secret, ct);
        webhook.FirstTry.TrySetResult();
        if (!acknowledged)
        {
            // Spread by up to a fifth, so that what failed together does not come back together.
            var pause = Math.Min(LongestPause.TotalMilliseconds, 200 * Math.Pow(2, Math.Min(attempt - 1, 16)));
            Wait(webhook, (long)(pause * (0.8 + (0.4 * Draw.Unit(faults.Seed, webhook.Id, attempt)))));
            return;
        }
        lock (_gate)
        {
            if (webhook.Generation != _generation)
                return;
            _delivered.Enqueue(webhook.Number);
            _pending--;
        }
    }

    private async Task<bool> SendAsync(PendingWebhook webhook, byte[] secret, CancellationToken ct)
    {
        try
        {
            var line = await journal.ReadLineAsync(webhook.Offset, webhook.Length, ct);
            using var document = JsonDocument.Parse(line);
            var at = document.RootElement.GetProperty("entry"u8).GetProperty("at"u8).GetDateTime();
            var body = JsonSerializer.SerializeToUtf8Bytes(
                new WebhookBody(webhook.Id, webhook.Type, at, document.RootElement.GetProperty("body"u8)), AcquirerJson.Default.WebhookBody);
            var timestamp = clock.GetUtcNow().ToUnixTimeSeconds();
            using var request = new HttpRequestMessage(HttpMethod.Post, options.WebhookUrl)
            {
                Content = new ByteArrayContent(body) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } },
            };
            request.Headers.Add("webhook-id", webhook.Id);
            request.Headers.Add("webhook-timestamp", timestamp.ToString(CultureInfo.InvariantCulture));
            request.Headers.Add("webhook-signature", WebhookSignature.Sign(secret, webhook.Id, timestamp, body));
            using var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ct);
            if (response.IsSuccessStatusCode)
                return true;
            logger.WebhookFailed(webhook.Id, webhook.Attempt, $"HTTP {(int)response.StatusCode}");
        }
        catch (Exception problem) when ((problem is HttpRequestException or OperationCanceledException) && !ct.IsCancellationRequested)
        {
            logger.WebhookFailed(webhook.Id, webhook.Attempt, problem.Message);
        }
#pragma warning disable CA1031 // Whatever it was, the next try may go well, and the worker goes on: a webhook that nobody sends any more would wait for a restart.
        catch (Exception problem) when (!ct.IsCancellationRequested)
#pragma warning restore CA1031
        {
            logger.WebhookBroken(problem, webhook.Id);
        }

        return false;
    }

    private void Wait(PendingWebhook webhook, long milliseconds)
    {
        lock (_gate)
        {
            if (webhook.Generation == _generation)
                _waiting.Enqueue(webhook, Environment.TickCount64 + milliseconds);
        }
    }

    private long? HoldMilliseconds(PendingWebhook webhook, WebhookFaults plan)
    {
        if (Drawn(webhook, "delay", plan.Delay))
            return plan.DelayMilliseconds;
        // Holding some for a moment lets later ones overtake them.
        return Drawn(webhook, "reorder", plan.Reorder)
            ? (long)(plan.ReorderWindowMilliseconds * Draw.Unit(faults.Seed, "window/" + webhook.Subject + webhook.Type, 0))
            : null;
    }

    private bool Drawn(PendingWebhook webhook, string fault, double probability) =>
        probability > 0 && Draw.Unit(faults.Seed, $"webhook/{fault}/{webhook.Type}/{webhook.Subject}", 0) < probability;
}
