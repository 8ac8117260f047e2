using System.Text.Json.Nodes;

namespace Payments.Faults;

/// <summary>What a run observed from outside: everything that the platform acknowledged, and that it must never lose.</summary>
/// <param name="Requests">Requests that were answered with a 2xx.</param>
/// <param name="Files">Dispute files that were uploaded to the inbox as a whole.</param>
/// <param name="Received">Merchants' webhooks that were received and acknowledged, by endpoint and event.</param>
/// <param name="Keys">The merchants, each with its API key.</param>
internal sealed record Observed(
    IReadOnlyCollection<Acknowledged> Requests,
    IReadOnlyCollection<DisputeFile> Files,
    IReadOnlySet<(string Endpoint, string Event)> Received,
    IReadOnlyDictionary<string, string> Keys);

/// <summary>A request that the platform answered with a 2xx.</summary>
/// <param name="Operation">
/// What the request asked for: <c>charge</c>, <c>capture</c>, <c>cancel</c>, <c>refund</c>, <c>payout</c>, <c>endpoint</c>, ...
/// </param>
/// <param name="Merchant">The id of the merchant whose key was used.</param>
/// <param name="Answer">The body of the answer.</param>
internal sealed record Acknowledged(string Operation, string Merchant, string IdempotencyKey, string Path, string Request, int Status, JsonNode Answer);

/// <param name="Partner">The partner that sent the file. It is the first folder of the inbox.</param>
/// <param name="Lines">The number of lines without the header.</param>
internal sealed record DisputeFile(string Partner, string Name, string Content, int Lines);
