using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Payments.Domain.Webhooks.Outbound;

namespace Payments.TestHooks.Bugs;

/// <summary>Bug: a delivery that failed counts as delivered.</summary>
internal sealed class ForgetWebhook(HttpMessageHandler handler) : DelegatingHandler(handler)
{
    public static void AddTo(IServiceCollection services) => services.Decorate<WebhookHttp>((provider, _) =>
        new WebhookHttp(new ForgetWebhook(WebhookHttp.GuardedHandler(provider.GetRequiredService<WebhookOptions>(), Dns.GetHostAddressesAsync))));

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        try
        {
            var response = await base.SendAsync(request, cancellationToken);

            // 410 disables the endpoint. It is not the failure of one delivery.
            if (response.StatusCode is not HttpStatusCode.Gone)
                response.StatusCode = HttpStatusCode.OK;
            return response;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException or IOException)
        {
            return new HttpResponseMessage(HttpStatusCode.OK);
        }
    }
}
