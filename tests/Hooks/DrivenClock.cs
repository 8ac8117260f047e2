using System.IO.MemoryMappedFiles;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Payments.TestHooks;

/// <summary>
/// A clock that a test drives. The file that <see cref="Variable"/> names holds, in ticks, how far it is ahead of the program's own clock.
/// A test may write it at any time. Timers and measured durations stay those of the system.
/// </summary>
internal sealed class DrivenClock(TimeProvider clock, MemoryMappedViewAccessor offset) : TimeProvider
{
    public const string Variable = "PAYMENTS_CLOCK";

    public override TimeZoneInfo LocalTimeZone => clock.LocalTimeZone;

    public override DateTimeOffset GetUtcNow()
    {
        // Truncated to microseconds like the program's own clock, because Postgres keeps no more.
        var now = clock.GetUtcNow().AddTicks(offset.ReadInt64(0));
        return now.AddTicks(-(now.Ticks % TimeSpan.TicksPerMicrosecond));
    }

    /// <summary>Replaces the clock in the host's services if the variable is set.</summary>
    public static void ReplaceIn(IHostBuilder host)
    {
        if (Environment.GetEnvironmentVariable(Variable) is not { Length: > 0 } path)
            return;
        var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var view = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false)
            .CreateViewAccessor(0, sizeof(long), MemoryMappedFileAccess.Read);
        host.ConfigureServices((_, services) =>
        {
            if (!services.Any(service => service.ServiceType == typeof(TimeProvider)))
                services.AddSingleton(TimeProvider.System);
            services.Decorate<TimeProvider>((_, clock) => new DrivenClock(clock, view));
        });
    }
}
