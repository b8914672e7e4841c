using Watch.Core;

namespace Watch.Cluster.Tests;

/// <summary>A watch that asked for it says how far it is, though nothing changes; one that did not ask hears nothing.</summary>
public sealed class ProgressTests(SharedCluster shared) : IClassFixture<SharedCluster>
{
    private static readonly TimeSpan s_often = TimeSpan.FromMilliseconds(100);

    private readonly WatchCluster _cluster = shared.Cluster;
    private readonly string _root = SharedCluster.NewRoot("progress");

    [Theory, BothOrigins]
    [Trait("DE", "U45"), Trait("DE", "U46")]
    public async Task Who_asked_for_progress_is_told_with_nothing_written_and_who_did_not_hears_of_the_next_change_first(Origin origin)
    {
        // Better: the revision is one that was confirmed by a majority, not the number that the server started with.
        var before = await _cluster.Client.PutAsync(_root + "before", "1");
        await using var asked = await _cluster.Of(origin).WatchAsync(WatchTarget.Key(_root + "k"), new WatchOptions { ProgressInterval = s_often });
        await using var silent = await _cluster.Of(origin).WatchAsync(WatchTarget.Key(_root + "k"));
        await using var reader = asked.Reader();
        for (var at = 0; at < 3; at++)
        {
            var progress = await reader.NextAsync("progress");
            Assert.Equal(WatchEventType.Progress, progress.Type);
            Assert.True(progress.Revision >= before.Revision, $"progress is at {progress.Revision}, {before.Revision} was acknowledged before the watch began");
            Assert.True(progress.Key.IsEmpty && progress.Value.IsEmpty);
        }

        var put = await _cluster.Client.PutAsync(_root + "k", "1");

        await using var other = silent.Reader();
        Assert.Equal($"put {_root}k=1@{put.Revision}", (await other.NextAsync()).Short());
    }

    [Theory, BothOrigins]
    public async Task Progress_comes_behind_everything_up_to_it_and_reaches_what_was_written_elsewhere(Origin origin)
    {
        await using var stream = await _cluster.Of(origin).WatchAsync(WatchTarget.Key(_root + "k"), new WatchOptions { ProgressInterval = s_often });
        await using var reader = stream.Reader();
        var own = await _cluster.Client.PutAsync(_root + "k", "1");
        var elsewhere = await _cluster.Client.PutAsync(_root + "elsewhere", "1");
        var (sawPut, last) = (false, Revision.None);
        while (last < elsewhere.Revision)
        {
            var each = await reader.NextAsync($"progress to {elsewhere.Revision}");
            if (each.Type == WatchEventType.Progress)
                Assert.True(each.Revision < own.Revision || sawPut, $"progress to {each.Revision} came before the put of {own.Revision}");
            else
                sawPut = each.Revision == own.Revision;
            last = each.Revision;
        }

        Assert.True(sawPut);
    }
}
