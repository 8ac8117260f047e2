using Microsoft.Azure.Amqp;

namespace Payments.Local.ServiceBus;

/// <summary>A receiver's link, seen from the broker that feeds it.</summary>
internal sealed class ConsumerLink(SendingAmqpLink link)
{
    public SendingAmqpLink Link { get; } = link;

    /// <summary>The session this link holds or held; null on an entity without sessions.</summary>
    public string? SessionId { get; set; }

    /// <summary>The receiver took its credit back; it gets nothing until it grants more.</summary>
    public bool Drained { get; set; }

    public bool PeekLock { get; } = link.Settings.SettleType != SettleMode.SettleOnSend;

    /// <summary>Sending without credit would queue inside the library, where no lock or order is known.</summary>
    public bool HasCredit => !Drained && Link.LinkCredit > 0 && Link.State == AmqpObjectState.Opened;
}
