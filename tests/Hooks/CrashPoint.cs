using System.Diagnostics;
using Payments.Domain.Database;
using Payments.Domain.Observability;

namespace Payments.TestHooks;

/// <summary>
/// Kills the process, as <c>kill -9</c> does, at the step of a payment that <see cref="Variable"/> names (<c>operation:step</c>).
/// </summary>
internal static class CrashPoint
{
    public const string Variable = "PAYMENTS_CRASH_AT";

    public static void Begin()
    {
        if (Environment.GetEnvironmentVariable(Variable) is not { Length: > 0 } point)
            return;
        PaymentEvents.Subscribe((step, content) =>
        {
            if (content is PaymentStep { Operations: var operations } && operations.Any(operation => point == $"{DbText.Of(operation)}:{step}"))
                Die();
        });
    }

    private static void Die()
    {
        using var self = Process.GetCurrentProcess();
        self.Kill();

        // This thread must not continue before the signal arrives.
        using var never = new ManualResetEventSlim();
        never.Wait();
    }
}
