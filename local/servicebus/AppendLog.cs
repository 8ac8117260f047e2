using System.Text;

namespace Payments.Local.ServiceBus;

/// <summary>What the log knew of one entity when the double started.</summary>
internal sealed class RecoveredEntity
{
    public long LastSequenceNumber { get; set; }
    public SortedDictionary<long, StoredMessage> Messages { get; } = [];
    public Dictionary<string, byte[]> SessionStates { get; } = [];
    public List<(string MessageId, DateTime Until)> SeenIds { get; } = [];
}

/// <summary>
/// Changes that must be on file together: a crash keeps all of a frame or none of it, so a message on its way to the
/// dead-letter queue is never in both queues or in neither.
/// </summary>
internal sealed class LogFrame : IDisposable
{
    public enum Record : byte { Put = 1, Remove, SessionState, SeenId, LastSequenceNumber }

    private readonly MemoryStream _buffer = new();
    private readonly BinaryWriter _writer;

    public LogFrame()
    {
        _writer = new BinaryWriter(_buffer, Encoding.UTF8);
        Clear();
    }

    public bool IsEmpty => _buffer.Length == sizeof(int);

    public void Clear()
    {
        _buffer.SetLength(0);
        _writer.Write(0);
    }

    /// <summary>The frame with its length in front.</summary>
    public ReadOnlySpan<byte> Finish()
    {
        var length = (int)_buffer.Length;
        _buffer.Position = 0;
        _writer.Write(length - sizeof(int));
        _buffer.Position = length;
        return _buffer.GetBuffer().AsSpan(0, length);
    }

    public void Put(string entity, StoredMessage message)
    {
        Begin(Record.Put, entity);
        _writer.Write(message.SequenceNumber);
        _writer.Write(message.EnqueuedSequenceNumber);
        _writer.Write(message.EnqueuedAt.Ticks);
        _writer.Write(message.ScheduledFor?.Ticks ?? 0);
        _writer.Write(message.ExpiresAt?.Ticks ?? 0);
        _writer.Write(message.FailedDeliveries);
        _writer.Write(message.State is MessageState.Deferred or MessageState.DeferredLocked);
        WriteText(message.MessageId);
        WriteText(message.SessionId);
        WriteText(message.DeadLetterSource);
        WriteBytes(message.Bytes);
    }

    public void Remove(string entity, long sequenceNumber)
    {
        Begin(Record.Remove, entity);
        _writer.Write(sequenceNumber);
    }

    public void SessionState(string entity, string sessionId, byte[]? state)
    {
        Begin(Record.SessionState, entity);
        _writer.Write(sessionId);
        _writer.Write(state is not null);
        WriteBytes(state ?? []);
    }

    public void SeenId(string entity, string messageId, DateTime until)
    {
        Begin(Record.SeenId, entity);
        _writer.Write(messageId);
        _writer.Write(until.Ticks);
    }

    public void LastSequenceNumber(string entity, long sequenceNumber)
    {
        Begin(Record.LastSequenceNumber, entity);
        _writer.Write(sequenceNumber);
    }

    public void Dispose() => _writer.Dispose();

    private void Begin(Record record, string entity)
    {
        _writer.Write((byte)record);
        _writer.Write(entity);
    }

    private void WriteText(string? text)
    {
        _writer.Write(text is not null);
        _writer.Write(text ?? "");
    }

    private void WriteBytes(byte[] bytes)
    {
        _writer.Write(bytes.Length);
        _writer.Write(bytes);
    }
}

/// <summary>
/// The file behind a durable double: frames appended as things happen, rewritten without its history at every start.
/// </summary>
internal sealed class AppendLog : IDisposable
{
    private readonly FileStream _file;
    private readonly Lock _gate = new();

    private AppendLog(FileStream file, Dictionary<string, RecoveredEntity> recovered)
    {
        _file = file;
        Recovered = recovered;
    }

    /// <summary>The contents at the start, by entity; an entity takes its own when it is declared.</summary>
    public IReadOnlyDictionary<string, RecoveredEntity> Recovered { get; }

