using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Payments.Domain.Webhooks.Inbound;

namespace Payments.Domain.Providers.Sandbox;

internal sealed class SandboxIntegration : IPartnerIntegration
{
    public void Register(IServiceCollection services, IConfiguration configuration) => services.AddProviderEvents<SandboxDisputeMapper>();
}
