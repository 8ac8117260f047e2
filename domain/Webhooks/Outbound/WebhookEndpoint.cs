namespace Payments.Domain.Webhooks.Outbound;

public enum EndpointStatus
{
    Enabled,
    Disabled,
}

/// <summary>Why an endpoint gets no events.</summary>
public enum EndpointDisabledReason
{
    /// <summary>The merchant switched it off.</summary>
    Merchant,

    /// <summary>It answered 410 Gone.</summary>
    Gone,

    /// <summary>It failed for five days.</summary>
    Failing,
}

/// <summary>How deliveries to an endpoint are signed.</summary>
public enum EndpointSignature
{
    /// <summary>HMAC-SHA256 with a secret that the merchant also has (<c>v1,</c>).</summary>
    Hmac,

    /// <summary>Ed25519 with a private key that only the platform has. The merchant verifies with the public key (<c>v1a,</c>).</summary>
    Ed25519,
}

/// <summary>Where a merchant receives events. The secret is not part of it: it is shown once, when it is created.</summary>
/// <param name="EventTypes">Exact types (<c>charge.captured</c>), families (<c>charge.*</c>) or <c>*</c>.</param>
/// <param name="PublicKey">The key to verify with (<c>whpk_...</c>) if deliveries are signed with Ed25519, otherwise null.</param>
/// <param name="PreviousSecretExpiresAt">Until this time (UTC), deliveries are also signed with the previous secret.</param>
public sealed record WebhookEndpoint(
    WebhookEndpointId Id,
    MerchantId Merchant,
    string Url,
    string? Description,
    IReadOnlyList<string> EventTypes,
    string ApiVersion,
    EndpointStatus Status,
    EndpointDisabledReason? DisabledReason,
    string? PublicKey,
    DateTimeOffset? PreviousSecretExpiresAt,
    DateTimeOffset CreatedAt,
    DateTimeOffset UpdatedAt)
{
    public EndpointSignature Signature => PublicKey is null ? EndpointSignature.Hmac : EndpointSignature.Ed25519;
}

/// <summary>Why an endpoint was not created or changed.</summary>
public enum EndpointRefusal
{
    NotFound,

    /// <summary>Not an absolute address without user and fragment, of at most 2048 characters.</summary>
    UrlInvalid,

    /// <summary>Not https.</summary>
    UrlNotSecure,

    /// <summary>An address in a private network, or of this machine.</summary>
    UrlNotPublic,

    /// <summary>No types, more than 50, or an entry that is neither an event type, a family of types nor <c>*</c>.</summary>
    EventTypesInvalid,

    /// <summary>Longer than 500 characters, or with a NUL.</summary>
    DescriptionInvalid,

    /// <summary>The merchant already has <see cref="EndpointRules.MaxEndpoints"/>.</summary>
    TooMany,
}
