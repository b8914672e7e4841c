using Watch.Core;
using Watch.Simulation.Tests.Workloads;

namespace Watch.Simulation.Tests.Watches;

/// <summary>Draws watches of every kind from the seed.</summary>
internal sealed class WatchDraw(Random random)
{
    private static readonly string[] s_prefixes = ["/", "/registers/", "/sets/", "/tree/", "/tree/a/", "/tree/b/c/"];
    private static readonly string[] s_beginnings = ["", "/", "/reg", "/tree/a", "/tree/a/1", "x", "x:", "/t"];
    private static readonly string[] s_globs = ["/tree/*/1", "/tree/**", "/tree/a/?", "x:*", "/*/*", "**/2", "/registers/?"];

    /// <summary>Whether there are dictionaries, too.</summary>
    public const bool Dictionaries = false;

    private const bool All = false;

    /// <summary>A watch.</summary>
    public WatchWish Wish()
    {
        if (!All)
            return new WatchWish { Target = random.Next(2) == 0 ? new Pattern.Below(s_prefixes[random.Next(s_prefixes.Length)]) : new Pattern.One(FlurryActor.Keys[random.Next(FlurryActor.Keys.Count)]), StartAt = random.Next(3) == 0 ? new Revision(1) : null, PreviousValues = random.Next(3) == 0, WhenSlow = SlowPolicy.Cancel, QueueEventsMax = random.Next(3) == 0 ? null : 1 + random.Next(48) };
        var policy = random.Next(10) switch { < 5 => SlowPolicy.Park, 5 => SlowPolicy.Cancel, 6 => SlowPolicy.DropOldest, 7 => SlowPolicy.DropNewest, _ => SlowPolicy.Latest };
        var snapshot = random.Next(4) == 0;
        return new WatchWish
        {
            Target = Target(),
            Snapshot = snapshot,
            StartAt = !snapshot && random.Next(3) == 0 ? new Revision(1) : null,
            Filter = Filter(),
            PreviousValues = random.Next(3) == 0,
            WhenSlow = policy,
            QueueEventsMax = random.Next(3) == 0 ? null : 1 + random.Next(48),
            ProgressInterval = random.Next(3) == 0 ? TimeSpan.FromMilliseconds(200 + random.Next(4000)) : null,
        };
    }

    /// <summary>How fast its reader is.</summary>
    public Pace Pace() => random.Next(4) switch { 0 or 1 => Watches.Pace.Steady, 2 => Watches.Pace.Bursts, _ => Watches.Pace.Stops };

    /// <summary>What its reader does beside reading.</summary>
    public WatchHabits Habits(WatchWish wish)
    {
        if (!All)
            return new WatchHabits(false, []);
        // A marker that counts what was lost says nothing exact across two targets or two registrations.
        var isExact = wish.WhenSlow is SlowPolicy.Park or SlowPolicy.Cancel;
        return new WatchHabits(isExact && random.Next(6) == 0, isExact && random.Next(5) == 0 ? [Target(), Target(), wish.Target] : []);
    }

    private EventFilter Filter()
    {
        if (random.Next(3) > 0)
            return EventFilter.None;
        var filter = EventFilter.None;
        foreach (var each in new[] { EventFilter.KeysOnly, EventFilter.OnlyChangedValue, random.Next(2) == 0 ? EventFilter.NoPuts : EventFilter.NoDeletes })
            if (random.Next(2) == 0)
                filter |= each;
        return filter;
    }

    /// <summary>Something to follow.</summary>
    public Pattern Target(bool nested = false) => random.Next(nested ? 5 : 8) switch
    {
        0 => new Pattern.One(random.Next(2) == 0 ? $"/registers/{random.Next(RegisterActor.Keys)}" : FlurryActor.Keys[random.Next(FlurryActor.Keys.Count)]),
        1 => new Pattern.Below(s_prefixes[random.Next(s_prefixes.Length)]),
        2 => new Pattern.Beginning(s_beginnings[random.Next(s_beginnings.Length)]),
        3 => Range(),
        4 => new Pattern.Like(s_globs[random.Next(s_globs.Length)]),
        5 => new Pattern.Everything(),
        _ => new Pattern.AnyOf([.. Enumerable.Range(0, 2 + random.Next(3)).Select(_ => Target(nested: true))]),
    };

    private Pattern.Between Range()
    {
        string[] ends = [FlurryActor.Keys[random.Next(FlurryActor.Keys.Count)], FlurryActor.Keys[random.Next(FlurryActor.Keys.Count)]];
        Array.Sort(ends, StringComparer.Ordinal);
        return new Pattern.Between(ends[0], ends[1] == ends[0] ? ends[1] + "0" : ends[1]);
    }
}
