using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Serialization;
using Payments.Domain.Disputes;
using Payments.Domain.Disputes.Evidence;

namespace Payments.Domain.Providers.Sandbox;

/// <summary>
/// Sends responses to the sandbox's disputes. The sandbox has no idempotency keys for them. The state of the dispute shows whether a
/// response was accepted.
/// </summary>
public sealed class SandboxDisputeProvider(HttpClient http) : IDisputeProvider
{
    public string Name => SandboxDisputes.Provider;

    public async Task<DisputeAnswer> RespondAsync(string providerDisputeId, DisputeResponseKind kind, EvidencePack evidence, CancellationToken ct)
    {
        var path = $"v1/disputes/{Uri.EscapeDataString(providerDisputeId)}";
        using var look = new HttpRequestMessage(HttpMethod.Get, path);
        var (status, body, detail) = await ExchangeAsync(look, ct);
        if (status is HttpStatusCode.NotFound)
            return DisputeAnswer.Refused("The acquirer knows no such dispute.");
        if (status is not HttpStatusCode.OK || Read(body) is not { } now)
            return DisputeAnswer.Unknown(detail);

        // The dispute has a response already, from here or from elsewhere. Its current state counts.
        if (!DisputeTransitions.AwaitsResponse(now.Status))
            return DisputeAnswer.Done(now);
        using var answer = new HttpRequestMessage(HttpMethod.Post, kind switch
        {
            DisputeResponseKind.Submit => $"{path}/evidence",
            DisputeResponseKind.Accept => $"{path}/accept",
        });
        if (kind == DisputeResponseKind.Submit)
        {
            var fields = new Dictionary<string, string>(evidence.Fields);
            foreach (var file in evidence.Files)
                fields[$"file_{file.Hash[..16]}"] = $"{file.Purpose}: {file.Name} (SHA-256 {file.Hash})";
            answer.Content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(new SandboxEvidence(evidence.Text, fields, Submit: true), SandboxEvidenceJson.Default.SandboxEvidence));
            answer.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        }

        (status, body, detail) = await ExchangeAsync(answer, ct);
        return (int)status switch
        {
            200 when Read(body) is { } after => DisputeAnswer.Done(after),
            429 => DisputeAnswer.Unknown(detail),
            >= 400 and < 500 => DisputeAnswer.Refused(detail),
            _ => DisputeAnswer.Unknown(detail),
        };
    }

    private async Task<(HttpStatusCode Status, byte[] Body, string Detail)> ExchangeAsync(HttpRequestMessage message, CancellationToken ct)
    {
        try
        {
            using var response = await http.SendAsync(message, HttpCompletionOption.ResponseContentRead, ct);
            return (response.StatusCode, await response.Content.ReadAsByteArrayAsync(ct), $"The acquirer answered HTTP {(int)response.StatusCode}.");
        }
        catch (Exception e) when (e is HttpRequestException or IOException or SocketException or OperationCanceledException)
        {
            return (default, [], $"The call ended without an answer: {e.GetType().Name}.");
        }
    }

    private static DisputeUpdate? Read(byte[] body)
    {
        try
        {
            return SandboxDisputes.Read(JsonElement.Parse(body), DisputeSource.Merchant, "response");
        }
        catch (Exception e) when (e is JsonException or FormatException)
        {
            return null;
        }
    }
}

internal sealed record SandboxEvidence(string? Text, IReadOnlyDictionary<string, string> Fields, bool Submit);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(SandboxEvidence))]
internal sealed partial class SandboxEvidenceJson : JsonSerializerContext;
