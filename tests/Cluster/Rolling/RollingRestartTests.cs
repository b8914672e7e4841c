using System.Collections.Immutable;
using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Orleans.TestingHost;
using Watch.Core;
using Watch.Simulation.Tests.Watches;
using Xunit.Abstractions;

namespace Watch.Cluster.Tests.Rolling;

/// <summary>
/// All silos of a cluster are restarted, one after the other, while 500 writes a second go on and 200 watchers of all kinds follow. Those
/// outside have to go on by themselves; a service in a silo ends with its silo, is told so, and begins anew with it. Each is judged
/// afterwards, from its registration to its end, by matching code that shares nothing with the product.
/// </summary>
public sealed class RollingRestartTests(ITestOutputHelper output)
{
    private const int Outside = 140;
    private const int InEachSilo = 20;
    private const int WritesBetween = 500;

    [Fact]
    public async Task No_watcher_of_any_kind_misses_repeats_or_reorders_anything_while_all_silos_are_restarted_under_writes()
    {
        var seed = Environment.GetEnvironmentVariable("WATCH_TEST_SEED") is { Length: > 0 } given ? int.Parse(given, CultureInfo.InvariantCulture) : Environment.TickCount;
        output.WriteLine($"seed {seed} (again with WATCH_TEST_SEED={seed}; the schedule is the machine's)");
        await using var cluster = await WatchCluster.StartAsync();
        await cluster.MakeAllVotersAsync();
        var writers = new SteadyWriters(cluster.Client, seed);
        var watchers = new List<IJudged>();
        writers.Begin();
        watchers.AddRange(await Task.WhenAll(Kinds(seed).Take(Outside).Select((wish, at) => BeginAsync(cluster.Client, $"watcher {at} outside", wish, at, isOutside: true))));
        foreach (var silo in cluster.Silos)
            watchers.AddRange(await BeginServiceAsync(cluster, silo, seed));
        var first = watchers.Skip(Outside).ToList();

        foreach (var name in cluster.Silos.Select(silo => silo.Name).ToList())
        {
            await writers.PassAsync(WritesBetween);
            var silo = cluster.Silos.Single(each => each.Name == name);
            await cluster.Host.StopSiloAsync(silo);
            await cluster.Host.RestartSiloAsync(silo);
            await AllAnswerAsync(cluster);
            watchers.AddRange(await BeginServiceAsync(cluster, cluster.Silos.Single(each => each.Name == name), seed + watchers.Count));
        }

        await writers.PassAsync(WritesBetween);
        await writers.StopAsync();
        var history = await writers.HistoryAsync();
        foreach (var each in watchers)
            await ReachesEndAsync(cluster, each, history);
        output.WriteLine($"{writers}; {history.Count} changes; {watchers.Sum(each => each.CountEvents())} events to {watchers.Count} watchers");

        NothingIn(watchers.Select(each => each.Judge(history)).OfType<string>());
        NothingIn(watchers.Except(first).Where(each => each.End is not null && !each.WasSlow).Select(each => $"the {each} ended with {each.End}"));
        // Every silo was restarted, so every service that was there at the beginning was told so.
        NothingIn(first.Where(each => each.End != WatchEndReason.ServerStopping && !each.WasSlow).Select(each => $"the {each} ended with {each.End}"));

        // And would it not be so, it would have been noticed.
        var whole = watchers.OfType<JudgedWatcher>().Select(each => each.Record)
            .First(each => each is { Wish: { ProgressInterval: null, Snapshot: false, WhenSlow: SlowPolicy.Park }, IsRetargeted: false } && each.Batches.Any(HasSeveral));
        foreach (var spoil in new Func<ImmutableArray<WatchEvent>, ImmutableArray<WatchEvent>>[] { all => all.RemoveAt(1), all => all.Insert(1, all[0]), all => all.Reverse().ToImmutableArray() })
            Assert.NotNull(WatchJudge.Check(Spoiled(whole, spoil), history));

        static void NothingIn(IEnumerable<string> wrong) => Assert.True(!wrong.Any(), string.Join('\n', wrong));
    }

    /// <summary>One that stands still is told of with all that the cluster has of watches at that moment.</summary>
    private static async Task ReachesEndAsync(WatchCluster cluster, IJudged watcher, List<CommittedChange> history)
    {
        try
        {
            await watcher.ReachesEndAsync(history);
        }
        catch (Xunit.Sdk.FailException standsStill)
        {
            var list = await cluster.Nodes.ListWatchersAsync(new WatchersQuestion { Max = WatchersQuestion.MaxLimit });
            Assert.Fail($"{standsStill.Message}\nthe cluster has {list.Watchers.Length} watches, silent are '{string.Join(", ", list.Silent)}':\n{string.Join('\n', list.Watchers)}");
        }
    }

    private static bool HasSeveral(WatchBatch batch) => batch.Events.Length > 1 && batch.Events.All(each => each.Type is WatchEventType.Put or WatchEventType.Delete);

