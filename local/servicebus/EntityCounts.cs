namespace Payments.Local.ServiceBus;

/// <summary>What one entity holds now, and what has happened to it since the double started.</summary>
/// <param name="Ready">Waiting for a receiver.</param>
/// <param name="Locked">Delivered and not settled yet.</param>
/// <param name="Deferred">Set aside, to be received by sequence number.</param>
/// <param name="Scheduled">Not due yet.</param>
/// <param name="Stored">Messages ever stored, duplicates left out.</param>
/// <param name="Duplicates">Sends accepted and dropped by duplicate detection.</param>
/// <param name="Deliveries">Deliveries to receivers, redeliveries included.</param>
/// <param name="Completed">Messages completed, or deleted by their receipt.</param>
public readonly record struct EntityCounts(
    int Ready, int Locked, int Deferred, int Scheduled, long Stored, long Duplicates, long Deliveries, long Completed)
{
    /// <summary>All messages the entity holds now.</summary>
    public int Total => Ready + Locked + Deferred + Scheduled;
}
