#:property PublishAot=false
#:property RestoreAdditionalProjectSources=

// Makes local/feed, a folder of packages, on a machine whose package feed lacks some that the solution references.
// The assemblies are Microsoft's and OpenTelemetry's own, unmodified, as a public npm package of Microsoft ships them;
// only the envelope around each is written here. Where the ordinary feed has every package nothing is made.
//
//   dotnet run local/feed.cs -- <feed directory>
//
// Running it again changes nothing; a run that is cut off leaves no half-made feed behind.

using System.Diagnostics;
using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;

const string NpmPackage = "@azure/mcp-linux-x64@0.5.13";
const string TarballSha256 = "bf1bcc71b0469664c1ee8037271404df31142fe4245c633ad99519464243ab2a";

// Versions and dependencies are those the original packages state; the assembly decides the version.
Package[] packages =
[
    new("Azure.Core.Amqp", "1.3.1", "netstandard2.0", "MIT",
        new("Microsoft.Azure.Amqp", "2.4.2"), new("System.Memory.Data", "1.0.2")),
    new("Azure.Messaging.ServiceBus", "7.20.1", "net8.0", "MIT",
        new("Azure.Core", "1.46.2"), new("Azure.Core.Amqp", "1.3.1"), new("Microsoft.Azure.Amqp", "2.7.0")),
    new("Azure.Storage.Blobs", "12.24.0", "net8.0", "MIT", new Dependency("Azure.Storage.Common", "12.23.0")),
    new("Azure.Storage.Common", "12.23.0", "net8.0", "MIT",
        new("Azure.Core", "1.44.1"), new("System.IO.Hashing", "6.0.0")),
    new("Azure.Storage.Queues", "12.22.0", "net8.0", "MIT",
        new("Azure.Storage.Common", "12.23.0"), new("System.Memory.Data", "6.0.1")),
    new("Microsoft.Azure.Amqp", "2.7.0", "net8.0", "MIT"),
    new("OpenTelemetry.Extensions.Hosting", "1.12.0", "net9.0", "Apache-2.0",
        new("Microsoft.Extensions.Hosting.Abstractions", "9.0.0"), new("OpenTelemetry", "1.12.0")),
    new("System.IO.Hashing", "6.0.0", "net6.0", "MIT"),
];

if (args is not [var feedArgument])
{
    Console.Error.WriteLine("usage: dotnet run local/feed.cs -- <feed directory>");
    return 2;
}

var feed = Path.TrimEndingDirectorySeparator(Path.GetFullPath(feedArgument));
var contents = string.Join('\n', packages.Select(package => $"{package.FileName} from {NpmPackage}"));
var manifest = Path.Combine(feed, "contents.txt");
if (File.Exists(manifest) && File.ReadAllText(manifest) == contents)
{
    Console.WriteLine("feed: present");
    return 0;
}

var work = Directory.CreateTempSubdirectory("payments-feed-").FullName;
try
{
    if (OrdinaryFeedHasAll(work))
    {
        Console.WriteLine("feed: not needed, the ordinary feed has every package");
        return 0;
    }

    var tarball = Download(work);
    var files = Unpack(tarball);

    // Built beside its final place, so that the move is one rename on one file system.
    var unfinished = $"{feed}.{Environment.ProcessId}.tmp";
    Directory.CreateDirectory(unfinished);
    try
    {
        foreach (var package in packages)
            Write(package, files, Path.Combine(unfinished, package.FileName));
        File.WriteAllText(Path.Combine(unfinished, "contents.txt"), contents);
        if (Directory.Exists(feed))
            Directory.Delete(feed, recursive: true);
        Directory.Move(unfinished, feed);
    }
    finally
    {
        if (Directory.Exists(unfinished))
            Directory.Delete(unfinished, recursive: true);
    }

    Console.WriteLine($"feed: {packages.Length} packages written to {feed}");
    return 0;
}
catch (FeedException e)
{
    Console.Error.WriteLine($"feed: {e.Message}");
    return 1;
}
finally
{
    Directory.Delete(work, recursive: true);
}

// A package folder of its own keeps packages out of the answer that came from a local feed into the user's cache.
bool OrdinaryFeedHasAll(string directory)
{
    var project = Path.Combine(directory, "probe", "Probe.csproj");
    Directory.CreateDirectory(Path.GetDirectoryName(project)!);
    var references = string.Concat(packages.Select(package =>
        $"""<PackageReference Include="{package.Id}" Version="[{package.Version}]" />"""));
    File.WriteAllText(project,
        $"""
        <Project Sdk="Microsoft.NET.Sdk">
          <PropertyGroup><TargetFramework>net10.0</TargetFramework></PropertyGroup>
          <ItemGroup>{references}</ItemGroup>
        </Project>
        """);
    return Run("dotnet", directory, "restore", project, "--packages", Path.Combine(directory, "packages")).ExitCode == 0;
}

string Download(string directory)
{
    var packed = Run("npm", directory, "pack", NpmPackage, "--silent");
    var tarball = Directory.EnumerateFiles(directory, "*.tgz").SingleOrDefault()
        ?? throw new FeedException($"the package feed lacks packages, and npm could not fetch {NpmPackage} to make them from: {packed.LastLine}");
    using var stream = File.OpenRead(tarball);
    var sha256 = Convert.ToHexStringLower(SHA256.HashData(stream));
    return sha256 == TarballSha256
        ? tarball
        : throw new FeedException($"{NpmPackage} has sha256 {sha256}, expected {TarballSha256}: nothing is taken from it");
}

