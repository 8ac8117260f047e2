namespace Payments.Domain.Payouts;

/// <summary>What a bank answers when it is asked whether an account belongs to the name.</summary>
public enum PayeeResult
{
    Match,

    /// <summary>Nearly: the bank says how the holder is called.</summary>
    CloseMatch,

    NoMatch,

    /// <summary>The bank of the account cannot say, or did not in time.</summary>
    NotPossible,
}

/// <summary>What a result does to payouts.</summary>
public enum PayeePolicy
{
    Allow,

    /// <summary>Payouts wait until the platform accepts the account by verifying it again, or another is given.</summary>
    Hold,

    /// <summary>Nothing goes to the account: another has to be given.</summary>
    Block,
}

/// <summary>A verification of payee, as it is stored with the account.</summary>
/// <param name="SuggestedName">How the bank calls the holder, after a close match.</param>
/// <param name="Accepted">The platform has verified the account in the knowledge of the result.</param>
public sealed record PayeeCheck(PayeeResult Result, DateTimeOffset CheckedAt, string? SuggestedName, bool Accepted);

/// <summary>Settings under <c>Payouts:Payee</c>.</summary>
public sealed class PayeeOptions
{
    public PayeePolicy CloseMatch { get; set; } = PayeePolicy.Hold;

    public PayeePolicy NoMatch { get; set; } = PayeePolicy.Block;

    public PayeePolicy NotPossible { get; set; } = PayeePolicy.Allow;

    /// <summary>After this long without an answer the result is <see cref="PayeeResult.NotPossible"/>. The scheme gives banks five
    /// seconds.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>What a result does. Accounts that nobody asked about are judged by the platform's verification alone.</summary>
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
