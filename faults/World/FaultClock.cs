using System.IO.MemoryMappedFiles;

namespace Payments.Faults;

/// <summary>
/// The clock of a run: the system clock plus an offset that the run moves forward, plus a skew for each instance. Each instance reads its
/// offset from a file (<c>PAYMENTS_CLOCK</c>). The acquirer gets the offset through its control API.
/// </summary>
internal sealed class FaultClock : IDisposable
{
    private readonly string[] _files;
    private readonly MemoryMappedViewAccessor[] _views;
    private readonly TimeSpan[] _skews;
    private TimeSpan _offset;

    public FaultClock(string folder, int instances)
    {
        _files = [.. Enumerable.Range(0, instances).Select(instance => Path.Combine(folder, $"clock-{instance}"))];
        _skews = new TimeSpan[instances];
        _views = [.. _files.Select(file =>
        {
            File.WriteAllBytes(file, new byte[sizeof(long)]);
            return MemoryMappedFile.CreateFromFile(file, FileMode.Open).CreateViewAccessor();
        })];
    }

    /// <summary>How far the run's clock is ahead of the system clock.</summary>
    public TimeSpan Offset => _offset;

    public DateTimeOffset Now => TimeProvider.System.GetUtcNow() + _offset;

    public string FileOf(int instance) => _files[instance];

    public void Advance(TimeSpan by)
    {
        _offset += by;
        Write();
    }

    /// <summary>Sets how far an instance's clock is off.</summary>
    public void Skew(int instance, TimeSpan by)
    {
        _skews[instance] = by;
        Write();
    }

    public void Dispose()
    {
        foreach (var view in _views)
            view.Dispose();
    }

    private void Write()
    {
        for (var i = 0; i < _views.Length; i++)
            _views[i].Write(0, (_offset + _skews[i]).Ticks);
    }
}
