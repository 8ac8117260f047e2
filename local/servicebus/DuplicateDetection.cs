namespace Payments.Local.ServiceBus;

/// <summary>The message ids of the last window. An id is forgotten one window after it was first seen.</summary>
internal sealed class DuplicateDetection(TimeSpan window)
{
    private readonly HashSet<string> _ids = [];
    private readonly Queue<(string Id, DateTime Until)> _inOrder = new();

    /// <summary>True for a new id, which is then remembered until the time given back.</summary>
    public bool TryAccept(string messageId, DateTime now, out DateTime until)
    {
        until = now + window;
        while (_inOrder.TryPeek(out var oldest) && oldest.Until <= now)
            _ids.Remove(_inOrder.Dequeue().Id);
        return Restore(messageId, until);
    }

    public bool Restore(string messageId, DateTime until)
    {
        if (!_ids.Add(messageId))
            return false;
        _inOrder.Enqueue((messageId, until));
        return true;
    }
}
