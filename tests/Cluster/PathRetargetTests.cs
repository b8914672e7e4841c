using Watch.Core;

namespace Watch.Cluster.Tests;

/// <summary>Watches that change while they run: what they follow, what happens when their reader is slow, and how far they say they are.</summary>
public sealed class PathRetargetTests(SharedCluster shared) : IClassFixture<SharedCluster>
{
    private readonly WatchCluster _cluster = shared.Cluster;
    private readonly string _root = SharedCluster.NewRoot("retarget");

    [Theory, BothOrigins]
    public async Task Targets_are_added_and_removed_while_the_watch_runs_and_nothing_written_after_the_answer_is_missed(Origin origin)
    {
        await using var stream = await _cluster.Of(origin).WatchAsync(WatchTarget.Key(_root + "a"));
        await using var reader = stream.Reader();
        await PutAsync("b", "unseen");
        await PutAsync("a", "1");
        Assert.Equal(_root + "a", (await reader.NextAsync()).Key.ToString());

        var added = await stream.AddTargetAsync(WatchTarget.Prefix(_root + "sub/"));
        await PutAsync("sub/x", "2");
        await PutAsync("a", "3");
        var changed = await reader.NextAsync("the change of target");
        Assert.Equal((WatchEventType.TargetsChanged, added), (changed.Type, changed.Revision));
        Assert.Equal(["2", "3"], (await reader.NextAsync(2)).Select(each => each.Value.Text()));

        await stream.RemoveTargetAsync(WatchTarget.Key(_root + "a"));
        await PutAsync("a", "4");
        await PutAsync("sub/y", "5");
        Assert.Equal(WatchEventType.TargetsChanged, (await reader.NextAsync()).Type);
        Assert.Equal("5", (await reader.NextAsync()).Value.Text());
        Assert.Equal(WatchTarget.Prefix(_root + "sub/"), stream.Target);

        // The cursor is one of the new target.
        var cursor = stream.GetCursor();
        await PutAsync("sub/z", "6");
        await using var again = await _cluster.Of(origin).WatchAsync(WatchTarget.Prefix(_root + "sub/"), new WatchOptions { From = cursor });
        await using var rest = again.Reader();
        Assert.Equal("6", (await rest.NextAsync()).Value.Text());

        Assert.Equal(WatchErrorCode.InvalidTarget, (await Assert.ThrowsAsync<WatchException>(() => stream.RemoveTargetAsync(stream.Target))).Code);
        Assert.Equal(WatchErrorCode.InvalidPrefix, (await Assert.ThrowsAsync<WatchException>(() => stream.ChangeTargetAsync(WatchTarget.Prefix("x")))).Code);
        Assert.Equal("6", (await reader.NextAsync()).Value.Text());
    }

    [Theory, BothOrigins]
    public async Task A_policy_changes_while_the_watch_runs(Origin origin)
    {
        // So small that nothing is taken ahead of its reader.
        await using var stream = await _cluster.Of(origin).WatchAsync(WatchTarget.Prefix(_root), new WatchOptions { QueueEventsMax = 8 });
        await stream.ChangePolicyAsync(SlowPolicy.Cancel, queueEventsMax: 2);
        await using var quick = await _cluster.Of(origin).WatchAsync(WatchTarget.Prefix(_root));
        await using var quickReader = quick.Reader();
        for (var at = 0; at < 4; at++)
            await PutAsync("k", $"{at}");
        // Both are given each change in the same step.
        await quickReader.NextAsync(4);
        await using var reader = stream.Reader();
        Assert.Equal(WatchEndReason.Slow, (await reader.NextAsync(3))[2].Reason);
    }

    [Theory, BothOrigins]
    [Trait("DE", "U45")]
    public async Task A_watch_that_asked_for_it_says_how_far_it_is_though_nothing_changes(Origin origin)
    {
        await using var stream = await _cluster.Of(origin).WatchAsync(WatchTarget.Prefix(_root), new WatchOptions { ProgressInterval = TimeSpan.FromMilliseconds(100) });
        await using var reader = stream.Reader();
        var elsewhere = await _cluster.Client.PutAsync("/elsewhere", "1");
        WatchEvent each;
        do
        {
            each = await reader.NextAsync("progress");
            Assert.Equal(WatchEventType.Progress, each.Type);
        }
        while (each.Revision < elsewhere.Revision);
        Assert.True(each.ConfirmedTimeMs > 0);
    }

    [Theory, BothOrigins]
    [Trait("DE", "U46")]
    public async Task A_watch_that_did_not_ask_for_it_is_told_nothing_while_nothing_changes(Origin origin)
    {
        await using var stream = await _cluster.Of(origin).WatchAsync(WatchTarget.Prefix(_root));
        await using var asking = await _cluster.Of(origin).WatchAsync(WatchTarget.Prefix(_root), new WatchOptions { ProgressInterval = TimeSpan.FromMilliseconds(100) });
        await using var progress = asking.Reader();
        await using var reader = stream.GetAsyncEnumerator();
        var next = reader.MoveNextAsync().AsTask();
        // Another watch's progress is how this test knows that time enough has passed.
        await progress.NextAsync(3);
        Assert.False(next.IsCompleted, "a watch that did not ask was told something");
        await PutAsync("k", "1");
        Assert.True(await next.WaitAsync(WatchCluster.Patience));
        Assert.Equal(WatchEventType.Put, reader.Current.Type);
    }

    [Theory, BothOrigins]
    public async Task A_watch_is_read_as_a_channel_which_is_completed_behind_its_last_event(Origin origin)
    {
        await using var stream = await _cluster.Of(origin).WatchAsync(WatchTarget.Prefix(_root), new WatchOptions { WhenSlow = SlowPolicy.Cancel, QueueEventsMax = 2 });
        var channel = stream.ReadToChannel(eventsAhead: 4);
        var written = new List<string>();
        for (var at = 0; at < 30; at++)
        {
            await PutAsync("k", $"{at}");
            written.Add($"{at}");
            if (at < 4)
                Assert.Equal(written[at], (await channel.ReadAsync().AsTask().WaitAsync(WatchCluster.Patience)).Value.Text());
        }

        // One that is behind is slow as any other.
        var rest = new List<WatchEvent>();
        while (await channel.WaitToReadAsync().AsTask().WaitAsync(WatchCluster.Patience))
        {
            while (channel.TryRead(out var each))
                rest.Add(each);
        }

        await channel.Completion;
        Assert.Equal(WatchEndReason.Slow, rest[^1].Reason);
        Assert.Equal(written.Skip(4).Take(rest.Count - 1), rest.SkipLast(1).Select(each => each.Value.Text()));
        Assert.Equal(WatchEndReason.Slow, await stream.Completion);
        Assert.Equal(WatchErrorCode.InvalidOption, Assert.Throws<WatchException>(() => stream.ReadToChannel(0)).Code);
    }

    [Theory, BothOrigins]
    public async Task A_watch_that_is_disposed_of_completes_its_channel(Origin origin)
    {
        await using var stream = await _cluster.Of(origin).WatchAsync(WatchTarget.Prefix(_root));
        var channel = stream.ReadToChannel();
        await PutAsync("k", "1");
        Assert.Equal("1", (await channel.ReadAsync().AsTask().WaitAsync(WatchCluster.Patience)).Value.Text());
        await stream.DisposeAsync();
        Assert.False(await channel.WaitToReadAsync().AsTask().WaitAsync(WatchCluster.Patience));
        await channel.Completion;
    }

    private Task<WriteResult> PutAsync(string key, string value) => _cluster.Client.PutAsync(_root + key, value);
}
