namespace Payments.Domain.Providers.Adyen;

public static class AdyenType
{
    /// <summary>
    /// There is no default address, because live addresses hold a prefix of the company.
    /// (docs.adyen.com/development-resources/live-endpoints.)
    /// </summary>
    public static ProviderType Type { get; } = new(
        AdyenDisputes.Provider,
        [AdyenProvider.ApiKey, AdyenProvider.MerchantAccount],
        DefaultAddress: null,
        setup => new AdyenProvider(setup.Name, setup.Http, setup.Access, setup.Settings["ReturnUrl"]),
        name => new AdyenPaymentEvents(name))
    {
        DisputeEvents = name => [new AdyenDisputeMapper(name)],

        // Adyen's addresses say the environment: checkout-test.adyen.com, PREFIX-checkout-live.adyenpayments.com.
        ModeOfAddress = address => address.Host.EndsWith("-test.adyen.com", StringComparison.OrdinalIgnoreCase) ? Mode.Test
            : address.Host.EndsWith("-live.adyenpayments.com", StringComparison.OrdinalIgnoreCase) ? Mode.Live
            : null,
    };
}
