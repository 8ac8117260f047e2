using System.Diagnostics;

namespace Payments.Kit;

/// <summary>
/// A shell that kills the children of this process when this process ends in any way, SIGKILL included. The shell reads process ids from a pipe; the pipe's
/// end is the sign. Without a shell (Windows) children can outlive a killed parent.
/// </summary>
internal static class Leash
{
    private const string Script =
        """
        trap '' INT TERM HUP
        held=
        while read -r sign pid; do
            case $sign in
                +) held="$held $pid" ;;
                -) held=$(for each in $held; do [ "$each" = "$pid" ] || printf ' %s' "$each"; done) ;;
            esac
        done
        for pid in $held; do kill -9 "$pid" 2>/dev/null; done
        """;

    private static readonly Lock Gate = new();
    private static Process? _shell;

    public static void Hold(int pid) => Say($"+ {pid}");

    public static void Release(int pid) => Say($"- {pid}");

    private static void Say(string line)
    {
        if (OperatingSystem.IsWindows())
            return;
        lock (Gate)
        {
            // In a session of its own where the system can, so that Ctrl-C in a terminal does not reach it.
            _shell ??= Process.Start(new ProcessStartInfo("sh", ["-c", Script]) { RedirectStandardInput = true, RedirectStandardOutput = false })!;
            try
            {
                _shell.StandardInput.WriteLine(line);
                _shell.StandardInput.Flush();
            }
            catch (IOException)
            {
                // The shell was killed: children are then ended by their owners alone.
                _shell = null;
            }
        }
    }
}