Dictionary<string, byte[]> Unpack(string tarball)
{
    var wanted = packages.Select(package => package.Assembly).Append("package/LICENSE").Append("package/NOTICE.txt").ToHashSet();
    var files = new Dictionary<string, byte[]>();
    using var gzip = new GZipStream(File.OpenRead(tarball), CompressionMode.Decompress);
    using var tar = new TarReader(gzip);
    while (files.Count < wanted.Count && tar.GetNextEntry() is { } entry)
    {
        if (!wanted.Contains(entry.Name) || entry.DataStream is null)
            continue;
        using var content = new MemoryStream();
        entry.DataStream.CopyTo(content);
        files[entry.Name] = content.ToArray();
    }

    var missing = wanted.Where(name => !files.ContainsKey(name)).ToArray();
    return missing.Length == 0 ? files : throw new FeedException($"{NpmPackage} lacks {string.Join(", ", missing)}");
}

// Entries carry a fixed time, so that the same input always gives the same file.
static void Write(Package package, Dictionary<string, byte[]> files, string path)
{
    using var zip = new ZipArchive(File.Create(path), ZipArchiveMode.Create);
    Add($"{package.Id}.nuspec", Encoding.UTF8.GetBytes(package.Nuspec));
    Add("[Content_Types].xml", Encoding.UTF8.GetBytes(
        """
        <?xml version="1.0" encoding="utf-8"?>
        <Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
          <Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml" />
          <Default Extension="nuspec" ContentType="application/octet" />
          <Default Extension="dll" ContentType="application/octet" />
          <Default Extension="txt" ContentType="text/plain" />
        </Types>
        """));
    Add("_rels/.rels", Encoding.UTF8.GetBytes(
        $"""
        <?xml version="1.0" encoding="utf-8"?>
        <Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
          <Relationship Type="http://schemas.microsoft.com/packaging/2010/07/manifest" Target="/{package.Id}.nuspec" Id="R1" />
        </Relationships>
        """));
    Add($"lib/{package.Framework}/{package.Id}.dll", files[package.Assembly]);
    Add("LICENSE.txt", files["package/LICENSE"]);
    Add("NOTICE.txt", files["package/NOTICE.txt"]);

    void Add(string name, byte[] content)
    {
        var entry = zip.CreateEntry(name, CompressionLevel.Optimal);
        entry.LastWriteTime = new DateTimeOffset(1980, 1, 1, 0, 0, 0, TimeSpan.Zero);
        using var stream = entry.Open();
        stream.Write(content);
    }
}

static Finished Run(string program, string directory, params string[] arguments)
{
    var start = new ProcessStartInfo(program, arguments)
    {
        WorkingDirectory = directory,
        RedirectStandardOutput = true,
        RedirectStandardError = true,
    };
    // Settings of the surrounding `dotnet run` must not reach the command.
    start.Environment.Remove("MSBUILD_EXE_PATH");
    start.Environment.Remove("MSBuildSDKsPath");
    try
    {
        using var process = Process.Start(start)!;
        var output = new StringBuilder();
        process.OutputDataReceived += (_, line) => Append(line.Data);
        process.ErrorDataReceived += (_, line) => Append(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        process.WaitForExit();
        return new Finished(process.ExitCode, output.ToString().Trim().Split('\n')[^1]);

        void Append(string? line)
        {
            lock (output)
                output.AppendLine(line);
        }
    }
    catch (System.ComponentModel.Win32Exception e)
    {
        throw new FeedException($"{program} cannot be started: {e.Message}");
    }
}

internal sealed record Dependency(string Id, string MinimumVersion);

internal sealed record Finished(int ExitCode, string LastLine);

internal sealed class FeedException(string message) : Exception(message);

internal sealed record Package(string Id, string Version, string Framework, string Licence, params Dependency[] Dependencies)
{
    public string Assembly => $"package/dist/{Id}.dll";

    public string FileName => $"{Id}.{Version}.nupkg".ToLowerInvariant();

    public string Nuspec
    {
        get
        {
            var authors = Id.StartsWith("OpenTelemetry", StringComparison.Ordinal) ? "OpenTelemetry Authors" : "Microsoft";
            var dependencies = string.Concat(Dependencies.Select(dependency =>
                $"""<dependency id="{dependency.Id}" version="{dependency.MinimumVersion}" exclude="Build,Analyzers" />"""));
            return $"""
                <?xml version="1.0" encoding="utf-8"?>
                <package xmlns="http://schemas.microsoft.com/packaging/2013/05/nuspec.xsd">
                  <metadata>
                    <id>{Id}</id>
                    <version>{Version}</version>
                    <authors>{authors}</authors>
                    <license type="expression">{Licence}</license>
                    <description>The unmodified assembly {Id}.dll {Version} in a package of its own.</description>
                    <dependencies><group targetFramework="{Framework}">{dependencies}</group></dependencies>
                  </metadata>
                </package>
                """;
        }
    }
}