    /// <summary>What a watch got, with one batch that is not what was delivered.</summary>
    private static WatchRecord Spoiled(WatchRecord whole, Func<ImmutableArray<WatchEvent>, ImmutableArray<WatchEvent>> spoil)
    {
        var spoiled = new WatchRecord("nobody", whole.Wish) { Start = whole.Start, End = whole.End };
        spoiled.Batches.AddRange(whole.Batches);
        var at = spoiled.Batches.FindIndex(HasSeveral);
        spoiled.Batches[at] = spoiled.Batches[at] with { Events = spoil(spoiled.Batches[at].Events) };
        return spoiled;
    }

    /// <summary>Watches of every kind that there is, again and again with other numbers.</summary>
    private static IEnumerable<WatchWish> Kinds(int seed)
    {
        var random = new Random(seed);
        Pattern[] targets =
        [
            new Pattern.One("/a/1"), new Pattern.One("/config/db/host"), new Pattern.Below("/"), new Pattern.Below("/a/"), new Pattern.Below("/a/b/"),
            new Pattern.Beginning("/a/b"), new Pattern.Beginning("x:"), new Pattern.Between("/a/2", "/b/2"), new Pattern.Between("x", "z"),
            new Pattern.Like("/a/*"), new Pattern.Like("/**/1"), new Pattern.Like("?:?"), new Pattern.Everything(),
            new Pattern.AnyOf(new Pattern.One("/c"), new Pattern.Below("/b/"), new Pattern.Beginning("y")), new Pattern.AnyOf(new Pattern.One("/b/x/y/z"), new Pattern.Like("/config/*/p*")),
        ];
        while (true)
            foreach (var target in targets)
            {
                var filter = random.Next(4) switch { 0 => EventFilter.KeysOnly, 1 => EventFilter.OnlyChangedValue, 2 => random.Next(2) == 0 ? EventFilter.NoDeletes : EventFilter.NoPuts, _ => EventFilter.None };
                var snapshot = random.Next(4) == 0;
                yield return new WatchWish
                {
                    Target = target,
                    Snapshot = snapshot,
                    StartAt = snapshot ? null : random.Next(3) switch { 0 => new Revision(1), 1 => new Revision(1 + random.Next(2_000)), _ => null },
                    PreviousValues = random.Next(2) == 0 && filter != EventFilter.KeysOnly,
                    Filter = filter,
                    WhenSlow = random.Next(8) switch { 0 => SlowPolicy.Cancel, 1 => SlowPolicy.Latest, 2 => SlowPolicy.DropOldest, 3 => SlowPolicy.DropNewest, _ => SlowPolicy.Park },
                    QueueEventsMax = random.Next(3) == 0 ? 1 + random.Next(20) : null,
                    ProgressInterval = random.Next(4) == 0 ? TimeSpan.FromMilliseconds(200) : null,
                };
            }
    }

    /// <summary>Most only read; some leave and come back, change their targets, are called, or hold a dictionary.</summary>
    private static Task<IJudged> BeginAsync(IWatchClient client, string name, WatchWish wish, int at, bool isOutside) => (at % 14) switch
    {
        // A service in a silo ends with it, and need not come back there.
        3 when isOutside => JudgedWatcher.BeginAsync(client, name, wish with { Snapshot = false, WhenSlow = SlowPolicy.Park }, Habit.Leaves),
        5 => JudgedWatcher.BeginAsync(client, name, wish with { WhenSlow = SlowPolicy.Park }, Habit.Retargets, new Pattern.Below("/a/"), And(wish.Target, new Pattern.Beginning("x")), wish.Target),
        7 => JudgedWatcher.BeginAsync(client, name, wish with { Snapshot = false, WhenSlow = SlowPolicy.Park }, Habit.IsCalled),
        9 => JudgedDictionary.BeginAsync(client, name, wish.Target),
        _ => JudgedWatcher.BeginAsync(client, name, wish),
    };

    private static Pattern.AnyOf And(Pattern target, Pattern more) => new([.. target is Pattern.AnyOf several ? several.Parts : [target], more]);

    private static async Task<IJudged[]> BeginServiceAsync(WatchCluster cluster, InProcessSiloHandle silo, int seed)
    {
        var client = cluster.Host.GetSiloServiceProvider(silo.SiloAddress).GetRequiredService<IWatchClient>();
        return await Task.WhenAll(Kinds(seed).Take(InEachSilo).Select((wish, at) => BeginAsync(client, $"watcher {at} in {silo.Name}", wish, at, isOutside: false)));
    }

    /// <summary>As an operator does: the next silo is restarted when the one before is back.</summary>
    private static async Task AllAnswerAsync(WatchCluster cluster)
    {
        using var patience = new CancellationTokenSource(WatchCluster.Patience);
        await foreach (var nodes in cluster.Nodes.WatchNodesAsync(patience.Token))
            if (nodes.Nodes.Count(node => node.IsReachable) == 3 && nodes.Leaders.Length == 2)
                return;
    }
}
