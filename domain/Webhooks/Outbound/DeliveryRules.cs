namespace Payments.Domain.Webhooks.Outbound;

/// <summary>How one attempt to deliver ended.</summary>
public enum AttemptOutcome
{
    /// <summary>A 2xx.</summary>
    Delivered,

    /// <summary>410: the endpoint says that it will never take events again.</summary>
    Gone,

    /// <summary>429, 502 or 504: too busy, or not there at all behind its front.</summary>
    Throttled,

    /// <summary>3xx, which is never followed, or another 4xx.</summary>
    Rejected,

    /// <summary>Another 5xx.</summary>
    ServerError,

    /// <summary>No answer in time.</summary>
    TimedOut,

    /// <summary>No connection, or it broke.</summary>
    ConnectionFailed,

    /// <summary>The name led to an address that is not allowed.</summary>
    AddressRefused,
}

/// <summary>What follows from an attempt.</summary>
public enum DeliveryStep
{
    Done,
    Retry,
    GiveUp,

    /// <summary>Give up, and send the endpoint nothing more.</summary>
    Disable,
}

/// <summary>The rules of delivering: what an answer means, when to try again, when to leave an endpoint alone.</summary>
public static class DeliveryRules
{
    /// <summary>With this many failures in a row an endpoint is tried with one delivery at a time, after pauses.</summary>
    public const int CircuitAfter = 3;

    /// <summary>An endpoint without one success for this long is disabled.</summary>
    public static readonly TimeSpan DisableAfter = TimeSpan.FromDays(5);

    private static readonly TimeSpan LongestWait = TimeSpan.FromHours(24);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(5);

    // The schedule of the Standard Webhooks specification; the first attempt is at once.
    private static readonly TimeSpan[] Waits =
    [
        TimeSpan.FromSeconds(5), TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(30), TimeSpan.FromHours(2), TimeSpan.FromHours(5),
        TimeSpan.FromHours(10), TimeSpan.FromHours(14), TimeSpan.FromHours(20), TimeSpan.FromHours(24),
    ];

    /// <summary>Ten, over about three days.</summary>
    public static int MaxAttempts => Waits.Length + 1;

    public static AttemptOutcome Read(int statusCode) => statusCode switch
    {
        >= 200 and < 300 => AttemptOutcome.Delivered,
        410 => AttemptOutcome.Gone,
        429 or 502 or 504 => AttemptOutcome.Throttled,
        >= 500 => AttemptOutcome.ServerError,
        _ => AttemptOutcome.Rejected,
    };

    public static DeliveryStep Next(AttemptOutcome outcome, int attempts) => outcome switch
    {
        AttemptOutcome.Delivered => DeliveryStep.Done,
        AttemptOutcome.Gone => DeliveryStep.Disable,
        AttemptOutcome.Throttled or AttemptOutcome.Rejected or AttemptOutcome.ServerError or AttemptOutcome.TimedOut
            or AttemptOutcome.ConnectionFailed or AttemptOutcome.AddressRefused => attempts < MaxAttempts ? DeliveryStep.Retry : DeliveryStep.GiveUp,
    };

    /// <summary>Whether the endpoint as a whole seems to be in trouble, rather than at odds with one event.</summary>
    public static bool IsTrouble(AttemptOutcome outcome) => outcome switch
    {
        AttemptOutcome.Delivered or AttemptOutcome.Gone or AttemptOutcome.Rejected => false,
        AttemptOutcome.Throttled or AttemptOutcome.ServerError or AttemptOutcome.TimedOut or AttemptOutcome.ConnectionFailed or AttemptOutcome.AddressRefused => true,
    };

    /// <summary>How long to wait after so many attempts: the schedule's time, give or take a fifth, and no less than the endpoint asked for (a day at most).</summary>
    /// <param name="attempts">1 to 9.</param>
    /// <param name="random">Uniform from 0 to 1: spreads what failed together.</param>
    public static TimeSpan WaitAfter(int attempts, TimeSpan? retryAfter, double random)
    {
        var scheduled = Waits[attempts - 1] * (0.8 + 0.4 * random);
        var asked = retryAfter is { } wait && wait < LongestWait ? wait : retryAfter is null ? TimeSpan.Zero : LongestWait;
        return scheduled > asked ? scheduled : asked;
    }

    /// <summary>How long a failing endpoint is left alone: nothing up to two failures in a row, then 5 s, 10 s, ... 5 min.</summary>
    public static TimeSpan PauseAfter(int failures) => failures < CircuitAfter
        ? TimeSpan.Zero
        : TimeSpan.FromSeconds(Math.Min(LongestPause.TotalSeconds, 5 * Math.Pow(2, Math.Min(failures - CircuitAfter, 10))));
}
