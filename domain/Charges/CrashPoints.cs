using System.Diagnostics;
using Payments.Domain.Providers;

namespace Payments.Domain.Charges;

/// <summary>
/// Where a test may kill the app: between any two steps of a charge, capture, cancel or refund. The calls are compiled only with CRASH_POINTS, which
/// <c>-p:CrashPoints=true</c> defines for a second output that is never deployed; without it nothing calls this and nothing is in it.
/// </summary>
internal static class CrashPoints
{
    /// <summary>The intent is written, and not yet committed. Of a charge, whose intent is one statement that commits by itself, before that.</summary>
    public const string IntentWritten = "intent_written";

    /// <summary>The intent is committed; the provider has heard nothing.</summary>
    public const string IntentCommitted = "intent_committed";

    /// <summary>The provider has answered; nobody has written that down.</summary>
    public const string Answered = "answered";

    /// <summary>What follows from the answer is decided; nothing of it is written. What is written is committed with it.</summary>
    public const string OutcomeDecided = "outcome_decided";

    /// <summary>The outcome is committed; the caller has heard nothing.</summary>
    public const string OutcomeCommitted = "outcome_committed";

    [Conditional("CRASH_POINTS")]
    public static void Reached(string point, params ReadOnlySpan<PaymentOperation> operations)
    {
#if CRASH_POINTS
        foreach (var operation in operations)
        {
            if (Environment.GetEnvironmentVariable("PAYMENTS_CRASH_AT") != $"{Database.DbText.Of(operation)}:{point}")
                continue;
            using var self = Process.GetCurrentProcess();
            self.Kill();

            // Until the signal is there, nothing may go on.
            using var never = new ManualResetEventSlim();
            never.Wait();
        }
#endif
    }
}