    public static AppendLog Open(string path)
    {
        var recovered = Read(path);
        var fresh = path + ".new";
        using (var file = new FileStream(fresh, FileMode.Create, FileAccess.Write, FileShare.None))
            WriteSnapshot(file, recovered);
        File.Move(fresh, path, overwrite: true);
        // No buffer of its own: an append that returned has left the process.
        return new AppendLog(new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.Read, bufferSize: 0), recovered);
    }

    public void Append(LogFrame frame)
    {
        var bytes = frame.Finish();
        lock (_gate)
            _file.Write(bytes);
    }

    public void Dispose()
    {
        lock (_gate)
            _file.Dispose();
    }

    private static Dictionary<string, RecoveredEntity> Read(string path)
    {
        var entities = new Dictionary<string, RecoveredEntity>(StringComparer.OrdinalIgnoreCase);
        if (!File.Exists(path))
            return entities;
        using var file = File.OpenRead(path);
        using var lengths = new BinaryReader(file, Encoding.UTF8);
        while (file.Length - file.Position >= sizeof(int))
        {
            var length = lengths.ReadInt32();
            // A process that died while it wrote leaves a torn last frame. It was never acknowledged: drop it.
            if (length > file.Length - file.Position)
                break;
            using var frame = new BinaryReader(new MemoryStream(lengths.ReadBytes(length)), Encoding.UTF8);
            while (frame.BaseStream.Position < length)
                Apply(frame, entities);
        }
        return entities;
    }

    private static void Apply(BinaryReader frame, Dictionary<string, RecoveredEntity> entities)
    {
        var record = (LogFrame.Record)frame.ReadByte();
        var name = frame.ReadString();
        if (!entities.TryGetValue(name, out var entity))
            entities[name] = entity = new RecoveredEntity();
        switch (record)
        {
            case LogFrame.Record.Put:
                var message = ReadMessage(frame);
                entity.Messages[message.SequenceNumber] = message;
                entity.LastSequenceNumber = Math.Max(entity.LastSequenceNumber, message.SequenceNumber);
                break;
            case LogFrame.Record.Remove:
                entity.Messages.Remove(frame.ReadInt64());
                break;
            case LogFrame.Record.SessionState:
                var (session, isSet, state) = (frame.ReadString(), frame.ReadBoolean(), ReadBytes(frame));
                if (isSet)
                    entity.SessionStates[session] = state;
                else
                    entity.SessionStates.Remove(session);
                break;
            case LogFrame.Record.SeenId:
                entity.SeenIds.Add((frame.ReadString(), ReadTime(frame) ?? DateTime.MinValue));
                break;
            case LogFrame.Record.LastSequenceNumber:
                entity.LastSequenceNumber = Math.Max(entity.LastSequenceNumber, frame.ReadInt64());
                break;
            default:
                throw new InvalidDataException($"The data file holds a record of an unknown kind, {(byte)record}.");
        }
    }

    private static void WriteSnapshot(FileStream file, Dictionary<string, RecoveredEntity> entities)
    {
        using var frame = new LogFrame();
        void Flush()
        {
            file.Write(frame.Finish());
            frame.Clear();
        }
        foreach (var (name, entity) in entities)
        {
            frame.LastSequenceNumber(name, entity.LastSequenceNumber);
            foreach (var (session, state) in entity.SessionStates)
                frame.SessionState(name, session, state);
            foreach (var (id, until) in entity.SeenIds)
                frame.SeenId(name, id, until);
            Flush();
            foreach (var message in entity.Messages.Values)
            {
                frame.Put(name, message);
                Flush();
            }
        }
    }

    private static StoredMessage ReadMessage(BinaryReader frame)
    {
        var (sequence, enqueuedSequence) = (frame.ReadInt64(), frame.ReadInt64());
        var (enqueued, scheduled, expires) = (ReadTime(frame), ReadTime(frame), ReadTime(frame));
        var (failures, deferred) = (frame.ReadInt32(), frame.ReadBoolean());
        var (messageId, sessionId, source) = (ReadText(frame), ReadText(frame), ReadText(frame));
        return new StoredMessage
        {
            Bytes = ReadBytes(frame),
            EnqueuedAt = enqueued ?? DateTime.MinValue,
            SequenceNumber = sequence,
            EnqueuedSequenceNumber = enqueuedSequence,
            ScheduledFor = scheduled,
            ExpiresAt = expires,
            FailedDeliveries = failures,
            MessageId = messageId,
            SessionId = sessionId,
            DeadLetterSource = source,
            State = deferred ? MessageState.Deferred : MessageState.New,
        };
    }

    private static DateTime? ReadTime(BinaryReader frame) =>
        frame.ReadInt64() is var ticks and not 0 ? new DateTime(ticks, DateTimeKind.Utc) : null;

    private static string? ReadText(BinaryReader frame)
    {
        var (isSet, text) = (frame.ReadBoolean(), frame.ReadString());
        return isSet ? text : null;
    }

    private static byte[] ReadBytes(BinaryReader frame) => frame.ReadBytes(frame.ReadInt32());
}
