using Orleans.Runtime;
using Watch.Core;
using Watch.Grains;

namespace Watch.Cluster.Tests;

/// <summary>Who may watch: limits are exact, and every refusal says what is allowed and leaves nothing behind.</summary>
public sealed class RegistrationTests
{
    [Theory, BothOrigins]
    [Trait("DE", "U37"), Trait("DE", "U38"), Trait("DE", "U39")]
    public async Task A_limit_of_two_is_shared_by_keys_and_prefixes_and_a_place_that_is_given_back_can_be_taken_again(Origin origin)
    {
        await using var cluster = await WatchCluster.StartAsync(silos: 1, watch => watch.WatchersMax = 2);
        var client = cluster.Of(origin);
        await using var key = await client.WatchAsync(WatchTarget.Key("/a"));
        var prefix = await client.WatchAsync(WatchTarget.Prefix("/a/"));

        foreach (var target in new[] { WatchTarget.Key("/a"), WatchTarget.Prefix("/a/"), WatchTarget.Key("/b"), WatchTarget.Prefix("/") })
        {
            var refused = await Assert.ThrowsAsync<WatchException>(() => client.WatchAsync(target));
            Assert.Equal(WatchErrorCode.WatcherLimit, refused.Code);
            Assert.Contains("at most 2", refused.Message, StringComparison.Ordinal);
            var refusedPush = await Assert.ThrowsAsync<WatchException>(() => client.SubscribeAsync(target, new RecordingObserver()));
            Assert.Equal(WatchErrorCode.WatcherLimit, refusedPush.Code);
        }

        await prefix.DisposeAsync();
        await cluster.WatchersComeToAsync(1);
        await using var third = await client.WatchAsync(WatchTarget.Key("/b"));
        Assert.Equal(2, await cluster.CountWatchersAsync());
    }

    [Theory, BothOrigins]
    [Trait("DE", "U40")]
    public async Task Of_four_times_as_many_registrations_at_once_exactly_the_limit_succeed_and_all_of_those_deliver(Origin origin)
    {
        const int Limit = 25;
        await using var cluster = await WatchCluster.StartAsync(silos: 1, watch => watch.WatchersMax = Limit);
        var client = cluster.Of(origin);

        var attempts = await Task.WhenAll(Enumerable.Range(0, 4 * Limit).Select(at => AttemptAsync(client, at)));

        var streams = attempts.Where(each => each.Stream is not null).Select(each => each.Stream!).ToList();
        Assert.Equal(Limit, streams.Count);
        Assert.All(attempts.Where(each => each.Stream is null), each => Assert.Equal(WatchErrorCode.WatcherLimit, each.Error!.Code));
        Assert.Equal(Limit, await cluster.CountWatchersAsync());
        await cluster.Client.PutAsync("/k/1", "v");
        foreach (var stream in streams)
        {
            await using var reader = stream.Reader();
            Assert.Equal("v", (await reader.NextAsync()).Value.Text());
        }

        await cluster.WatchersComeToAsync(0);
    }

    [Theory, BothOrigins]
    [Trait("DE", "U05")]
    public async Task Watches_that_come_and_go_at_once_leave_none_behind(Origin origin)
    {
        await using var cluster = await WatchCluster.StartAsync();
        var client = cluster.Of(origin);

        await Task.WhenAll(Enumerable.Range(0, 20).Select(async task =>
        {
            for (var at = 0; at < 5; at++)
            {
                await using var stream = await client.WatchAsync(task % 2 == 0 ? WatchTarget.Key("/same") : WatchTarget.Prefix("/"));
            }
        }));
        await cluster.WatchersComeToAsync(0);

        await using var last = await client.WatchAsync(WatchTarget.Key("/same"));
        await using var reader = last.Reader();
        await cluster.Client.PutAsync("/same", "v");
        Assert.Equal("v", (await reader.NextAsync()).Value.Text());
    }

    [Theory, BothOrigins]
    [Trait("NU", "D13")]
    public async Task Where_watching_is_switched_off_a_watch_is_refused_as_disabled_and_everything_else_works(Origin origin)
    {
        await using var cluster = await WatchCluster.StartAsync(silos: 1, watch => watch.WatchEnabled = false);
        var client = cluster.Of(origin);

        var watch = await Assert.ThrowsAsync<WatchException>(() => client.WatchAsync(WatchTarget.Key("/k")));
        var push = await Assert.ThrowsAsync<WatchException>(() => client.SubscribeAsync(WatchTarget.Key("/k"), new RecordingObserver()));
        var put = await client.PutAsync("/k", "v");

        Assert.Equal((WatchErrorCode.WatchDisabled, WatchErrorCode.WatchDisabled), (watch.Code, push.Code));
        Assert.Contains("disabled", watch.Message, StringComparison.Ordinal);
        Assert.Equal(put.Revision, (await client.GetAsync("/k")).Key!.ModRevision);
        Assert.Equal(0, await cluster.CountWatchersAsync());
    }

