using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Payments.Domain;
using Payments.Domain.Payouts;

namespace Payments.TestHooks.Bugs;

/// <summary>Bug: a payout that the bank did not answer is sent again, under another reference.</summary>
internal sealed class PayTwice(TimeSpan timeout) : DelegatingHandler(new SocketsHttpHandler())
{
    public static void AddTo(IServiceCollection services) => services.Decorate<SandboxBank>((provider, _) =>
    {
        var options = provider.GetRequiredService<PayoutsOptions>();
        var sandbox = provider.GetRequiredService<IConfiguration>().GetSection("Providers:Sandbox");
        return new SandboxBank(new HttpClient(new PayTwice(options.BankTimeout))
        {
            BaseAddress = options.BankAddress ?? new Uri(sandbox["BaseAddress"]!),
            Timeout = 2 * options.BankTimeout,
            DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", options.BankApiKey ?? sandbox["ApiKey"]) },
        });
    });

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        // A request without a body only asks about a payout.
        if (request.Content is null)
            return await base.SendAsync(request, cancellationToken);
        var body = await request.Content.ReadAsByteArrayAsync(cancellationToken);
        try
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            patience.CancelAfter(timeout);
            var response = await base.SendAsync(request, patience.Token);
            await response.Content.LoadIntoBufferAsync(patience.Token);
            if ((int)response.StatusCode is not (401 or 403 or 408 or 409 or 429) and < 500)
                return response;
            response.Dispose();
        }
        catch (Exception e) when (e is HttpRequestException or IOException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            // The bank may have the payout or not.
        }

        var payout = JsonNode.Parse(body)!;
        var merchant = PayoutReference.TryParse(payout["reference"]!.GetValue<string>(), out var id, out _) ? id : throw new FormatException("The reference is no payout's.");
        var other = PayoutReference.Of(merchant, new PayoutId(Guid.CreateVersion7(TimeProvider.System.GetUtcNow())));
        payout["reference"] = other;
        request.Headers.Remove("Idempotency-Key");
        request.Headers.Add("Idempotency-Key", other);
        request.Content = new ByteArrayContent(System.Text.Encoding.UTF8.GetBytes(payout.ToJsonString())) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
        return await base.SendAsync(request, cancellationToken);
    }
}
