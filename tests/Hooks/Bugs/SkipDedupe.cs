using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.TestHooks.Bugs;

/// <summary>Bug: a provider event that comes again counts as a new event, because its id is never the same twice.</summary>
internal sealed class SkipDedupe(IWebhookVerifier verifier) : IWebhookVerifier
{
    public string Acknowledgement => verifier.Acknowledgement;

    public static void AddTo(IServiceCollection services) =>
        services.Decorate<WebhookScheme>((_, scheme) => scheme with { Create = secrets => new SkipDedupe(scheme.Create(secrets)) });

    public WebhookVerification Verify(IHeaderDictionary headers, ReadOnlyMemory<byte> body, DateTimeOffset now)
    {
        var verification = verifier.Verify(headers, body, now);
        return verification with { Events = [.. verification.Events.Select(e => e with { Id = $"{e.Id}/{Guid.CreateVersion7(now)}" })] };
    }
}
