using Watch.Client;
using Watch.Core;
using Watch.Interfaces;

namespace Watch.Cluster.Tests;

/// <summary>Events say who wrote, as the writer's client names itself, live and from history, and after a restart.</summary>
public sealed class WriterTests
{
    [Fact]
    public async Task Events_carry_the_writers_name_the_cause_and_the_position_live_and_from_history()
    {
        await using var cluster = await WatchCluster.StartAsync(silos: 1, client: options => options.WriterName = "deploy 7");
        var before = (await cluster.Client.StatusAsync()).Revision;
        await using var live = await cluster.HostedIn(0).WatchAsync(WatchTarget.Prefix("/w/"));
        await using var liveReader = live.Reader();

        await cluster.Client.PutAsync("/w/a", "1");
        await cluster.HostedIn(0).PutAsync("/w/a", "2");
        await cluster.Client.DeleteAsync("/w/a");

        (string?, WatchEventCause, int)[] expected = [("deploy 7", WatchEventCause.Put, 0), (null, WatchEventCause.Put, 0), ("deploy 7", WatchEventCause.Delete, 0)];
        Assert.Equal(expected, (await liveReader.NextAsync(3)).Select(each => (each.Writer, each.Cause, each.Position)));
        await using var late = await cluster.Client.WatchAsync(WatchTarget.Prefix("/w/"), new WatchOptions { StartAt = before.Next });
        await using var lateReader = late.Reader();
        Assert.Equal(expected, (await lateReader.NextAsync(3)).Select(each => (each.Writer, each.Cause, each.Position)));
    }

    [Fact]
    public async Task A_name_that_is_too_long_is_refused_by_client_and_grain()
    {
        var name = new string('n', 65);
        Assert.Equal(WatchErrorCode.InvalidOption, (await Record.ExceptionAsync(async () =>
        {
            await using var cluster = await WatchCluster.StartAsync(silos: 1, client: options => options.WriterName = name);
            await cluster.Client.StatusAsync();
        }) as WatchException)?.Code);

        await using var cluster = await WatchCluster.StartAsync(silos: 1);
        var grain = cluster.Host.Client.GetGrain<IKvGrain>(GrainKeys.OfKey(BucketId.Default, Key.Of("/w")));
        var refused = await Assert.ThrowsAsync<WatchException>(() => grain.Put(new PutRequest(default, null, null, name), default));
        Assert.Equal(WatchErrorCode.InvalidOption, refused.Code);
        await Assert.ThrowsAsync<WatchException>(() => grain.Delete(new DeleteRequest(null, null, ""), default));
        Assert.Null((await cluster.Client.GetAsync("/w")).Key);
    }
}
