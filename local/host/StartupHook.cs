using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

/// <summary>
/// Runs inside the worker before the app, as the host names this assembly in DOTNET_STARTUP_HOOKS. The worker's standard
/// input is a pipe that the host holds open: when the host dies, however it dies, the pipe ends and the worker dies too.
/// </summary>
[SuppressMessage("Design", "CA1050", Justification = "The runtime looks for this name, in no namespace.")]
internal static partial class StartupHook
{
    public static void Initialize()
    {
        // Ctrl-C is for the host, which lets the functions finish and then ends the worker.
        if (!OperatingSystem.IsWindows())
            _ = SetProcessGroup(0, 0);
        var input = Console.OpenStandardInput();
        new Thread(() => EndWithHost(input)) { IsBackground = true, Name = "Functions host watch" }.Start();
    }

    [SuppressMessage("Design", "CA1031", Justification = "A pipe that cannot be read has lost its host.")]
    private static void EndWithHost(Stream input)
    {
        try
        {
            while (input.ReadByte() >= 0)
            {
                // The host writes nothing.
            }
        }
        catch (Exception)
        {
            // Treated as its end.
        }
        using var self = Process.GetCurrentProcess();
        self.Kill();
    }

    [LibraryImport("libc", EntryPoint = "setpgid")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int SetProcessGroup(int process, int group);
}
