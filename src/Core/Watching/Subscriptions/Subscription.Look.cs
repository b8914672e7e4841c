namespace Watch.Core.Watching;

// For people: how a subscription stands.
public sealed partial class Subscription
{
    /// <summary>When it was asked for, by the table's clock, in milliseconds.</summary>
    public long BegunMs { get; }

    /// <summary>Notes when something was taken, for people who ask. Whoever takes may say it.</summary>
    /// <param name="nowMs">The time, by the table's clock, in milliseconds.</param>
    public void NoteTaken(long nowMs)
    {
        lock (Gate)
            Queue.TakenMs = nowMs;
    }

    /// <summary>What waits, all at one moment.</summary>
    internal QueueLook Look()
    {
        lock (Gate)
            return new QueueLook(Taken, _queue?.Events ?? 0, _queue?.Bytes ?? 0, _queue?.OldestWallMs, _queue?.TakenMs, RoomWanted is not null);
    }
}

/// <summary>A subscription's queue at one moment.</summary>
internal readonly record struct QueueLook(Revision? Taken, int Events, long Bytes, long? OldestWallMs, long? TakenMs, bool WaitsForRoom);
