namespace Watch.Core.Watching;

// What most subscriptions never have, or not for long: one object, made when the first of it is needed.
public sealed partial class Subscription
{
    private RareState? _rare;

    /// <summary>The last change of its targets, if there was one.</summary>
    internal Retargeted? Retargeted
    {
        get => _rare?.Retargeted;
        set => Rare.Retargeted = value;
    }

    /// <summary>Its reading of history, from the first time it needs one.</summary>
    internal HistoryReader? Reader
    {
        get => _rare?.Reader;
        set
        {
            if (value is not null || _rare is not null)
                Rare.Reader = value;
        }
    }

    /// <summary>Its reading of the keys as they are, while it does.</summary>
    internal SnapshotReader? Snapshot
    {
        get => _rare?.Snapshot;
        set
        {
            if (value is not null || _rare is not null)
                Rare.Snapshot = value;
        }
    }

    /// <summary>Its attempts to register, from the first failure.</summary>
    internal RegistrationRetry? Retry
    {
        get => _rare?.Retry;
        set
        {
            if (value is not null || _rare is not null)
                Rare.Retry = value;
        }
    }

    /// <summary>What it is told about how far it is; null where nobody asked.</summary>
    internal Freshness? Freshness
    {
        get => _rare?.Freshness;
        set => Rare.Freshness = value;
    }

    /// <summary>Whether it has to join, but waits for its consumer: no recent revisions are kept for it.</summary>
    internal bool Rests
    {
        get => _rare is { Rests: true };
        set
        {
            if (value || _rare is not null)
                Rare.Rests = value;
        }
    }

    /// <summary>Whether replay can go on now. If not, the table is told once the consumer has made room for this much.</summary>
    internal bool HasRoomOrWaits(int events, long bytes)
    {
        lock (Gate)
        {
            var hasRoom = HasRoom(events, bytes);
            RoomWanted = hasRoom ? null : (events, bytes);
            return hasRoom;
        }
    }

    // The room that replay waits for.
    private (int Events, long Bytes)? RoomWanted
    {
        get => _rare?.RoomWanted;
        set
        {
            if (value is not null || _rare is not null)
                Rare.RoomWanted = value;
        }
    }

    // Some of it belongs to the table and some to the lock: whoever comes first makes it for both.
    private RareState Rare => Volatile.Read(ref _rare) is { } there ? there : Interlocked.CompareExchange(ref _rare, new RareState(), null) ?? _rare!;

    private sealed class RareState
    {
        public bool Rests { get; set; }

        public Retargeted? Retargeted { get; set; }

        public HistoryReader? Reader { get; set; }

        public SnapshotReader? Snapshot { get; set; }

        public RegistrationRetry? Retry { get; set; }

        public Freshness? Freshness { get; set; }

        public (int Events, long Bytes)? RoomWanted { get; set; }

        public WatchPart.Progress? Progress { get; set; }

        public WatchPart.Stale? Stale { get; set; }

        public WatchPart.Progress? Withheld { get; set; }
    }
}
