namespace Payments.Domain.Webhooks.Outbound;

/// <summary>The outcome of one attempt to deliver.</summary>
public enum AttemptOutcome
{
    /// <summary>A 2xx.</summary>
    Delivered,

    /// <summary>410: the endpoint will never take events again.</summary>
    Gone,

    /// <summary>429, 502 or 504: the endpoint is too busy, or its front cannot reach it.</summary>
    Throttled,

    /// <summary>3xx, which is never followed, or another 4xx.</summary>
    Rejected,

    /// <summary>Another 5xx.</summary>
    ServerError,

    /// <summary>No answer in time.</summary>
    TimedOut,

    /// <summary>No connection, or a broken one.</summary>
    ConnectionFailed,

    /// <summary>The host name resolved only to addresses that are not allowed.</summary>
    AddressRefused,
}

/// <summary>The step that follows an attempt.</summary>
public enum DeliveryStep
{
    Done,
    Retry,
    GiveUp,

    /// <summary>Give up this delivery and disable the endpoint.</summary>
    Disable,
}

/// <summary>The rules of delivering: what a response means, when to try again, and when to pause an endpoint.</summary>
public static class DeliveryRules
{
    /// <summary>After this many failures in a row, an endpoint gets one delivery at a time, with pauses.</summary>
    public const int CircuitAfter = 3;

    /// <summary>An endpoint without a success for this long is disabled.</summary>
    public static readonly TimeSpan DisableAfter = TimeSpan.FromDays(5);

    private static readonly TimeSpan LongestWait = TimeSpan.FromHours(24);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(5);

    // The schedule of the Standard Webhooks specification. The first attempt has no wait.
    private static readonly TimeSpan[] Waits =
    [
        TimeSpan.FromSeconds(5), TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(30), TimeSpan.FromHours(2), TimeSpan.FromHours(5),
        TimeSpan.FromHours(10), TimeSpan.FromHours(14), TimeSpan.FromHours(20), TimeSpan.FromHours(24),
    ];

    /// <summary>Ten attempts over about three days.</summary>
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

    /// <summary>Whether the outcome suggests a failure of the whole endpoint, not of one event.</summary>
    public static bool IsTrouble(AttemptOutcome outcome) => outcome switch
    {
        AttemptOutcome.Delivered or AttemptOutcome.Gone or AttemptOutcome.Rejected => false,
        AttemptOutcome.Throttled or AttemptOutcome.ServerError or AttemptOutcome.TimedOut or AttemptOutcome.ConnectionFailed or AttemptOutcome.AddressRefused => true,
    };

    /// <summary>
    /// How long to wait after this many attempts: the schedule's time, plus or minus a fifth. If the endpoint asked for a longer wait, that
    /// one, up to a day.
    /// </summary>
    /// <param name="attempts">1 to 9.</param>
    /// <param name="random">Uniform from 0 to 1. It spreads deliveries that failed together.</param>
    public static TimeSpan WaitAfter(int attempts, TimeSpan? retryAfter, double random)
    {
        var scheduled = Waits[attempts - 1] * (0.8 + 0.4 * random);
        var asked = retryAfter is { } wait && wait < LongestWait ? wait : retryAfter is null ? TimeSpan.Zero : LongestWait;
        return scheduled > asked ? scheduled : asked;
    }

    /// <summary>How long a failing endpoint is paused: not at all up to two failures in a row, then 5 s, 10 s, ... 5 min.</summary>
    public static TimeSpan PauseAfter(int failures) => failures < CircuitAfter
        ? TimeSpan.Zero
        : TimeSpan.FromSeconds(Math.Min(LongestPause.TotalSeconds, 5 * Math.Pow(2, Math.Min(failures - CircuitAfter, 10))));
}
