using System.Net;

namespace Payments.Domain.Disputes.Evidence;

/// <summary>
/// Calls a virus scanner. If <c>Disputes:EvidenceScanner</c> names an address, every file is posted to it before it is stored. 204 accepts
/// the file and 422 refuses it. Without a clear answer nothing is stored. Without an address every file is accepted.
/// </summary>
public sealed class EvidenceScanner(HttpClient http, Uri? address)
{
    public async Task<Refusal?> ScanAsync(byte[] content, CancellationToken ct)
    {
        if (address is null)
            return null;
        try
        {
            using var body = new ByteArrayContent(content);
            using var response = await http.PostAsync(address, body, ct);
            return response.StatusCode switch
            {
                HttpStatusCode.NoContent => null,
                HttpStatusCode.UnprocessableEntity => Refusal.Invalid("file", "The scanner refused the file."),
                _ => Unavailable(),
            };
        }
        catch (Exception e) when (e is HttpRequestException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            return Unavailable();
        }
    }

    private static Refusal Unavailable() =>
        new(
            RefusalCode.Overloaded,
            "The file scanner is unavailable. Nothing was stored. Repeat the request later.",
            RetryAfter: TimeSpan.FromSeconds(30));
}
