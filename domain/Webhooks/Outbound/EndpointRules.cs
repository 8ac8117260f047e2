using System.Net;
using Payments.Domain.Messaging;

namespace Payments.Domain.Webhooks.Outbound;

/// <summary>
/// The rules for an endpoint's settings. Each connection checks the addresses of its host again (<see cref="AddressGuard"/>).
/// </summary>
public static class EndpointRules
{
    public const int MaxEndpoints = 16;

    /// <param name="allowLoopback">For development: allows addresses of this machine, over http too.</param>
    public static EndpointRefusal? CheckUrl(string? text, bool allowLoopback)
    {
        if (text is not { Length: > 0 and <= 2048 } || !Uri.TryCreate(text, UriKind.Absolute, out var url)
            || url.Scheme is not ("https" or "http") || url.UserInfo.Length > 0 || url.Fragment.Length > 0 || url.Host.Length == 0 || text.Any(char.IsControl))
        {
            return EndpointRefusal.UrlInvalid;
        }

        var loopback = url.IsLoopback;
        if (loopback && allowLoopback)
            return null;
        if (url.Scheme != Uri.UriSchemeHttps)
            return EndpointRefusal.UrlNotSecure;
        var host = url.IdnHost.TrimEnd('.');
        var isPublic = IPAddress.TryParse(host.Trim('[', ']'), out var address) ? AddressGuard.IsPublic(address) : !loopback && host.Contains('.', StringComparison.Ordinal);
        return isPublic ? null : EndpointRefusal.UrlNotPublic;
    }

    public static EndpointRefusal? CheckEventTypes(IReadOnlyList<string> types) =>
        types.Count is >= 1 and <= 50 && types.All(EventTypes.Filters.Contains) ? null : EndpointRefusal.EventTypesInvalid;


    public static EndpointRefusal? CheckDescription(string? description) =>
        description is not null && (description.Length > 500 || description.Contains('\0', StringComparison.Ordinal)) ? EndpointRefusal.DescriptionInvalid : null;
}
