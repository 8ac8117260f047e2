using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Extensions.Configuration;

namespace Payments.Functions.Middleware;

/// <summary>
/// The address of the caller behind <c>Http:TrustedProxies</c> proxies: 0 by default, 1 on Azure, whose front end is one. Each trusted
/// proxy appends the address that it saw to <c>X-Forwarded-For</c>. So the caller's address is that many entries from the end. The entries
/// before it are the caller's own claims.
/// </summary>
/// <remarks>
/// The Functions host replaces the header on its way to this process. It keeps the header as the host received it in the binding data of the invocation.
/// </remarks>
internal sealed class CallerAddress(IConfiguration configuration)
{
    private const string Header = "X-Forwarded-For";
    private const int LongestAddress = 64;

    private readonly int _trustedProxies = configuration.GetValue("Http:TrustedProxies", 0);

    /// <summary>
    /// The caller's address without its port. If the header has fewer entries than there are trusted proxies, the address of the last hop.
    /// </summary>
    public string Of(FunctionContext context, HttpContext http)
    {
        if (_trustedProxies > 0 && Forwarded(context, http) is { } forwarded)
        {
            var entries = forwarded.Split(',', StringSplitOptions.TrimEntries);
            if (entries.Length >= _trustedProxies && entries[^_trustedProxies] is { Length: > 0 and <= LongestAddress } entry)
                return WithoutPort(entry);
        }

        return http.Connection.RemoteIpAddress?.ToString() ?? "";
    }

    private static string? Forwarded(FunctionContext context, HttpContext http) =>
        context.BindingContext.BindingData.TryGetValue("Headers", out var headers) && headers is string json
            ? ReadHeader(json)
            : http.Request.Headers[Header].ToString();

    // The text is a JSON object of header names and values. It is read without creating an object for each of its many headers.
    private static string? ReadHeader(string json)
    {
        if (!json.Contains(Header, StringComparison.OrdinalIgnoreCase))
            return null;
        try
        {
            var reader = new Utf8JsonReader(Encoding.UTF8.GetBytes(json));
            while (reader.Read())
            {
                if (reader.TokenType != JsonTokenType.PropertyName || reader.CurrentDepth != 1)
                    continue;
                var isHeader = string.Equals(reader.GetString(), Header, StringComparison.OrdinalIgnoreCase);
                reader.Read();
                if (isHeader)
                    return reader.TokenType == JsonTokenType.String ? reader.GetString() : ReadLines(ref reader);
                reader.Skip();
            }
        }
        catch (JsonException)
        {
            // Another host may use another format. The address of the last hop then counts.
        }

        return null;
    }

    // A header that is sent in several lines is one list.
    private static string? ReadLines(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
            return null;
        var lines = new List<string>();
        while (reader.Read() && reader.TokenType == JsonTokenType.String)
            lines.Add(reader.GetString()!);
        return string.Join(',', lines);
    }

    // Handles 203.0.113.7:51234 and [2001:db8::1]:51234, and both without a port.
    private static string WithoutPort(string text) => text.IndexOf(']', StringComparison.Ordinal) is var end and > 0 ? text[..(end + 1)]
        : text.IndexOf(':', StringComparison.Ordinal) is var port and > 0 && text.LastIndexOf(':') == port ? text[..port] : text;
}
