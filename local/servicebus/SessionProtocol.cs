using Microsoft.Azure.Amqp;
using Microsoft.Azure.Amqp.Encoding;
using Microsoft.Azure.Amqp.Framing;

namespace Payments.Local.ServiceBus;

/// <summary>How a receiver's attach asks for a session, and how the reply names the one it got.</summary>
internal static class SessionProtocol
{
    private static readonly AmqpSymbol Filter = "com.microsoft:session-filter";
    private static readonly AmqpSymbol LockedUntil = "com.microsoft:locked-until-utc";
    private static readonly AmqpSymbol TimeoutName = "com.microsoft:timeout";
    private static readonly TimeSpan DefaultTimeout = TimeSpan.FromMinutes(1);

    /// <summary>A session filter without an id asks for any session that has messages.</summary>
    public static (bool IsSession, string? SessionId, TimeSpan Timeout) Read(SendingAmqpLink link)
    {
        var filters = ((Source)link.Settings.Source).FilterSet;
        if (filters is null || !filters.Any(filter => filter.Key.ToString() == Filter.Value))
            return (false, null, default);
        filters.TryGetValue<string>(Filter, out var sessionId);
        var timeout = link.Settings.Properties is { } properties && properties.TryGetValue<uint>(TimeoutName, out var milliseconds)
            ? TimeSpan.FromMilliseconds(milliseconds)
            : DefaultTimeout;
        return (true, sessionId, timeout);
    }

    /// <summary>Writes the grant into the settings that our own attach echoes. The lock's end travels as ticks.</summary>
    public static void Grant(SendingAmqpLink link, Session session)
    {
        ((Source)link.Settings.Source).FilterSet[Filter] = session.Id;
        (link.Settings.Properties ??= new Fields())[LockedUntil] = session.LockedUntil.Ticks;
    }
}
