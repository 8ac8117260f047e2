using System.Net;

namespace Payments.Domain.Providers.Http;

/// <summary>How a call to a provider ended.</summary>
public enum ExchangeEnd
{
    /// <summary>There is a whole answer, whatever its status.</summary>
    Answered,

    /// <summary>It is certain that the provider got no request that it could carry out.</summary>
    NotSent,

    /// <summary>The request may have arrived and there is no answer.</summary>
    Unknown,
}

/// <summary>One call to a provider.</summary>
/// <param name="Detail">For operators; no secrets, no card data.</param>
/// <param name="RetryAfter">What the provider asked for with 429 or 503.</param>
public sealed record ProviderExchange(ExchangeEnd End, HttpStatusCode Status, byte[] Body, string Detail, TimeSpan? RetryAfter = null)
{
    public static ProviderExchange NotSent(string detail) => new(ExchangeEnd.NotSent, default, [], detail);

    public static ProviderExchange Unknown(string detail) => new(ExchangeEnd.Unknown, default, [], detail);

    /// <summary>The provider's machinery failed, as opposed to its refusing something: what a circuit counts.</summary>
    public bool IsFault => End is not ExchangeEnd.Answered || (int)Status >= 500;

    /// <summary>
    /// What the end of a call that moves money means where the provider's own words do not matter; null for 2xx and for refusals with
    /// a 4xx status, which the provider's folder reads. The one place where unknown and not sent are told apart by status.
    /// </summary>
    public PaymentAnswer? Undecided() => End switch
    {
        ExchangeEnd.NotSent => PaymentAnswer.NotSent(Detail),
        ExchangeEnd.Unknown => PaymentAnswer.Unknown(Detail),
        ExchangeEnd.Answered => (int)Status switch
        {
            >= 200 and < 300 => null,

            // It was read as far as the credentials, or counted and put aside: nothing was carried out.
            401 or 403 => PaymentAnswer.NotSent($"The provider refuses our credentials (HTTP {(int)Status})."),
            429 => PaymentAnswer.NotSent("The provider is over its limit and took nothing on."),

            // The server gave up waiting for a request that it may have got whole.
            408 => PaymentAnswer.Unknown(Detail),
            >= 400 and < 500 => null,

            // A redirect comes from something in between, and a server error may come after the work was done.
            _ => PaymentAnswer.Unknown(Detail),
        },
    };
}
