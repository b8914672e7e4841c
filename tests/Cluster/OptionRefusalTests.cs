using System.Globalization;
using Watch.Core;

namespace Watch.Cluster.Tests;

/// <summary>
/// Every option and every kind of target has a value that makes no sense: each is refused when the watch is registered, by code, with the
/// value or what is allowed in the message, from inside and outside, as a stream and as an observer; and none of them counts as a watch.
/// </summary>
public sealed class OptionRefusalTests(SharedCluster shared) : IClassFixture<SharedCluster>
{
    private static readonly WatchTarget s_key = WatchTarget.Key("/k");

    private static readonly Dictionary<string, (WatchTarget Target, WatchOptions Options, WatchErrorCode Code, string Says)> s_bad = new(StringComparer.Ordinal)
    {
        ["no key"] = (WatchTarget.Key(Key.Empty), new(), WatchErrorCode.InvalidKey, "key"),
        ["a key that is too long"] = (WatchTarget.Key(new string('k', 4_097)), new(), WatchErrorCode.InvalidKey, "4096"),
        ["a prefix without its last slash"] = (WatchTarget.Prefix("/a"), new(), WatchErrorCode.InvalidPrefix, "/a"),
        ["a prefix without its first slash"] = (WatchTarget.Prefix("a/"), new(), WatchErrorCode.InvalidPrefix, "a/"),
        ["a prefix that is too deep"] = (WatchTarget.Prefix(string.Concat(Enumerable.Repeat("/a", 33)) + "/"), new(), WatchErrorCode.InvalidPrefix, "32"),
        ["any prefix that is too long"] = (WatchTarget.AnyPrefix(new string('k', 4_097)), new(), WatchErrorCode.InvalidKey, "4096"),
        ["a range without keys"] = (WatchTarget.Range("/b", "/b"), new(), WatchErrorCode.InvalidTarget, "range"),
        ["a range that goes back"] = (WatchTarget.Range("/b", "/a"), new(), WatchErrorCode.InvalidTarget, "range"),
        ["an empty pattern"] = (WatchTarget.Glob(""), new(), WatchErrorCode.InvalidTarget, "0 bytes"),
        ["a pattern with an open bracket"] = (WatchTarget.Glob("/a/[b"), new(), WatchErrorCode.InvalidTarget, "/a/[b"),
        ["a pattern that ends in a backslash"] = (WatchTarget.Glob("/a\\"), new(), WatchErrorCode.InvalidTarget, "/a"),
        ["a pattern that is too long"] = (WatchTarget.Glob(new string('a', 1_025)), new(), WatchErrorCode.InvalidTarget, "1024"),
        ["several of nothing"] = (WatchTarget.Several(), new(), WatchErrorCode.InvalidTarget, "target"),
        ["too many targets"] = (WatchTarget.Several([.. Enumerable.Range(0, 257).Select(at => WatchTarget.Key(string.Create(CultureInfo.InvariantCulture, $"/k{at}")))]), new(), WatchErrorCode.InvalidTarget, "256"),
        ["several among several"] = (WatchTarget.Several(s_key, WatchTarget.Several(s_key)), new(), WatchErrorCode.InvalidTarget, "several"),
        ["a bad one among several"] = (WatchTarget.Several(s_key, WatchTarget.Prefix("/a")), new(), WatchErrorCode.InvalidPrefix, "/a"),
        ["a kind of target that there is not"] = (new WatchTarget((WatchTargetKind)77, Key.Of("/k")), new(), WatchErrorCode.InvalidTarget, "77"),
        ["a part that is too long"] = (WatchTarget.Several(s_key, WatchTarget.Key(new string('k', 4_097))), new(), WatchErrorCode.InvalidKey, "4096"),
        ["an end that is too long"] = (WatchTarget.Range("/a", new string('k', 4_097)), new(), WatchErrorCode.InvalidKey, "4096"),
        ["a key with an end"] = (new WatchTarget(WatchTargetKind.Key, Key.Of("/k"), Key.Of("/l")), new(), WatchErrorCode.InvalidTarget, "end"),
        ["a prefix with parts"] = (new WatchTarget(WatchTargetKind.Prefix, Key.Of("/k/"), null, [s_key]), new(), WatchErrorCode.InvalidTarget, "parts"),
        ["a bucket with text"] = (new WatchTarget(WatchTargetKind.Bucket, Key.Of("/k")), new(), WatchErrorCode.InvalidTarget, "/k"),
        ["several with text"] = (new WatchTarget(WatchTargetKind.Several, Key.Of("/k"), null, [s_key]), new(), WatchErrorCode.InvalidTarget, "/k"),
        ["several with an end"] = (new WatchTarget(WatchTargetKind.Several, Key.Empty, Key.Of("/k"), [s_key]), new(), WatchErrorCode.InvalidTarget, "end"),
        ["nothing among several"] = (new WatchTarget(WatchTargetKind.Several, Key.Empty, null, [s_key, null!]), new(), WatchErrorCode.InvalidTarget, "missing"),
        ["a bad one with a field of another kind among several"] = (WatchTarget.Several(s_key, new WatchTarget(WatchTargetKind.Glob, Key.Of("/*"), Key.Of("/k"))), new(), WatchErrorCode.InvalidTarget, "end"),
        ["a start before the beginning"] = (s_key, new() { StartAt = new Revision(-1) }, WatchErrorCode.InvalidOption, "-1"),
        ["a cursor at the end of time"] = (s_key, new() { From = new WatchCursor(new string('0', 32), BucketId.Default, new Revision(long.MaxValue), 0) }, WatchErrorCode.InvalidCursor, "9223372036854775807"),
        ["a cursor before the beginning"] = (s_key, new() { From = new WatchCursor(new string('0', 32), BucketId.Default, new Revision(-2), 0) }, WatchErrorCode.InvalidCursor, "-2"),
        ["a queue without room"] = (s_key, new() { QueueEventsMax = 0 }, WatchErrorCode.InvalidOption, "1000000"),
        ["a queue that is too large"] = (s_key, new() { QueueEventsMax = 1_000_001 }, WatchErrorCode.InvalidOption, "1000001"),
        ["a queue without bytes"] = (s_key, new() { QueueBytesMax = 0 }, WatchErrorCode.InvalidOption, "bytes"),
        ["a queue of too many bytes"] = (s_key, new() { QueueBytesMax = (1L << 30) + 1 }, WatchErrorCode.InvalidOption, "1073741825"),
        ["a policy that there is not"] = (s_key, new() { WhenSlow = (SlowPolicy)9 }, WatchErrorCode.InvalidOption, "9"),
        ["a filter that there is not"] = (s_key, new() { Filter = (EventFilter)64 }, WatchErrorCode.InvalidOption, "64"),
        ["a filter that leaves nothing"] = (s_key, new() { Filter = EventFilter.NoPuts | EventFilter.NoDeletes }, WatchErrorCode.InvalidOption, "filter"),
        ["progress too often"] = (s_key, new() { ProgressInterval = TimeSpan.FromMilliseconds(99) }, WatchErrorCode.InvalidOption, "99"),
        ["progress too seldom"] = (s_key, new() { ProgressInterval = TimeSpan.FromHours(1.1) }, WatchErrorCode.InvalidOption, "3600000"),
        ["stale too soon"] = (s_key, new() { StaleAfter = TimeSpan.FromMilliseconds(1) }, WatchErrorCode.InvalidOption, "1"),
        ["stale too late"] = (s_key, new() { StaleAfter = TimeSpan.FromHours(2) }, WatchErrorCode.InvalidOption, "Stale"),
        ["a snapshot and a start"] = (s_key, new() { Snapshot = true, StartAt = new Revision(1) }, WatchErrorCode.InvalidOption, "snapshot"),
    };

