using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Payments.Domain;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Functions.Http;

/// <summary>Receives partners' events. Each is verified, stored and acknowledged, in this order.</summary>
public sealed class WebhookFunctions(ReceiveWebhook receive)
{
    [Function("ReceiveWebhook")]
    public async Task<IResult> ReceiveAsync(
        [HttpTrigger(AuthorizationLevel.Anonymous, "post", Route = "webhooks/{provider}")] HttpRequest request, string provider, CancellationToken ct)
    {
        if (!(await Api.ReadBytesAsync(request, ReceiveWebhook.MaxBody, ct)).TryGet(out var body, out var tooLarge))
            return Problems.Of(tooLarge);

        // Not cancelable: the event is stored or refused even if the partner does not wait for the response.
        var receipt = await receive.HandleAsync(provider, request.Headers, body, CancellationToken.None);
        return receipt.Refusal is { } refusal ? Problems.Of(Explain(refusal, provider)) : Results.Text(receipt.Acknowledgement, "text/plain");
    }

    private static Refusal Explain(WebhookRefusal refusal, string provider) => refusal switch
    {
        WebhookRefusal.UnknownProvider => Refusal.NotFound($"provider '{provider}' here"),
        WebhookRefusal.TooLarge => new Refusal(RefusalCode.BodyTooLarge, $"The body must have at most {ReceiveWebhook.MaxBody} bytes."),
        WebhookRefusal.MissingSignature => new Refusal(RefusalCode.SignatureMissing, "The request is not signed, or its signature cannot be read."),
        WebhookRefusal.BadSignature => new Refusal(RefusalCode.SignatureInvalid, "The signature does not match the body with any valid secret."),
        WebhookRefusal.TooOld => new Refusal(RefusalCode.SignatureTooOld, "The request was signed more than five minutes ago."),
        WebhookRefusal.TooNew => new Refusal(RefusalCode.SignatureTooNew, "The request was signed more than five minutes ahead of our clock."),
        WebhookRefusal.Malformed => new Refusal(RefusalCode.BodyMalformed, "The signature is valid, but the body is not an event."),
    };
}
