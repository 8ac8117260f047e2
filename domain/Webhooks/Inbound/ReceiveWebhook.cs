using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Npgsql;
using NpgsqlTypes;
using Payments.Domain.Database;
using Payments.Domain.Messaging;

namespace Payments.Domain.Webhooks.Inbound;

/// <summary>The outcome of a partner's request.</summary>
/// <param name="Refusal">Null if its events are stored, now or by an earlier request.</param>
/// <param name="Stored">How many of its events were new.</param>
/// <param name="Acknowledgement">The body of the response.</param>
public sealed record WebhookReceipt(WebhookRefusal? Refusal, int Stored, string Acknowledgement);

/// <summary>
/// Takes a partner's webhook: verifies it and stores its events, each with a message to process it. Only then is the webhook acknowledged.
/// A repeated event is acknowledged again and stored once.
/// </summary>
public sealed class ReceiveWebhook : IAsyncDisposable
{
    /// <summary>The largest accepted body in bytes. The caller need not read more.</summary>
    public const int MaxBody = 256 * 1024;

    private readonly InboundProviders _providers;
    private readonly OutboxSignal _signal;
    private readonly TimeProvider _time;
    private readonly InboundRefusals _refusals;
    private readonly GroupCommit<Arrival, int> _commits;

    public ReceiveWebhook(InboundProviders providers, NpgsqlDataSource dataSource, OutboxSignal signal, TimeProvider time, ILogger<ReceiveWebhook> logger)
    {
        _providers = providers;
        _signal = signal;
        _time = time;
        _refusals = new InboundRefusals(time, logger);
        _commits = new GroupCommit<Arrival, int>("provider-events", dataSource, StoreAsync, new GroupCommitOptions(), time);
    }

    /// <summary>Returns when the events are durable.</summary>
    /// <param name="body">The raw bytes of the request.</param>
    /// <exception cref="OverloadedException">Too many requests wait for the database. The partner sends this one again.</exception>
    public async Task<WebhookReceipt> HandleAsync(string provider, IHeaderDictionary headers, ReadOnlyMemory<byte> body, CancellationToken ct)
    {
        var now = _time.GetUtcNow();
        var verifier = _providers.Find(provider);
        var verification = verifier is null ? WebhookVerification.Refused(WebhookRefusal.UnknownProvider)
            : body.Length > MaxBody ? WebhookVerification.Refused(WebhookRefusal.TooLarge)
            : verifier.Verify(headers, body, now);
        if (verification.Refusal is { } refusal)
        {
            _refusals.Count(verifier is null ? "unknown" : provider, refusal);
            return new WebhookReceipt(refusal, 0, "");
        }

        var stored = await _commits.SubmitAsync(new Arrival(provider, verification.Events, now, Activity.Current?.Id), ct);
        if (stored > 0)
            _signal.Set();
        return new WebhookReceipt(null, stored, verifier!.Acknowledgement);
    }

    public ValueTask DisposeAsync() => _commits.DisposeAsync();

    private static async ValueTask<IReadOnlyList<int>> StoreAsync(
        NpgsqlConnection connection, NpgsqlTransaction transaction, IReadOnlyList<Arrival> arrivals, CancellationToken ct)
    {
        var rows = arrivals.SelectMany((arrival, index) => arrival.Events.Select(e => (Id: Guid.CreateVersion7(arrival.At), Arrival: arrival, Index: index, Event: e))).ToArray();
        await using var command = new NpgsqlCommand(InboundSql.Store, connection, transaction)
        {
            Parameters =
            {
                SqlParameters.Texts(rows.Select(row => row.Arrival.Provider)),
                SqlParameters.Texts(rows.Select(row => row.Event.Id)),
                SqlParameters.Column(rows.Select(row => row.Id), NpgsqlDbType.Uuid),
                SqlParameters.Texts(rows.Select(row => row.Event.Type)),
                SqlParameters.Column(rows.Select(row => row.Event.Payload), NpgsqlDbType.Bytea),
                SqlParameters.Times(rows, row => row.Arrival.At),
                SqlParameters.Column(rows.Select(row => row.Arrival.TraceParent), NpgsqlDbType.Text),
            },
        };
        var indexes = rows.ToDictionary(row => row.Id, row => row.Index);
        var stored = new int[arrivals.Count];
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
            stored[indexes[reader.GetGuid(0)]]++;
        return stored;
    }

    private sealed record Arrival(string Provider, IReadOnlyList<VerifiedEvent> Events, DateTimeOffset At, string? TraceParent);
}
