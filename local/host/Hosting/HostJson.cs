using System.Globalization;
using Microsoft.Extensions.Configuration;

namespace FunctionsHost.Hosting;

/// <summary>
/// host.json with the overrides of app settings (<c>AzureFunctionsJobHost__path__to__key</c>). Numbers, flags and time
/// spans that cannot be read are start-up errors that name the key.
/// </summary>
internal sealed class HostJson
{
    private readonly IConfigurationRoot _values;

    private HostJson(IConfigurationRoot values) => _values = values;

    public static HostJson Load(string folder, IConfiguration settings)
    {
        var values = new ConfigurationBuilder();
        var path = Path.Combine(folder, "host.json");
        if (File.Exists(path))
            values.AddJsonFile(path, optional: false, reloadOnChange: false);
        var overrides = settings.GetSection("AzureFunctionsJobHost");
        // The worker reads the prefix from the file alone while the host reads the setting too, so the two would disagree.
        if (overrides["extensions:http:routePrefix"] is not null)
            throw new InvalidOperationException("Set extensions.http.routePrefix in host.json: as an app setting it breaks every route.");
        values.AddConfiguration(overrides);
        return new HostJson(values.Build());
    }

    public string Text(string key, string otherwise) => _values[key] ?? otherwise;

    public int Number(string key, int otherwise) => _values[key] is not { } text
        ? otherwise
        : int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value)
            ? value
            : throw Wrong(key, text, "a number");

    public bool Flag(string key, bool otherwise) => _values[key] is not { } text
        ? otherwise
        : bool.TryParse(text, out var value) ? value : throw Wrong(key, text, "true or false");

    public TimeSpan Time(string key, TimeSpan otherwise) => _values[key] is not { } text
        ? otherwise
        : TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out var value) ? value : throw Wrong(key, text, "a time span (hh:mm:ss)");

    private static InvalidOperationException Wrong(string key, string text, string wanted) =>
        new($"host.json: '{key.Replace(':', '.')}' is '{text}', which is not {wanted}.");
}
