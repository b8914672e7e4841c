using System.Collections.Immutable;
using Orleans;
using Watch.Core;

namespace Watch;

/// <summary>Which watches are asked for.</summary>
[GenerateSerializer, Immutable, Alias("watch.WatchersQuestion")]
public sealed record WatchersQuestion
{
    /// <summary>How many each silo names at most, 1 to 10,000.</summary>
    public const int MaxLimit = 10_000;

    /// <summary>Only those of this silo, by <see cref="WatcherInfo.Silo"/>; null for all.</summary>
    [Id(0)]
    public string? Silo { get; init; }

    /// <summary>Only those whose target, as text, contains this; null for all.</summary>
    [Id(1)]
    public string? Target { get; init; }

    /// <summary>Only those that have something to deliver.</summary>
    [Id(2)]
    public bool Lagging { get; init; }

    /// <summary>How many each silo names at most.</summary>
    [Id(3)]
    public int Max { get; init; } = 1_000;
}

/// <summary>What silos say of their watches.</summary>
/// <param name="Watchers">The watches, by silo and number.</param>
/// <param name="Silent">The silos that did not answer.</param>
/// <param name="More">Whether some silo had more than were asked for.</param>
[GenerateSerializer, Immutable, Alias("watch.WatcherList")]
public sealed record WatcherList([property: Id(0)] ImmutableArray<WatcherInfo> Watchers, [property: Id(1)] ImmutableArray<string> Silent, [property: Id(2)] bool More);

/// <summary>One watch.</summary>
[GenerateSerializer, Immutable, Alias("watch.WatcherInfo")]
public sealed record WatcherInfo
{
    /// <summary>The silo that serves it.</summary>
    [Id(0)]
    public string Silo { get; init; } = "";

    /// <summary>Its number there.</summary>
    [Id(1)]
    public long Id { get; init; }

    /// <summary>Who watches: the client's name, or "in process".</summary>
    [Id(2)]
    public string Client { get; init; } = "";

    /// <summary>What it follows, in words.</summary>
    [Id(3)]
    public string Target { get; init; } = "";

    /// <summary>Where it stands: registering, catchingUp, live, parked or snapshotting.</summary>
    [Id(4)]
    public string State { get; init; } = "";

    /// <summary>Everything up to here is in its queue or taken.</summary>
    [Id(5)]
    public Revision Cursor { get; init; }

    /// <summary>How many events wait for its reader.</summary>
    [Id(6)]
    public int QueuedEvents { get; init; }

    /// <summary>How many bytes wait for its reader.</summary>
    [Id(7)]
    public long QueuedBytes { get; init; }

    /// <summary>What happens when its reader is slow.</summary>
    [Id(8)]
    public SlowPolicy WhenSlow { get; init; }

    /// <summary>How many events were left out so far.</summary>
    [Id(9)]
    public long Lagged { get; init; }

    /// <summary>How many revisions of the bucket it is behind.</summary>
    [Id(10)]
    public long LagRevisions { get; init; }

    /// <summary>For how many milliseconds the oldest event that waits has been waiting; 0 where none does.</summary>
    [Id(11)]
    public long LagMs { get; init; }

    /// <summary>Why it stands there, in words and with its numbers.</summary>
    [Id(12)]
    public string Why { get; init; } = "";

    /// <summary>How long ago it was asked for, in milliseconds.</summary>
    [Id(13)]
    public long AgeMs { get; init; }

    /// <summary>How long ago its reader last took something from its queue, in milliseconds; null where it has taken nothing.</summary>
    [Id(14)]
    public long? TakenAgoMs { get; init; }

    /// <summary>Its reader has taken everything up to here.</summary>
    [Id(15)]
    public Revision Taken { get; init; }
}
