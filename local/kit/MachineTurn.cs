namespace Payments.Kit;

/// <summary>
/// A lock between processes of one clone. Test assemblies that start servers take turns, so that <c>dotnet test</c>, which runs assemblies side by side, gives
/// each the machine to itself. The system releases it when the process ends in any way.
/// </summary>
public sealed class MachineTurn : IDisposable
{
    private readonly FileStream _file;

    private MachineTurn(FileStream file) => _file = file;

    /// <summary>Waits until no other process holds the lock of this name, however long that takes.</summary>
    public static async Task<MachineTurn> WaitAsync(string name, CancellationToken ct = default)
    {
        var folder = Path.Combine(Repository.Data, "setup");
        Directory.CreateDirectory(folder);
        while (true)
        {
            try
            {
                return new MachineTurn(new FileStream(Path.Combine(folder, name + ".lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
            }
            catch (IOException)
            {
                await Task.Delay(200, ct);
            }
        }
    }

    public void Dispose() => _file.Dispose();
}
