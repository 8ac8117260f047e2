namespace Payments.Domain.Payouts;

/// <summary>The bank's answer to the question whether an account belongs to a name.</summary>
public enum PayeeResult
{
    Match,

    /// <summary>The name nearly matches. The bank gives the holder's name.</summary>
    CloseMatch,

    NoMatch,

    /// <summary>The account's bank cannot answer, or did not answer in time.</summary>
    NotPossible,
}

/// <summary>How a result affects payouts.</summary>
public enum PayeePolicy
{
    Allow,

    /// <summary>Payouts wait until the platform verifies the account again, or the merchant sets another account.</summary>
    Hold,

    /// <summary>The account gets no payouts. The merchant must set another account.</summary>
    Block,
}

/// <summary>A verification of payee, as it is stored with the account.</summary>
/// <param name="SuggestedName">The holder's name as the bank gives it after a close match.</param>
/// <param name="Accepted">Whether the platform verified the account after it saw the result.</param>
public sealed record PayeeCheck(PayeeResult Result, DateTimeOffset CheckedAt, string? SuggestedName, bool Accepted);

/// <summary>Settings under <c>Payouts:Payee</c>.</summary>
public sealed class PayeeOptions
{
    public PayeePolicy CloseMatch { get; set; } = PayeePolicy.Hold;

    public PayeePolicy NoMatch { get; set; } = PayeePolicy.Block;

    public PayeePolicy NotPossible { get; set; } = PayeePolicy.Allow;

    /// <summary>
    /// How long to wait for the bank. Without an answer in time the result is <see cref="PayeeResult.NotPossible"/>. The scheme gives banks
    /// five seconds.
    /// </summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// How a result affects payouts. An account without a result is allowed here: only the platform's verification decides about it.
    /// </summary>
    public PayeePolicy Of(PayeeResult? result, bool accepted)
    {
        if (result is not { } known)
        {
            return PayeePolicy.Allow;
        }

        var policy = known switch
        {
            PayeeResult.Match => PayeePolicy.Allow,
            PayeeResult.CloseMatch => CloseMatch,
            PayeeResult.NoMatch => NoMatch,
            PayeeResult.NotPossible => NotPossible,
        };
        return policy == PayeePolicy.Hold && accepted ? PayeePolicy.Allow : policy;
    }
}
