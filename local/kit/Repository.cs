namespace Payments.Kit;

/// <summary>Where the clone and the programs built in it are.</summary>
public static class Repository
{
    /// <summary>The folder that holds <c>Functions.sln</c>.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>The configuration that the calling program was built in: its siblings are taken from the same.</summary>
    public static string Configuration { get; } = FindConfiguration();

    /// <summary>Everything that runs, tests and benchmarks keep; git ignores it.</summary>
    public static string Data => Path.Combine(Root, "local", ".data");

    /// <summary>The published app, as it is deployed. Callers run a copy of it.</summary>
    public static string PublishedApp => Path.Combine(Root, "functions", "bin", Configuration, "app");

    /// <summary>A program that was built from a project of the clone.</summary>
    /// <param name="project">The project's folder, such as <c>local/acquirer</c>.</param>
    /// <param name="assembly">The file name of its assembly.</param>
    public static string Built(string project, string assembly)
    {
        var file = Path.Combine(Root, project, "bin", Configuration, "net10.0", assembly);
        return File.Exists(file) ? file : throw new KitException($"{assembly} is not built: run 'dotnet build Functions.sln -c {Configuration}'.");
    }

    private static string FindRoot()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Functions.sln")))
            folder = Path.GetDirectoryName(folder) ?? throw new KitException($"Functions.sln is in no folder above {AppContext.BaseDirectory}.");
        return folder;
    }

    // <project>/bin/<configuration>/net10.0/
    private static string FindConfiguration()
    {
        var output = Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory))!;
        return Path.GetFileName(Path.GetDirectoryName(output)) == "bin" ? Path.GetFileName(output) : "Release";
    }
}
