using System.Globalization;
using System.Text.Json;

namespace Payments.AppHost;

/// <summary>
/// The files of a run that its user and other commands read. One run at a time holds <c>lock</c>, which the system releases however that run ends.
/// </summary>
internal sealed class RunFiles(string data) : IDisposable
{
    private FileStream? held;

    public string Logs { get; } = Path.Combine(data, "logs");

    /// <summary>What `./run demo` needs to know about a run that is up.</summary>
    public string Running { get; } = Path.Combine(data, "running.env");

    public string DemoMerchant { get; } = Path.Combine(data, "demo.json");

    /// <summary>The id of the process that holds the lock, as its own name for itself: "process 1234".</summary>
    public string Holder => File.Exists(ProcessId) ? $"process {File.ReadAllText(ProcessId).Trim()}" : "another process";

    private string ProcessId { get; } = Path.Combine(data, "pid");

    /// <summary>Takes the lock for this process. False if another run holds it.</summary>
    public bool TryLock()
    {
        Directory.CreateDirectory(Logs);
        try
        {
            held = new FileStream(Path.Combine(data, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            return false;
        }

        File.Delete(Running);
        File.WriteAllText(ProcessId, Environment.ProcessId.ToString(CultureInfo.InvariantCulture) + "\n");
        return true;
    }

    public void WriteRunning(IEnumerable<KeyValuePair<string, string>> variables)
    {
        var unfinished = Running + ".tmp";
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using (var writer = new StreamWriter(unfinished, options))
        {
            foreach (var (name, value) in variables)
                writer.WriteLine($"{name}='{value}'");
        }

        File.Move(unfinished, Running, overwrite: true);
    }

    public Dictionary<string, string> ReadRunning() =>
        File.ReadLines(Running).Select(line => line.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[1].Trim('\''));

    public string MerchantKey()
    {
        using var state = JsonDocument.Parse(File.ReadAllText(DemoMerchant));
        return state.RootElement.GetProperty("key").GetString()!;
    }

    public void Dispose()
    {
        if (held is null)
            return;
        File.Delete(Running);
        File.Delete(ProcessId);
        held.Dispose();
    }
}
