namespace Payments.Kit;

/// <summary>Files that hold secrets.</summary>
public static class PrivateFile
{
    /// <summary>Writes a file that only its owner can read. A reader sees the old content or the new, never a part.</summary>
    public static void Write(string file, string content)
    {
        var unfinished = file + ".tmp";
        File.Delete(unfinished);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using (var writer = new StreamWriter(unfinished, options))
            writer.Write(content);
        File.Move(unfinished, file, overwrite: true);
    }
}
