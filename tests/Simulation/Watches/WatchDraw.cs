using Watch.Core;
using Watch.Simulation.Tests.Workloads;

namespace Watch.Simulation.Tests.Watches;

/// <summary>Draws watches of every kind from the seed.</summary>
internal sealed class WatchDraw(Random random)
{
    private static readonly string[] s_prefixes = ["/", "/registers/", "/sets/", "/tree/", "/tree/a/", "/tree/b/c/"];
    private static readonly string[] s_beginnings = ["", "/", "/reg", "/tree/a", "/tree/a/1", "x", "x:", "/t"];
    private static readonly string[] s_globs = ["/tree/*/1", "/tree/**", "/tree/a/?", "x:*", "/*/*", "**/2", "/registers/?"];

    private static readonly SlowPolicy[] s_policies = [SlowPolicy.Park, SlowPolicy.Cancel, SlowPolicy.DropOldest, SlowPolicy.DropNewest, SlowPolicy.Latest];
    private static readonly HashSet<string> s_served = ["progress", "leaves", "snapshots", "retargets", "dictionaries"];

    /// <summary>Whether there are dictionaries, too.</summary>
    public static bool Dictionaries => s_served.Contains("dictionaries");

    /// <summary>A watch.</summary>
    public WatchWish Wish()
    {
        var policy = random.Next(10) switch { < 5 => SlowPolicy.Park, 5 => SlowPolicy.Cancel, 6 => SlowPolicy.DropOldest, 7 => SlowPolicy.DropNewest, _ => SlowPolicy.Latest };
        if (!s_policies.Contains(policy))
            policy = SlowPolicy.Park;
        var snapshot = random.Next(4) == 0 && s_served.Contains("snapshots");
        var filter = Filter();
        return new WatchWish
        {
            Target = Target(),
            Snapshot = snapshot,
            StartAt = !snapshot && random.Next(3) == 0 ? new Revision(1) : null,
            Filter = filter,
            PreviousValues = random.Next(3) == 0 && !filter.HasFlag(EventFilter.KeysOnly),
            WhenSlow = policy,
            QueueEventsMax = random.Next(3) == 0 ? null : 1 + random.Next(48),
            ProgressInterval = random.Next(3) == 0 && s_served.Contains("progress") ? TimeSpan.FromMilliseconds(200 + random.Next(4000)) : null,
            StaleAfter = random.Next(5) == 0 ? TimeSpan.FromMilliseconds(2_000 + random.Next(9_000)) : null,
        };
    }

    /// <summary>How fast its reader is.</summary>
    public Pace Pace() => random.Next(4) switch { 0 or 1 => Watches.Pace.Steady, 2 => Watches.Pace.Bursts, _ => Watches.Pace.Stops };

    /// <summary>What its reader does beside reading.</summary>
    public WatchHabits Habits(WatchWish wish)
    {
        // A marker that counts what was lost says nothing exact across two targets or two registrations.
        var isExact = wish.WhenSlow is SlowPolicy.Park or SlowPolicy.Cancel;
        return new WatchHabits(isExact && random.Next(6) == 0 && s_served.Contains("leaves"), isExact && random.Next(5) == 0 && s_served.Contains("retargets") ? [Target(), Target(), wish.Target] : [], Fidgets: random.Next(4) == 0);
    }

    private EventFilter Filter()
    {
        if (random.Next(3) > 0)
            return EventFilter.None;
        var filter = random.Next(3) switch { 0 => EventFilter.NoPuts, 1 => EventFilter.NoDeletes, _ => EventFilter.None };
        if (random.Next(2) == 0)
            filter |= EventFilter.KeysOnly;
        if (!filter.HasFlag(EventFilter.NoPuts) && random.Next(2) == 0)
            filter |= EventFilter.OnlyChangedValue;
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
