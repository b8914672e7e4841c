using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Watch.Core;
using Watch.Core.Watching;
using Watch.Grains;
using Watch.Grains.Consensus;
using Watch.Grains.Diagnostics;
using Watch.Grains.Watching;

namespace Watch.Cluster.Tests;

/// <summary>What a leader is told of the watches of a silo.</summary>
public sealed class RegistrationLaneTests
{
    [Fact]
    public async Task A_scope_is_named_once_in_a_call_however_many_watches_register_for_it()
    {
        const int Watches = 1_000;
        var (silos, time) = (new FakeSilos(), new ManualTime());
        var leader = silos.Add(1);
        leader.Leads = true;
        var own = new OwnReplica(time);
        var options = Options.Create(new WatchSiloOptions());
        var leaders = new LeaderLocator(silos, own, silos, silos, options, time);
        var metrics = new WatchMetrics(time, silos);
        var dispatcher = new WatchDispatcher(
            leaders, new HistorySource(own, leaders, silos, silos, silos, time, metrics), silos, new NodeHealth(), options, time, new SystemWatchRandom(), NullLogger<WatchDispatcher>.Instance, metrics);
        var lane = new RegistrationLane(BucketId.Default, dispatcher, leaders, "silo", NullLogger.Instance);
        var calls = new List<int>();
        var first = new TaskCompletionSource();
        var second = new TaskCompletionSource();
        leader.OnRegister = async scopes =>
        {
            calls.Add(scopes.Length);
            if (calls.Count == 1)
                await first.Task;
            else
                second.TrySetResult();
            return new HeadsReply { Heads = [.. scopes.Select(_ => Revision.None)] };
        };

        // What gathers while the first call is under way goes with the second one.
        for (var watch = 0; watch <= Watches; watch++)
            lane.Add(new WatchEffect.RegisterScope(BucketId.Default, Scope.OfKey(Key.Of($"/{watch % 2}")), new SubscriptionId(watch + 1)));
        first.SetResult();
        await second.Task.WaitAsync(WatchCluster.Patience);

        Assert.Equal([1, 2], calls);
    }
}
