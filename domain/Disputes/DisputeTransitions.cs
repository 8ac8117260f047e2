namespace Payments.Domain.Disputes;

/// <summary>Which status may follow which. An update that breaks these rules is kept in the history and changes nothing.</summary>
public static class DisputeTransitions
{
    /// <summary>
    /// Whether a dispute may go from one stage and status to another. A later stage may begin with any of its statuses. Inside a stage, the
    /// provider may ask again, and a verdict may be overturned. A dispute that ended does not open again, except that an expired one does
    /// if the provider says so.
    /// </summary>
    public static bool Allows(DisputeStage fromStage, DisputeStatus from, DisputeStage toStage, DisputeStatus to) =>
        Belongs(fromStage, from) && Belongs(toStage, to) && (toStage > fromStage || (toStage == fromStage && AllowsInStage(from, to)));

    /// <summary>Whether a stage has this status at all.</summary>
    public static bool Belongs(DisputeStage stage, DisputeStatus status) => stage switch
    {
        DisputeStage.EarlyWarning or DisputeStage.Inquiry => IsWarning(status),
        DisputeStage.Chargeback or DisputeStage.PreArbitration or DisputeStage.Arbitration => !IsWarning(status),
    };

    public static bool IsClosed(DisputeStatus status) => status switch
    {
        DisputeStatus.WarningNeedsResponse or DisputeStatus.WarningUnderReview => false,
        DisputeStatus.NeedsResponse or DisputeStatus.UnderReview => false,
        DisputeStatus.WarningClosed or DisputeStatus.Prevented => true,
        DisputeStatus.Expired or DisputeStatus.Accepted or DisputeStatus.Won or DisputeStatus.Lost => true,
    };

    /// <summary>Whether the dispute awaits the merchant's response, so that its deadline runs.</summary>
    public static bool AwaitsResponse(DisputeStatus status) => status switch
    {
        DisputeStatus.WarningNeedsResponse or DisputeStatus.NeedsResponse => true,
        DisputeStatus.WarningUnderReview or DisputeStatus.WarningClosed or DisputeStatus.Prevented => false,
        DisputeStatus.Expired or DisputeStatus.UnderReview or DisputeStatus.Accepted or DisputeStatus.Won or DisputeStatus.Lost => false,
    };

    /// <summary>
    /// How far a status has advanced in its stage. It orders two updates of the same instant, and places an update that gives only a date
    /// within its day.
    /// </summary>
    internal static int Rank(DisputeStatus status) => status switch
    {
        DisputeStatus.WarningNeedsResponse or DisputeStatus.NeedsResponse => 0,
        DisputeStatus.Expired => 1,
        DisputeStatus.WarningUnderReview or DisputeStatus.UnderReview => 2,
        DisputeStatus.Accepted => 3,
        DisputeStatus.WarningClosed or DisputeStatus.Prevented or DisputeStatus.Won or DisputeStatus.Lost => 4,
    };

    private static bool AllowsInStage(DisputeStatus from, DisputeStatus to) => from switch
    {
        DisputeStatus.WarningNeedsResponse => to is DisputeStatus.WarningUnderReview or DisputeStatus.WarningClosed or DisputeStatus.Prevented,
        DisputeStatus.WarningUnderReview => to is DisputeStatus.WarningNeedsResponse or DisputeStatus.WarningClosed or DisputeStatus.Prevented,
        DisputeStatus.WarningClosed => to is DisputeStatus.Prevented,
        DisputeStatus.Prevented => to is DisputeStatus.WarningClosed,
        DisputeStatus.NeedsResponse => to is DisputeStatus.Expired or DisputeStatus.UnderReview or DisputeStatus.Accepted or DisputeStatus.Won or DisputeStatus.Lost,
        DisputeStatus.Expired => to is DisputeStatus.NeedsResponse or DisputeStatus.UnderReview or DisputeStatus.Accepted or DisputeStatus.Won or DisputeStatus.Lost,
        DisputeStatus.UnderReview => to is DisputeStatus.NeedsResponse or DisputeStatus.Accepted or DisputeStatus.Won or DisputeStatus.Lost,
        DisputeStatus.Accepted => to is DisputeStatus.Won or DisputeStatus.Lost,
        DisputeStatus.Won => to is DisputeStatus.Lost,
        DisputeStatus.Lost => to is DisputeStatus.Won,
    };

    private static bool IsWarning(DisputeStatus status) => status switch
    {
        DisputeStatus.WarningNeedsResponse or DisputeStatus.WarningUnderReview or DisputeStatus.WarningClosed or DisputeStatus.Prevented => true,
        DisputeStatus.NeedsResponse or DisputeStatus.Expired or DisputeStatus.UnderReview => false,
        DisputeStatus.Accepted or DisputeStatus.Won or DisputeStatus.Lost => false,
    };
}
