using System.Diagnostics;
#if CRASH_POINTS
using System.IO.MemoryMappedFiles;
#endif

namespace Payments.Domain;

/// <summary>
/// Lets a test drive the clock: the file that <c>PAYMENTS_CLOCK</c> names holds how far, in ticks, this process's clock is ahead of the system's, and may be
/// written at any time. Compiled only with CRASH_POINTS, as <c>CrashPoints</c> is; without it nothing calls this and nothing is in it.
/// </summary>
internal static class DrivenTime
{
#if CRASH_POINTS
    private static readonly MemoryMappedViewAccessor? File = Open();
#endif

    [Conditional("CRASH_POINTS")]
    public static void Move(ref DateTimeOffset now)
    {
#if CRASH_POINTS
        if (File is not null)
            now = now.AddTicks(File.ReadInt64(0));
#endif
    }

    /// <summary>
    /// A broker's clock is the system's: what it is to hide until a driven time is hidden for as long from now, and not for longer than a run waits.
    /// </summary>
    /// <param name="now">The driven time; the system's afterwards.</param>
    [Conditional("CRASH_POINTS")]
    public static void ForBroker(ref DateTimeOffset? notBefore, ref DateTimeOffset now)
    {
#if CRASH_POINTS
        if (File is null)
            return;
        var system = TimeProvider.System.GetUtcNow();
        if (notBefore is { } until)
            notBefore = system + (until - now < LongestHidden ? until - now : LongestHidden);
        now = system;
#endif
    }

#if CRASH_POINTS
    private static readonly TimeSpan LongestHidden = TimeSpan.FromSeconds(2);

    private static MemoryMappedViewAccessor? Open()
    {
        if (Environment.GetEnvironmentVariable("PAYMENTS_CLOCK") is not { Length: > 0 } path)
            return null;
        var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        return MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false)
            .CreateViewAccessor(0, sizeof(long), MemoryMappedFileAccess.Read);
    }
#endif
}
