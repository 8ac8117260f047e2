using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.Extensions.Logging;

namespace Payments.AppHost;

/// <summary>One text file for each resource, and <c>apphost.log</c> for Aspire itself: the terminal belongs to the user.</summary>
internal sealed class LogFiles(string folder) : ILoggerProvider
{
    private const int LongestLastWords = 400;

    private readonly ConcurrentDictionary<string, TextWriter> _files = new();

    public void Append(string name, string line) => FileOf(name).WriteLine(line);

    /// <summary>The last two lines that a process wrote, other than stack traces, and where to find the rest.</summary>
    public string LastWords(string name)
    {
        var path = PathOf(name);
        using var reader = File.Exists(path) ? new StreamReader(path, new FileStreamOptions { Share = FileShare.ReadWrite }) : null;
        var lines = (reader?.ReadToEnd() ?? "").Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        var words = string.Join(' ', lines.Where(IsWords).TakeLast(2));
        return $"{(words.Length > LongestLastWords ? words[..LongestLastWords] : words)} (log: {path})".TrimStart();
    }

    ILogger ILoggerProvider.CreateLogger(string categoryName) => new Category(this, categoryName);

    public void Dispose()
    {
        foreach (var file in _files.Values)
            file.Dispose();
    }

    /// <summary>Not a frame of a stack, and not one of the lines that Aspire adds to a log.</summary>
    private static bool IsWords(string line) =>
        !line.StartsWith("at ", StringComparison.Ordinal)
        && !line.StartsWith("[sys] ", StringComparison.Ordinal)
        && !line.StartsWith("No custom certificate authorities ", StringComparison.Ordinal);

    private string PathOf(string name) => Path.Combine(folder, name + ".log");

    private TextWriter FileOf(string name) => _files.GetOrAdd(
        name,
        each => TextWriter.Synchronized(new StreamWriter(new FileStream(PathOf(each), FileMode.Append, FileAccess.Write, FileShare.ReadWrite))
        {
            AutoFlush = true,
        }));

    private sealed class Category(LogFiles files, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel is not LogLevel.None;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            var time = TimeProvider.System.GetUtcNow().ToString("HH:mm:ss.fff", CultureInfo.InvariantCulture);
            files.Append("apphost", $"{time} {logLevel} {category}: {formatter(state, exception)}{(exception is null ? "" : $" {exception}")}");
        }
    }
}
