namespace Watch.Core.Watching;

// For people: how a subscription stands.
public sealed partial class Subscription
{
    /// <summary>What waits, all at one moment.</summary>
    internal QueueLook Look()
    {
        lock (Gate)
            return new QueueLook(Taken, _queue?.Events ?? 0, _queue?.Bytes ?? 0, _queue?.OldestWallMs, RoomWanted is not null);
    }
}

/// <summary>A subscription's queue at one moment.</summary>
internal readonly record struct QueueLook(Revision? Taken, int Events, long Bytes, long? OldestWallMs, bool WaitsForRoom);
