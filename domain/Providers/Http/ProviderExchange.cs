using System.Net;

namespace Payments.Domain.Providers.Http;

/// <summary>The end of a call to a provider.</summary>
public enum ExchangeEnd
{
    /// <summary>The provider sent a whole answer, with any status.</summary>
    Answered,

    /// <summary>The provider certainly got no request that it could carry out.</summary>
    NotSent,

    /// <summary>The request may have arrived, and there is no answer.</summary>
    Unknown,
}

/// <summary>One call to a provider.</summary>
/// <param name="Detail">For operators. Never secrets or card data.</param>
/// <param name="RetryAfter">The pause that the provider asked for with 429 or 503.</param>
public sealed record ProviderExchange(ExchangeEnd End, HttpStatusCode Status, byte[] Body, string Detail, TimeSpan? RetryAfter = null)
{
    public static ProviderExchange NotSent(string detail) => new(ExchangeEnd.NotSent, default, [], detail);

    public static ProviderExchange Unknown(string detail) => new(ExchangeEnd.Unknown, default, [], detail);

    /// <summary>The provider or the way to it failed, as opposed to a refusal. The circuit breaker counts these.</summary>
    public bool IsFault => End is not ExchangeEnd.Answered || (int)Status >= 500;

    /// <summary>
    /// The outcome of a call that moves money, if the body does not matter for it. Null for 2xx and for refusals with a 4xx status, which
    /// the provider's folder reads. Only this method decides by status between unknown and not sent.
    /// </summary>
    public PaymentAnswer? Undecided() => End switch
    {
        ExchangeEnd.NotSent => PaymentAnswer.NotSent(Detail),
        ExchangeEnd.Unknown => PaymentAnswer.Unknown(Detail),
        ExchangeEnd.Answered => (int)Status switch
        {
            >= 200 and < 300 => null,

            // The provider read only the credentials, or refused by its rate limit. Nothing was carried out.
            401 or 403 => PaymentAnswer.NotSent($"The provider refuses our credentials (HTTP {(int)Status})."),
            429 => PaymentAnswer.NotSent("The provider is over its limit and took nothing on."),

            // The provider stopped waiting for the request, but may have received it completely.
            408 => PaymentAnswer.Unknown(Detail),
            >= 400 and < 500 => null,

            // A redirect comes from a proxy in between, and a server error may come after the operation was carried out.
            _ => PaymentAnswer.Unknown(Detail),
        },
    };
}
