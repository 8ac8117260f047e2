namespace Payments.Domain.Disputes;

/// <summary>When evidence is due if the provider does not say. The provider's date always takes precedence.</summary>
public static class EvidenceDeadlines
{
    /// <summary>
    /// The days that a merchant has from the opening of a stage, by network: Visa 30, Mastercard 45, American Express 20, Discover 30.
    /// These are the networks' usual limits, which vary by code and region. An unknown network gets the shortest limit, so that a default
    /// makes no merchant late.
    /// </summary>
    public static int DefaultDays(string? network) => DisputeReasons.Network(network) switch
    {
        CardNetwork.Visa => 30,
        CardNetwork.Mastercard => 45,
        CardNetwork.AmericanExpress => 20,
        CardNetwork.Discover => 30,
        CardNetwork.Other => 20,
    };

    /// <summary>Null for early warnings: they take no evidence, only a refund.</summary>
    public static DateTimeOffset? Default(string? network, DisputeStage stage, DateTimeOffset stageOpenedAt) => stage switch
    {
        DisputeStage.EarlyWarning => null,
        DisputeStage.Inquiry or DisputeStage.Chargeback or DisputeStage.PreArbitration or DisputeStage.Arbitration =>
            stageOpenedAt.AddDays(DefaultDays(network)),
    };
}
