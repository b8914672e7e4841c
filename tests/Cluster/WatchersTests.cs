using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Watch.Core;

namespace Watch.Cluster.Tests;

/// <summary>What operators see of watches, and do to them.</summary>
public sealed class WatchersTests(SharedCluster shared) : IClassFixture<SharedCluster>
{
    private readonly WatchCluster _cluster = shared.Cluster;
    private readonly string _root = SharedCluster.NewRoot("watchers");

    [Theory, BothOrigins]
    public async Task Watches_are_listed_with_what_waits_in_them_and_one_can_be_ended(Origin origin)
    {
        await using var stream = await _cluster.Of(origin).WatchAsync(WatchTarget.AnyPrefix(_root + "a"), new WatchOptions { WhenSlow = SlowPolicy.DropOldest, QueueEventsMax = 10 });
        await using var other = await _cluster.HostedIn(2).WatchAsync(WatchTarget.Key(_root + "b"));
        for (var at = 0; at < 3; at++)
            await _cluster.Client.PutAsync(_root + "a1", $"{at}");

        WatcherInfo? found = null;
        using var patience = new CancellationTokenSource(WatchCluster.Patience);
        while (found?.QueuedEvents != 3)
        {
            Assert.False(patience.IsCancellationRequested, $"the watch was described as {found}");
            var all = await _cluster.Nodes.ListWatchersAsync(new WatchersQuestion { Target = _root + "a" });
            Assert.Empty(all.Silent);
            found = Assert.Single(all.Watchers);
        }

        Assert.Equal((SlowPolicy.DropOldest, 0), (found.WhenSlow, found.Lagged));
        Assert.Equal(("live", "it is given every change as it comes", null, stream.Start), (found.State, found.Why, found.TakenAgoMs, found.Taken));
        Assert.True(found.AgeMs >= 0 && found.Cursor > found.Taken, $"the watch was described as {found}");
        Assert.Equal(2, (await _cluster.Nodes.ListWatchersAsync(new WatchersQuestion { Target = _root })).Watchers.Length);
        var few = await _cluster.Nodes.ListWatchersAsync(new WatchersQuestion { Silo = found.Silo, Max = 1 });
        Assert.Single(few.Watchers);

        Assert.True(await _cluster.Nodes.EndWatcherAsync(found.Silo, found.Id));
        Assert.False(await _cluster.Nodes.EndWatcherAsync(found.Silo, found.Id));
        await using var reader = stream.Reader();
        Assert.Equal(["0", "1", "2"], (await reader.NextAsync(3)).Select(each => each.Value.Text()));
        Assert.Equal(WatchEndReason.Removed, (await reader.NextAsync()).Reason);
    }

    /// <summary>More than are looked at in one go.</summary>
    [Fact]
    public async Task Many_watches_are_listed_each_once_in_the_order_of_their_numbers()
    {
        const int Many = 1_200;
        var streams = await Task.WhenAll(Enumerable.Range(0, Many).Select(_ => _cluster.HostedIn(1).WatchAsync(WatchTarget.Key(_root + "many"))));
        var question = new WatchersQuestion { Target = _root + "many", Max = WatchersQuestion.MaxLimit };
        var all = await _cluster.Nodes.ListWatchersAsync(question);
        Assert.False(all.More);
        Assert.Equal(Many, all.Watchers.Length);
        Assert.Equal(all.Watchers.Select(each => each.Id).Distinct().Order(), all.Watchers.Select(each => each.Id));
        var first = await _cluster.Nodes.ListWatchersAsync(question with { Max = Many - 1 });
        Assert.True(first.More);
        Assert.Equal(all.Watchers.Select(each => each.Id).Take(Many - 1), first.Watchers.Select(each => each.Id));
        foreach (var stream in streams)
            await stream.DisposeAsync();
    }

    [Fact]
    public async Task A_list_says_since_when_a_watch_is_there_and_when_its_reader_last_took_something()
    {
        var time = new JumpingTime();
        await using var cluster = await WatchCluster.StartAsync(silos: 1, services: services => services.Replace(ServiceDescriptor.Singleton<TimeProvider>(time)));
        await using var stream = await cluster.HostedIn(0).WatchAsync(WatchTarget.Prefix("/k/"));
        await using var reader = stream.Reader();
        time.Jump(TimeSpan.FromMinutes(5));
        Assert.Null((await OneAsync()).TakenAgoMs);
        await cluster.Client.PutAsync("/k/1", "1");
        var put = await reader.NextAsync();
        time.Jump(TimeSpan.FromMinutes(2));
        var one = await OneAsync();
        Assert.InRange(one.AgeMs, 420_000, 480_000);
        Assert.InRange(one.TakenAgoMs ?? -1, 120_000, 180_000);
        Assert.Equal(put.Revision, one.Taken);

        async Task<WatcherInfo> OneAsync() => Assert.Single((await cluster.Nodes.ListWatchersAsync(new WatchersQuestion())).Watchers);
    }

    [Fact]
    public async Task A_silo_that_there_is_not_and_a_question_without_limit_are_refused()
    {
        Assert.Equal(WatchErrorCode.UnknownNode, (await Assert.ThrowsAsync<WatchException>(() => _cluster.Nodes.EndWatcherAsync("nobody", 1))).Code);
        Assert.Equal(WatchErrorCode.UnknownNode, (await Assert.ThrowsAsync<WatchException>(() => _cluster.Nodes.ListWatchersAsync(new WatchersQuestion { Silo = "nobody" }))).Code);
        foreach (var max in new[] { 0, WatchersQuestion.MaxLimit + 1 })
            Assert.Equal(WatchErrorCode.InvalidOption, (await Assert.ThrowsAsync<WatchException>(() => _cluster.Nodes.ListWatchersAsync(new WatchersQuestion { Max = max }))).Code);
    }
}
