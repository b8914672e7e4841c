using Watch.Core.Tests.Watching;
using Watch.Core.Watching;
using Xunit.Abstractions;

namespace Watch.Core.Tests.Costs;

/// <summary>Tests that weigh the whole process: nothing else may run beside them.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;

/// <summary>What watchers weigh that have nothing to do.</summary>
[Collection(nameof(Alone))]
public sealed class IdleCostTests(ITestOutputHelper output)
{
    [Fact]
    [Trait("DE", "P06")]
    public void An_idle_watcher_of_a_key_with_room_for_ten_takes_less_than_half_a_kibibyte_of_the_table()
    {
        // There it is 2.4 KB, by its own formula; a queue here takes what is in it.
        const int Watchers = 10_000;
        var desk = new Desk();
        var targets = Enumerable.Range(0, Watchers).Select(at => WatchTarget.Key(Key.Of($"/idle/{at:D6}"))).ToList();
        var before = GC.GetTotalMemory(forceFullCollection: true);
        foreach (var target in targets)
        {
            var id = desk.Table.Subscribe(new WatchSpec { Target = target, QueueEventsMax = 10 }, 0).Id;
            desk.Table.TakeEffects();
            desk.Table.Registered(id, desk.Ledger.Now, default, default, 0);
        }

        var perWatcher = (GC.GetTotalMemory(forceFullCollection: true) - before) / Watchers;
        output.WriteLine($"{perWatcher} bytes per idle watcher");
        // 440 when this was written; the rest of the kibibyte is for the shell, the key and the leader.
        Assert.InRange(perWatcher, 1, 480);
        GC.KeepAlive(targets);
        GC.KeepAlive(desk);
    }
}
