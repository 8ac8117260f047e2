using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Domain.Providers.Adyen;

internal sealed class AdyenIntegration : IPartnerIntegration
{
    public void Register(IServiceCollection services, IConfiguration configuration) => services.AddProviderEvents<AdyenDisputeMapper>();
}
