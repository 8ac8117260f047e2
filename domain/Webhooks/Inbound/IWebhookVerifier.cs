using Microsoft.AspNetCore.Http;

namespace Payments.Domain.Webhooks.Inbound;

/// <summary>Proves that a request comes from the partner, and finds the events in it. One instance per provider, with its secrets.</summary>
public interface IWebhookVerifier
{
    /// <summary>Verifies the raw bytes. Whatever they are, it answers; it never throws.</summary>
    WebhookVerification Verify(IHeaderDictionary headers, ReadOnlyMemory<byte> body, DateTimeOffset now);

    /// <summary>The body of the answer by which the partner knows that its events are stored.</summary>
    string Acknowledgement { get; }
}

/// <summary>Why a request was not taken.</summary>
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

    /// <summary>It was signed more than five minutes ago: perhaps recorded and sent again by someone else.</summary>
    TooOld,

    /// <summary>It was signed more than five minutes ahead of our clock.</summary>
    TooNew,

    /// <summary>The signature is right, but the body is not what the partner's format says.</summary>
    Malformed,
}

/// <summary>Either the events of a request, or why there are none.</summary>
public readonly record struct WebhookVerification(WebhookRefusal? Refusal, IReadOnlyList<VerifiedEvent> Events)
{
    public static WebhookVerification Refused(WebhookRefusal refusal) => new(refusal, []);

    public static WebhookVerification Of(params IReadOnlyList<VerifiedEvent> events) => new(null, events);
}

/// <param name="Id">The partner's id of the event, 1 to 255 characters without control characters.</param>
/// <param name="Type">The partner's type of the event, likewise.</param>
/// <param name="Payload">The bytes that were verified, or those of this event among several.</param>
public sealed record VerifiedEvent(string Id, string Type, ReadOnlyMemory<byte> Payload);

/// <summary>A way of signing that partners use, by the name that <c>Webhooks:Inbound:PROVIDER:Scheme</c> gives.</summary>
/// <param name="Create">Makes the verifier of a provider from its secrets, the present one first.</param>
public sealed record WebhookScheme(string Name, Func<IReadOnlyList<string>, IWebhookVerifier> Create);
