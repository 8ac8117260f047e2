using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Payments.Kit;

/// <summary>Node, and what npm installs for local runs: Postgres, Azurite and a few libraries.</summary>
public static class Tools
{
    private const int OldestNode = 20;

    private static string NodeModules => Path.Combine(Repository.Root, "local", "node_modules");

    /// <summary>Azurite's program, for Node.</summary>
    public static string Azurite => Path.Combine(NodeModules, "azurite", "dist", "src", "azurite.js");

    /// <summary>The embedded Postgres of this kind of machine, as npm unpacked it.</summary>
    public static string Postgres
    {
        get
        {
            var system = OperatingSystem.IsMacOS() ? "darwin" : OperatingSystem.IsLinux() ? "linux" : "windows";
            var platform = $"{system}-{(RuntimeInformation.OSArchitecture == Architecture.Arm64 ? "arm64" : "x64")}";
            var home = Path.Combine(NodeModules, "@embedded-postgres", platform, "native");
            return File.Exists(Path.Combine(home, "bin", "postgres"))
                ? home
                : throw new KitException(
                    $"There is no embedded Postgres for {platform}: set ConnectionStrings__Postgres to a server of version 16 or newer.");
        }
    }

    /// <summary>Installs what <c>local/package-lock.json</c> names, unless that is done already. Processes that call it at once wait for one another.</summary>
    /// <exception cref="KitException">Node is missing or too old, or npm failed.</exception>
    public static async Task InstallAsync(CancellationToken ct = default)
    {
        var locked = await File.ReadAllBytesAsync(Path.Combine(Repository.Root, "local", "package-lock.json"), ct);
        var stamp = Path.Combine(NodeModules, ".installed-lock.json");
        if (await IsSameAsync(stamp, locked, ct))
            return;
        using var turn = await MachineTurn.WaitAsync("npm", ct);
        if (await IsSameAsync(stamp, locked, ct))
            return;

        await RequireNodeAsync(ct);
        await Console.Error.WriteLineAsync("Installing Postgres and Azurite from npm (once, about a minute)");

        // Install scripts never run. The only one that matters makes Postgres' links, which LinkPostgres does.
        await ChildProcess.RunAsync(
            "npm",
            new Command("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]) { Folder = Path.Combine(Repository.Root, "local") },
            Path.Combine(Repository.Data, "setup"),
            ct);
        LinkPostgres();
        await File.WriteAllBytesAsync(stamp, locked, ct);
    }

    /// <exception cref="KitException">Node is missing or too old.</exception>
    public static async Task RequireNodeAsync(CancellationToken ct = default)
    {
        string version;
        try
        {
            version = await OutputAsync("node", ["--version"], ct);
            await OutputAsync("npm", ["--version"], ct);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            throw new KitException($"Node {OldestNode} or newer is missing (node and npm): install it from https://nodejs.org");
        }

        if (!int.TryParse(version.TrimStart('v').Split('.')[0], out var major) || major < OldestNode)
            throw new KitException($"Node {OldestNode} or newer is needed, this is Node {version}.");
    }

    /// <summary>What a short command prints, trimmed.</summary>
    internal static async Task<string> OutputAsync(string program, IEnumerable<string> arguments, CancellationToken ct)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var errors = process.StandardError.ReadToEndAsync(ct);
        var output = await process.StandardOutput.ReadToEndAsync(ct);
        await errors;
        await process.WaitForExitAsync(ct);
        return process.ExitCode == 0 ? output.Trim() : "";
    }

    private static async Task<bool> IsSameAsync(string stamp, byte[] content, CancellationToken ct) =>
        File.Exists(stamp) && (await File.ReadAllBytesAsync(stamp, ct)).AsSpan().SequenceEqual(content);

    // npm packages carry no symbolic links: the package lists its own in native/pg-symlinks.json. Doing it again changes nothing.
    private static void LinkPostgres()
    {
        foreach (var package in Directory.EnumerateDirectories(Path.Combine(NodeModules, "@embedded-postgres")))
        {
            var list = Path.Combine(package, "native", "pg-symlinks.json");
            if (File.Exists(list))
            {
                using var links = JsonDocument.Parse(File.ReadAllText(list));
                foreach (var link in links.RootElement.EnumerateArray())
                {
                    var (source, target) = (link.GetProperty("source").GetString()!, link.GetProperty("target").GetString()!);
                    var file = Path.Combine(package, target);
                    File.Delete(file);
                    File.CreateSymbolicLink(file, Path.GetRelativePath(Path.GetDirectoryName(target)!, source));
                }
            }

            foreach (var program in Directory.EnumerateFiles(Path.Combine(package, "native", "bin")))
            {
                if (!OperatingSystem.IsWindows())
                    File.SetUnixFileMode(program, (UnixFileMode)Convert.ToInt32("755", 8));
            }
        }
    }

    /// <summary>A short name for a folder, for a place of its own elsewhere.</summary>
    internal static string ShortName(string folder) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(folder)))[..12];
}
