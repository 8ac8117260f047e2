using System.Buffers;
using System.Runtime.CompilerServices;
using Microsoft.Win32.SafeHandles;

namespace Payments.Acquirer;

/// <summary>
/// An append-only file of lines. Whatever was appended while the last batch was being flushed goes to the disk in the next,
/// so callers share flushes without waiting for a timer.
/// </summary>
internal sealed class JournalFile : IDisposable
{
    private const int ReadSize = 256 * 1024;

    private readonly object _gate = new();
    private readonly SafeFileHandle _file;
    private readonly bool _flushToDisk;
    private readonly Thread _writer;
    private ArrayBufferWriter<byte> _filling = new(ReadSize);
    private ArrayBufferWriter<byte> _spare = new(ReadSize);
    private TaskCompletionSource _batch = NewBatch();
    private long _end;
    private long _durableEnd;
    private bool _writing;
    private bool _stopping;
    private Exception? _failure;

    private JournalFile(SafeFileHandle file, bool flushToDisk)
    {
        _file = file;
        _flushToDisk = flushToDisk;
        _end = _durableEnd = RandomAccess.GetLength(file);
        _writer = new Thread(WriteBatches) { IsBackground = true, Name = "journal" };
    }

    /// <summary>Everything before this byte is on the disk.</summary>
    public long DurableEnd => Interlocked.Read(ref _durableEnd);

    /// <summary>Why the journal can take nothing more; null while it works.</summary>
    public Exception? Failure => Volatile.Read(ref _failure);

    /// <summary>Opens the file exclusively. Call <see cref="Start"/> once its lines have been read back.</summary>
    public static JournalFile Open(string path, bool flushToDisk)
    {
        try
        {
            var file = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, FileOptions.Asynchronous);
            return new JournalFile(file, flushToDisk);
        }
        catch (IOException problem)
        {
            throw new AcquirerSetupException($"the journal cannot be opened: {problem.Message}");
        }
    }

    /// <summary>Cuts what a crash left half-written behind <paramref name="end"/> and starts to take lines.</summary>
    public void Start(long end)
    {
        RandomAccess.SetLength(_file, end);
        _end = _durableEnd = end;
        _writer.Start();
    }

    /// <summary>
    /// Takes one line (without its line feed). The task ends when the line is durable; until then nobody may be told of it.
    /// </summary>
    public (long Offset, Task Durable) Append(ReadOnlySpan<byte> line)
    {
        lock (_gate)
        {
            if (_failure is not null)
                throw new IOException("The journal failed; nothing more is accepted.", _failure);
            var offset = _end;
            _filling.Write(line);
            _filling.Write("\n"u8);
            _end += line.Length + 1;
            if (!_flushToDisk)
            {
                // There is no flush to share: handing the line to the writer and back would cost more than writing it.
                WriteAtOnce();
                return (offset, Task.CompletedTask);
            }

            Monitor.PulseAll(_gate);
            return (offset, _batch.Task);
        }
    }

    private void WriteAtOnce()
    {
        try
        {
            RandomAccess.Write(_file, _filling.WrittenSpan, _durableEnd);
            Interlocked.Add(ref _durableEnd, _filling.WrittenCount);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            Volatile.Write(ref _failure, problem);
            throw;
        }
        finally
        {
            _filling.ResetWrittenCount();
        }
    }

    /// <summary>Ends when everything appended so far is durable.</summary>
    public Task FlushedAsync()
    {
        lock (_gate)
            return _filling.WrittenCount > 0 || _writing ? _batchOfLastByte() : Task.CompletedTask;

        // An empty buffer while a batch is being written means that the last byte belongs to that batch.
        Task _batchOfLastByte() => _filling.WrittenCount > 0 ? _batch.Task : _underWay!.Task;
    }

    private TaskCompletionSource? _underWay;

    /// <summary>Reads durable lines from an offset that starts a line. A line's memory is valid until the next one is asked for.</summary>
    public async IAsyncEnumerable<(long Offset, ReadOnlyMemory<byte> Line)> ReadAsync(long from, [EnumeratorCancellation] CancellationToken ct)
    {
        var end = DurableEnd;
        var buffer = new byte[ReadSize];
        var have = 0;
        var position = from;
        while (true)
        {
            var wanted = (int)Math.Min(buffer.Length - have, end - position - have);
            var read = wanted <= 0 ? 0 : await RandomAccess.ReadAsync(_file, buffer.AsMemory(have, wanted), position + have, ct);
            if (read == 0)
                yield break;
            have += read;
            var start = 0;
            while (buffer.AsSpan(start, have - start).IndexOf((byte)'\n') is var length and >= 0)
            {
                yield return (position + start, buffer.AsMemory(start, length));
                start += length + 1;
            }
            position += start;
            have -= start;
            buffer.AsSpan(start, have).CopyTo(buffer);
            if (have == buffer.Length)
                Array.Resize(ref buffer, buffer.Length * 2);
        }
    }

    /// <summary>Reads one durable line again.</summary>
    public async ValueTask<byte[]> ReadLineAsync(long offset, int length, CancellationToken ct)
    {
        var line = new byte[length];
        var have = 0;
        while (have < length)
        {
            var read = await RandomAccess.ReadAsync(_file, line.AsMemory(have), offset + have, ct);
            if (read == 0)
                throw new EndOfStreamException("The journal is shorter than it was.");
            have += read;
        }
        return line;
    }

    /// <summary>Forgets everything. The caller keeps others from appending meanwhile.</summary>
    public void Clear()
    {
        lock (_gate)
        {
            while (_filling.WrittenCount > 0 || _writing)
                Monitor.Wait(_gate);
            RandomAccess.SetLength(_file, 0);
            _end = 0;
            Interlocked.Exchange(ref _durableEnd, 0);
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _stopping = true;
            Monitor.PulseAll(_gate);
        }
        if (!_writer.ThreadState.HasFlag(ThreadState.Unstarted))
            _writer.Join();
        _file.Dispose();
    }

    private void WriteBatches()
    {
        while (true)
        {
            ArrayBufferWriter<byte> bytes;
            TaskCompletionSource batch;
            lock (_gate)
            {
                while (_filling.WrittenCount == 0 && !_stopping)
                    Monitor.Wait(_gate);
                if (_filling.WrittenCount == 0)
                    return;
                (bytes, _filling) = (_filling, _spare);
                (batch, _batch) = (_batch, NewBatch());
                _underWay = batch;
                _writing = true;
            }
            Exception? failure = null;
            try
            {
                RandomAccess.Write(_file, bytes.WrittenSpan, _durableEnd);
                if (_flushToDisk)
                    RandomAccess.FlushToDisk(_file);
            }
            catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
            {
                failure = problem;
            }
            lock (_gate)
            {
                if (failure is null)
                    Interlocked.Add(ref _durableEnd, bytes.WrittenCount);
                else
                    Volatile.Write(ref _failure, failure);
                bytes.ResetWrittenCount();
                _spare = bytes;
                _writing = false;
                Monitor.PulseAll(_gate);
            }
            if (failure is null)
            {
                batch.SetResult();
                continue;
            }
            batch.SetException(failure);
            lock (_gate)
            {
                // Lines that came meanwhile will never be written either; their callers must not wait for ever.
                _batch.TrySetException(failure);
                _filling.ResetWrittenCount();
                return;
            }
        }
    }

    private static TaskCompletionSource NewBatch() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
