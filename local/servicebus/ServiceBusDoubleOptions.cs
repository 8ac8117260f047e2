using System.Security.Cryptography.X509Certificates;

namespace Payments.Local.ServiceBus;

public sealed record ServiceBusDoubleOptions
{
    /// <summary>The TCP port on the loopback address. 0 takes a free one: read it from <see cref="ServiceBusDouble.Port"/>.</summary>
    public int Port { get; init; }

    /// <summary>Entities that exist before the first client connects; others can be added later.</summary>
    public EntityFile? Entities { get; init; }

    /// <summary>The clock of locks, expiry, schedules and duplicate windows.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>The largest message accepted, in bytes; the service's standard tier takes 256 KB.</summary>
    public long MaxMessageSize { get; init; } = 256 * 1024;

    /// <summary>
    /// The file that keeps the contents across a restart. Null: memory only. What was acknowledged is in the file, so it
    /// survives the end of the process (not a power cut: the file is not forced to the disk). Locks do not survive.
    /// </summary>
    public string? DataFile { get; init; }

    /// <summary>Serve TLS with this certificate instead of plain TCP, as clients with a token credential demand.</summary>
    public X509Certificate2? Certificate { get; init; }

    /// <summary>Decides on each token put: the audience it is for and the token. Null accepts every token.</summary>
    public Func<string, string, bool>? Authorize { get; init; }
}