    private readonly WatchCluster _cluster = shared.Cluster;

    /// <summary>Each of them, from both places.</summary>
    public static TheoryData<Origin, string> All()
    {
        var all = new TheoryData<Origin, string>();
        foreach (var what in s_bad.Keys)
        {
            all.Add(Origin.Hosted, what);
            all.Add(Origin.Remote, what);
        }

        return all;
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task What_makes_no_sense_is_refused_by_name_and_counts_nowhere(Origin origin, string what)
    {
        var (target, options, code, says) = s_bad[what];
        var before = await _cluster.CountWatchersAsync();

        var read = await Assert.ThrowsAsync<WatchException>(() => _cluster.Of(origin).WatchAsync(target, options));
        var pushed = await Assert.ThrowsAsync<WatchException>(() => _cluster.Of(origin).SubscribeAsync(target, new RecordingObserver(), options));

        Assert.Equal((code, code), (read.Code, pushed.Code));
        Assert.Contains(says, read.Message, StringComparison.OrdinalIgnoreCase);
        Assert.Equal(before, await _cluster.CountWatchersAsync());
    }

    [Theory, BothOrigins]
    public async Task What_is_just_within_its_limits_is_served(Origin origin)
    {
        (WatchTarget, WatchOptions)[] good =
        [
            (s_key, new() { QueueEventsMax = 1, QueueBytesMax = 1 }),
            (s_key, new() { QueueEventsMax = 1_000_000, QueueBytesMax = 1L << 30, ProgressInterval = TimeSpan.FromHours(1) }),
            (s_key, new() { ProgressInterval = TimeSpan.FromMilliseconds(100), Filter = EventFilter.KeysOnly | EventFilter.NoDeletes | EventFilter.OnlyChangedValue }),
            (WatchTarget.Glob(new string('a', 1_024)), new() { WhenSlow = SlowPolicy.DropNewest }),
            (WatchTarget.Several([.. Enumerable.Range(0, 256).Select(at => WatchTarget.Key(string.Create(CultureInfo.InvariantCulture, $"/k{at}")))]), new() { WhenSlow = SlowPolicy.Latest }),
            (WatchTarget.AnyPrefix(""), new() { WhenSlow = SlowPolicy.DropOldest }),
            (WatchTarget.Range("/a", null), new() { Snapshot = true }),
        ];
        var before = await _cluster.CountWatchersAsync();
        foreach (var (target, options) in good)
        {
            await using var watch = await _cluster.Of(origin).WatchAsync(target, options);
            await _cluster.WatchersComeToAsync(before + 1);
        }

        await _cluster.WatchersComeToAsync(before);
    }
}
