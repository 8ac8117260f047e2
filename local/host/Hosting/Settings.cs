using System.Globalization;
using Microsoft.Extensions.Configuration;

namespace FunctionsHost.Hosting;

/// <summary>How the host itself reads app settings.</summary>
internal static class Settings
{
    /// <summary>Resolves a text that is wholly <c>%name%</c> to that setting; any other text is itself.</summary>
    /// <exception cref="InvalidOperationException">There is no such setting.</exception>
    public static string Resolve(IConfiguration settings, string text, string function)
    {
        if (text.Length < 3 || text[0] != '%' || text[^1] != '%' || text.AsSpan(1, text.Length - 2).Contains('%'))
            return text;
        var name = text[1..^1];
        return settings[name]
            ?? throw new InvalidOperationException($"Function '{function}' asks for the setting '{name}' (as %{name}%), which is not set.");
    }

    /// <summary><c>AzureWebJobs.Name.Disabled</c>, or with colons or double underscores where an environment takes no dots.</summary>
    public static bool IsDisabled(IConfiguration settings, string function)
    {
        var text = settings[$"AzureWebJobs.{function}.Disabled"] ?? settings[$"AzureWebJobs:{function}:Disabled"];
        return text is not null && (text == "1" || text.Equals("true", StringComparison.OrdinalIgnoreCase));
    }

    public static int Port(IConfiguration settings) => settings["FunctionsHost:Port"] is not { } text
        ? 7071
        : int.TryParse(text, CultureInfo.InvariantCulture, out var port) && port is >= 0 and <= 65535
            ? port
            : throw new InvalidOperationException($"FunctionsHost:Port is '{text}', which is not a port.");

    public static int Number(IConfiguration settings, string name, int otherwise) => settings[name] is not { } text
        ? otherwise
        : int.TryParse(text, CultureInfo.InvariantCulture, out var number) && number >= 0
            ? number
            : throw new InvalidOperationException($"{name} is '{text}', which is not a number.");

    public static TimeSpan Time(IConfiguration settings, string name, TimeSpan otherwise) => settings[name] is not { } text
        ? otherwise
        : TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out var time) && time >= TimeSpan.Zero
            ? time
            : throw new InvalidOperationException($"{name} is '{text}', which is not a time span (hh:mm:ss).");
}
