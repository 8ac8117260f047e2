using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace Payments.Domain.Webhooks.Inbound;

/// <summary>
/// The contribution of a partner's folder under Providers to the application: mappers of its events, its signing scheme if it has its own,
/// and other services. The application finds the class by reflection, so no file outside the folder names it. It needs a constructor
/// without parameters.
/// </summary>
public interface IPartnerIntegration
{
    void Register(IServiceCollection services, IConfiguration configuration);
}
