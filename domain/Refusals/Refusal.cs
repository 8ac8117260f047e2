using System.Diagnostics.CodeAnalysis;

namespace Payments.Domain;

/// <summary>Every reason to refuse a request. The API shows the member in snake_case as <c>code</c>.</summary>
public enum RefusalCode
{
    /// <summary>A parameter is missing or has a value that is never valid.</summary>
    ParameterInvalid,

    /// <summary>The body is not the JSON document that the operation takes.</summary>
    BodyMalformed,

    /// <summary>The body is larger than the operation takes.</summary>
    BodyTooLarge,

    /// <summary>The operation needs an Idempotency-Key, and the request has none.</summary>
    IdempotencyKeyMissing,

    /// <summary>The Idempotency-Key is empty, too long, or has characters that are not printable ASCII.</summary>
    IdempotencyKeyInvalid,

    /// <summary>The Idempotency-Key was used for another request.</summary>
    IdempotencyKeyReused,

    /// <summary>The first request with this Idempotency-Key has not ended yet.</summary>
    RequestInProgress,

    /// <summary>The request has no key, or its key is unknown, expired or revoked.</summary>
    Unauthenticated,

    /// <summary>The key is valid, but not for this operation.</summary>
    Forbidden,

    /// <summary>There is no such object, or it belongs to another merchant.</summary>
    NotFound,

    /// <summary>The object's state does not allow the operation.</summary>
    StateConflict,

    /// <summary>The amount exceeds what is left to capture, cancel or refund, or the largest amount of a charge.</summary>
    AmountTooLarge,

    /// <summary>The amount is below the minimum of the operation.</summary>
    AmountTooSmall,

    /// <summary>The currency is not the currency of the object, or is not supported.</summary>
    CurrencyNotSupported,

    /// <summary>The merchant's account is suspended or closed.</summary>
    MerchantInactive,

    /// <summary>The available balance does not cover the operation.</summary>
    InsufficientFunds,

    /// <summary>A webhook is not signed, or its signature cannot be read.</summary>
    SignatureMissing,

    /// <summary>No signature of a webhook matches any of the secrets.</summary>
    SignatureInvalid,

    /// <summary>A webhook was signed too long ago. It may be a recorded request that another party sent again.</summary>
    SignatureTooOld,

    /// <summary>A webhook was signed ahead of our clock.</summary>
    SignatureTooNew,

    /// <summary>The caller sends more requests than are allowed. The same request may succeed shortly.</summary>
    RateLimited,

    /// <summary>Too many requests are waiting. The same request may succeed shortly.</summary>
    Overloaded,
}

/// <summary>A refused request: the rule, what the caller can do, and the parameter at fault.</summary>
/// <param name="Detail">A sentence for the engineer who reads the answer.</param>
/// <param name="Param">The path of the parameter at fault, as the request spells it. Null if no single parameter is at fault.</param>
/// <param name="RetryAfter">How long to wait before the same request can succeed. Null if a repeat does not help.</param>
public sealed record Refusal(RefusalCode Code, string Detail, string? Param = null, TimeSpan? RetryAfter = null)
{
    public static Refusal Invalid(string param, string detail) => new(RefusalCode.ParameterInvalid, detail, param);

    public static Refusal NotFound(string id) => new(RefusalCode.NotFound, $"There is no {id}.");
}

/// <summary>A value, or the refusal that explains why there is none. Refusals are values. Bugs throw.</summary>
public readonly struct Result<T>
{
    private readonly T? _value;
    private readonly Refusal? _refusal;

    private Result(T? value, Refusal? refusal)
    {
        _value = value;
        _refusal = refusal;
    }

    public static implicit operator Result<T>(T value) => new(value, null);

    public static implicit operator Result<T>(Refusal refusal) => new(default, refusal);

    /// <summary>True with the value, false with the reason.</summary>
    public bool TryGet([NotNullWhen(true)] out T? value, [NotNullWhen(false)] out Refusal? refusal)
    {
        value = _value;
        refusal = _refusal;
        return refusal is null;
    }

    public TResult Match<TResult>(Func<T, TResult> value, Func<Refusal, TResult> refusal) =>
        _refusal is null ? value(_value!) : refusal(_refusal);
}
