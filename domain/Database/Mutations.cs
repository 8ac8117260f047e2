namespace Payments.Domain.Database;

/// <summary>
/// Deliberate bugs, one at a time, by which fault runs prove that their oracle finds such bugs. Only the build for tests (<c>-p:CrashPoints=true</c>, never deployed) can turn one
/// on, by the environment; in any other <see cref="Active"/> is a constant false, and what depends on it is not compiled to machine code.
/// </summary>
internal static class Mutations
{
    /// <summary>A partner's event that comes again is taken for another one.</summary>
    public const string SkipDedupe = "skip_dedupe";

    /// <summary>The ledger's journal is committed before the rest of its outcome.</summary>
    public const string PostBeforeCommit = "post_before_commit";

    /// <summary>A charge whose outcome is unknown is sent again, under another reference.</summary>
    public const string RetryUnknown = "retry_unknown";

    /// <summary>Now and then a message leaves the outbox and is not sent.</summary>
    public const string LoseOutbox = "lose_outbox";

    /// <summary>A refund is posted twice.</summary>
    public const string DoubleRefund = "double_refund";

    /// <summary>A line of a file of disputes is passed over.</summary>
    public const string ForgetFileLine = "forget_file_line";

    /// <summary>A delivery that failed counts as delivered.</summary>
    public const string ForgetWebhook = "forget_webhook";

    /// <summary>A payout that the bank did not answer is sent again, under another reference.</summary>
    public const string PayTwice = "pay_twice";

    public static IReadOnlyList<string> All { get; } =
        [SkipDedupe, PostBeforeCommit, RetryUnknown, LoseOutbox, DoubleRefund, ForgetFileLine, ForgetWebhook, PayTwice];

#if CRASH_POINTS
    private static readonly string? Chosen = Environment.GetEnvironmentVariable("PAYMENTS_MUTATION");

    public static bool Active(string mutation) => mutation == Chosen;
#else
    public static bool Active(string mutation) => false;
#endif
}