    [Theory]
    [InlineData(nameof(WatchSiloOptions.DataDirectory), "empty", "path of a folder")]
    [InlineData(nameof(WatchSiloOptions.KeyBytesMax), "4097", "1 to 4096")]
    [InlineData(nameof(WatchSiloOptions.ValueBytesMax), "0", "1 to 16777216")]
    [InlineData(nameof(WatchSiloOptions.ProposalsMax), "0", "1 to 1000000")]
    [InlineData(nameof(WatchSiloOptions.ProposalsBytesMax), "1000", "1048576 to")]
    [InlineData(nameof(WatchSiloOptions.HistoryRevisionsMax), "999", "1000")]
    [InlineData(nameof(WatchSiloOptions.HistoryBytesMax), "1", "1048576")]
    [InlineData(nameof(WatchSiloOptions.WatchersMax), "0", "1 to 10000000")]
    [InlineData(nameof(WatchSiloOptions.QueueEventsDefault), "0", "1 to 1000000")]
    [InlineData(nameof(WatchSiloOptions.QueueEventsDefault), "1000001", "1 to 1000000")]
    [InlineData(nameof(WatchSiloOptions.QueueBytesMax), "1", "65536 to 1073741824")]
    [InlineData(nameof(WatchSiloOptions.PublishQueueEventsMax), "0", "1 to 10000000")]
    [InlineData(nameof(WatchSiloOptions.PublishQueueBytesMax), "0", "1048576")]
    [InlineData(nameof(WatchSiloOptions.ForwardEventsMax), "0", "64 to 1000000")]
    [InlineData(nameof(WatchSiloOptions.ForwardBytesMax), "0", "1048576")]
    [InlineData(nameof(WatchSiloOptions.PushQueuesPerSilo), "65", "1 to 64")]
    [InlineData(nameof(WatchSiloOptions.FetchesInFlightMax), "0", "1 to 1024")]
    [InlineData(nameof(WatchSiloOptions.RepairsInFlightMax), "1025", "1 to 1024")]
    [InlineData(nameof(WatchSiloOptions.FetchPageBytes), "63", "64 to 16777216")]
    [InlineData(nameof(WatchSiloOptions.SnapshotPageBytes), "16777217", "64 to 16777216")]
    [InlineData(nameof(WatchSiloOptions.Hold), "00:00:02", "00:00:00 to 00:00:01")]
    [InlineData(nameof(WatchSiloOptions.ProgressInterval), "00:00:00", "00:00:00.0500000 to 00:01:00")]
    [InlineData(nameof(WatchSiloOptions.ForgetScopesAfter), "00:00:01", "00:00:10 to 1.00:00:00")]
    [InlineData(nameof(WatchSiloOptions.HistoryAgeMax), "00:00:00.5", "00:00:01 to 3650.00:00:00")]
    [InlineData(nameof(WatchSiloOptions.LeaderTimeout), "00:10:00", "00:00:00.1000000 to 00:05:00")]
    public async Task A_bad_setting_stops_the_start_and_names_itself_its_value_and_what_is_allowed(string setting, string value, string allowed)
    {
        var property = typeof(WatchSiloOptions).GetProperty(setting)!;
        var bad = System.ComponentModel.TypeDescriptor.GetConverter(property.PropertyType).ConvertFromInvariantString(value == "empty" ? "" : value);

        var error = await Record.ExceptionAsync(async () =>
        {
            await using var cluster = await WatchCluster.StartAsync(silos: 1, watch => property.SetValue(watch, bad));
        });

        Assert.NotNull(error);
        var told = Chain(error).OfType<OrleansConfigurationException>().FirstOrDefault();
        Assert.True(told is not null, $"the start failed with {error}");
        Assert.All([$"Watch:{setting} ", value, allowed], part => Assert.Contains(part, told.Message, StringComparison.Ordinal));
    }

    private static async Task<(IWatchStream? Stream, WatchException? Error)> AttemptAsync(IWatchClient client, int at)
    {
        try
        {
            return (await client.WatchAsync(at % 2 == 0 ? WatchTarget.Key("/k/1") : WatchTarget.Prefix("/k/")), null);
        }
        catch (WatchException error)
        {
            return (null, error);
        }
    }

    private static IEnumerable<Exception> Chain(Exception? error)
    {
        for (; error is not null; error = error.InnerException)
        {
            yield return error;
            if (error is AggregateException several)
                foreach (var each in several.InnerExceptions.SelectMany(Chain))
                    yield return each;
        }
    }
}
