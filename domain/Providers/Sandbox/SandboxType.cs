namespace Payments.Domain.Providers.Sandbox;

public static class SandboxType
{
    public static ProviderType Type { get; } = new(
        SandboxProvider.ProviderName,
        [new("api_key", IsSecret: true, IsRequired: true)],
        new Uri("http://127.0.0.1:7090"),
        setup => new SandboxProvider(setup.Name, setup.Http, setup.Access),
        name => new SandboxPaymentEvents(name))
    {
        DisputeEvents = name => [new SandboxDisputeMapper(name)],
        MovesNoMoney = true,
    };
}
