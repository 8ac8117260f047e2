using Microsoft.AspNetCore.Http;

namespace Payments.Domain.Webhooks.Inbound;

/// <summary>
/// Proves that a request comes from the partner, and reads its events. There is one instance per provider, with the provider's secrets.
/// </summary>
public interface IWebhookVerifier
{
    /// <summary>Verifies the raw bytes. It never throws, whatever they are.</summary>
    WebhookVerification Verify(IHeaderDictionary headers, ReadOnlyMemory<byte> body, DateTimeOffset now);

    /// <summary>The body of the response that tells the partner that its events are stored.</summary>
    string Acknowledgement { get; }
}

/// <summary>Why a request was refused.</summary>
public enum WebhookRefusal
{
    /// <summary>No provider of this name is configured.</summary>
    UnknownProvider,

    /// <summary>The body is larger than a webhook may be.</summary>
    TooLarge,

    /// <summary>A header or field of the signature is missing or cannot be read.</summary>
    MissingSignature,

    /// <summary>No signature matches any of the secrets.</summary>
    BadSignature,

    /// <summary>It was signed more than five minutes ago, so it may be a recorded request that someone else sent again.</summary>
    TooOld,

    /// <summary>It was signed more than five minutes ahead of this process's clock.</summary>
    TooNew,

    /// <summary>The signature is valid, but the body does not have the partner's format.</summary>
    Malformed,
}

/// <summary>The events of a request, or the reason why it was refused.</summary>
public readonly record struct WebhookVerification(WebhookRefusal? Refusal, IReadOnlyList<VerifiedEvent> Events)
{
    public static WebhookVerification Refused(WebhookRefusal refusal) => new(refusal, []);

    public static WebhookVerification Of(params IReadOnlyList<VerifiedEvent> events) => new(null, events);
}

/// <param name="Id">The partner's id of the event, 1 to 255 characters without control characters.</param>
/// <param name="Type">The partner's type of the event, 1 to 255 characters without control characters.</param>
/// <param name="Payload">The verified bytes, or this event's part of them.</param>
public sealed record VerifiedEvent(string Id, string Type, ReadOnlyMemory<byte> Payload);

/// <summary>A signing scheme of partners. <c>Webhooks:Inbound:PROVIDER:Scheme</c> selects it by its name.</summary>
/// <param name="Create">Creates the verifier of a provider from its secrets, the current one first.</param>
public sealed record WebhookScheme(string Name, Func<IReadOnlyList<string>, IWebhookVerifier> Create);
