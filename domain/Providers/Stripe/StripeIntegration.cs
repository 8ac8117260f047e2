using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Domain.Providers.Stripe;

internal sealed class StripeIntegration : IPartnerIntegration
{
    public void Register(IServiceCollection services, IConfiguration configuration) =>
        services.AddProviderEvents<StripeDisputeMapper>().AddProviderEvents<StripeEarlyWarningMapper>();
}
