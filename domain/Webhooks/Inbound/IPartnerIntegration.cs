using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace Payments.Domain.Webhooks.Inbound;

/// <summary>
/// What the folder of a partner under Providers adds to the application: mappers of its events, its way of signing if that is its own, what it needs besides.
/// The class is found by being there, so that no file outside the folder names it; it needs a constructor without parameters.
/// </summary>
public interface IPartnerIntegration
{
    void Register(IServiceCollection services, IConfiguration configuration);
}
