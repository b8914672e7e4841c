using Watch.Core;

namespace Watch.Cluster.Tests;

/// <summary>A write with an id takes effect once, however often and from wherever it is sent.</summary>
public sealed class OnceTests
{
    [Theory]
    [InlineData(Origin.Remote)]
    [InlineData(Origin.Hosted)]
    public async Task A_write_sent_again_with_its_id_gets_the_same_answer_also_after_a_restart_of_the_voter(Origin origin)
    {
        await using var cluster = await WatchCluster.StartAsync(silos: 2);
        var client = cluster.Of(origin);
        await client.PutAsync("/k", "before");
        var (put, delete) = (await client.NewWriteIdAsync(), await client.NewWriteIdAsync());
        var first = await client.PutAsync(Key.Of("/k"), "value"u8.ToArray(), put, WriteCondition.Value("before"u8.ToArray()));
        await client.PutAsync("/k", "after");
        var gone = await client.DeleteAsync(Key.Of("/k"), delete);

        await cluster.Host.RestartSiloAsync(cluster.Silos[0]);

        foreach (var each in new[] { cluster.Client, cluster.HostedIn(0), cluster.HostedIn(1) })
        {
            Same(first, await each.PutAsync(Key.Of("/k"), "value"u8.ToArray(), put, WriteCondition.Value("before"u8.ToArray())));
            Same(gone, await each.DeleteAsync(Key.Of("/k"), delete));
        }

        Assert.Equal("after", gone.Previous!.Value.Text());
        Assert.Equal((4, null), ((await client.GetAsync("/k")).Revision.Value, (await client.GetAsync("/k")).Key));
    }

    [Fact]
    public async Task Copies_of_a_write_that_run_at_once_through_different_silos_are_one_write()
    {
        await using var cluster = await WatchCluster.StartAsync(silos: 2);
        for (var round = 0; round < 20; round++)
        {
            var id = await cluster.Client.NewWriteIdAsync();
            var answers = await Task.WhenAll(
                from sending in Enumerable.Range(0, 8)
                select cluster.HostedIn(sending % 2).PutAsync(Key.Of("/k"), "value"u8.ToArray(), id));
            Assert.All(answers, answer => Same(answers[0], answer));
            Assert.Equal(round + 1, answers[0].Revision.Value);
        }
    }

    [Fact]
    public async Task Writes_that_are_under_way_while_the_voter_restarts_are_answered_and_take_effect_once()
    {
        await using var cluster = await WatchCluster.StartAsync(silos: 2);
        var writers = Enumerable.Range(0, 8).Select(each => IncrementAsync(cluster.HostedIn(1), $"/n/{each}")).ToList();
        await cluster.Host.RestartSiloAsync(cluster.Silos[0]);
        await Task.WhenAll(writers);

        foreach (var (each, increments) in writers.Select((writer, at) => (at, writer.Result)))
        {
            var counter = (await cluster.Client.GetAsync($"/n/{each}")).Key!;
            Assert.Equal((increments, increments), (long.Parse(counter.Value.Text(), System.Globalization.CultureInfo.InvariantCulture), counter.Version));
        }
    }

    [Fact]
    public async Task A_write_from_before_the_cluster_forgot_and_an_id_out_of_range_are_refused_by_code()
    {
        await using var cluster = await WatchCluster.StartAsync(silos: 1);
        var future = (await cluster.Client.NewWriteIdAsync()) with { Seen = new LogIndex(1_000_000) };
        var unknown = await Assert.ThrowsAsync<WatchException>(() => cluster.Client.PutAsync(Key.Of("/k"), default, future));
        var invalid = await Assert.ThrowsAsync<WatchException>(() => cluster.Client.PutAsync(Key.Of("/k"), default, future with { Number = 0 }));

        Assert.Equal((WatchErrorCode.OutcomeUnknown, WatchErrorCode.InvalidOption), (unknown.Code, invalid.Code));
        Assert.Equal(0, (await cluster.Client.StatusAsync()).Revision.Value);
        Assert.Equal(1, (await cluster.Client.PutAsync("/k", "v")).Revision.Value);
    }

    [Theory]
    [InlineData(Origin.Remote)]
    [InlineData(Origin.Hosted)]
    public async Task A_first_sending_that_the_cluster_refuses_as_of_another_time_is_sent_with_a_fresh_id_and_takes_effect_once(Origin origin)
    {
        await using var cluster = await WatchCluster.StartAsync(silos: 2);
        var client = cluster.Of(origin);
        await client.PutAsync("/k", "1");
        // An index that this log does not have: refused alike, whether it is too old or of another log.
        ((Client.GrainWatchClient)client).Numbers.Saw(new LogIndex(1_000_000));

        var answers = await Task.WhenAll(from each in Enumerable.Range(0, 10) select client.PutAsync("/k", $"{each}"));
        Assert.Equal(Enumerable.Range(2, 10).Select(each => (long)each), answers.Select(answer => answer.Revision.Value).Order());
        Assert.Equal(12, (await client.PutAsync("/k", "last")).Revision.Value);
    }

    [Theory]
    [InlineData(Origin.Remote)]
    [InlineData(Origin.Hosted)]
    public async Task An_id_that_another_write_has_is_refused_by_code_and_harms_no_write_beside_it(Origin origin)
    {
        await using var cluster = await WatchCluster.StartAsync(silos: 2);
        var client = cluster.Of(origin);
        var id = await client.NewWriteIdAsync();
        var first = await client.PutAsync(Key.Of("/k"), "1"u8.ToArray(), id);
        var (other, beside) = (client.PutAsync(Key.Of("/k"), "2"u8.ToArray(), id), client.PutAsync("/l", "3"));

        Assert.Equal(WatchErrorCode.InvalidOption, (await Assert.ThrowsAsync<WatchException>(() => other)).Code);
        Assert.Equal(2, (await beside).Revision.Value);
        Same(first, await client.PutAsync(Key.Of("/k"), "1"u8.ToArray(), id));
        Assert.Equal("1", (await client.GetAsync("/k")).Key!.Value.Text());
    }

    [Fact]
    public async Task What_a_given_id_is_answered_says_nothing_of_the_clients_own_writes()
    {
        await using var cluster = await WatchCluster.StartAsync(silos: 1);
        var numbers = ((Client.GrainWatchClient)cluster.Client).Numbers;
        await cluster.Client.PutAsync("/k", "1");
        var id = await cluster.Client.NewWriteIdAsync();
        await Assert.ThrowsAsync<WatchException>(() => cluster.Client.PutAsync(Key.Of("/k"), default, id with { Seen = new LogIndex(1_000_000) }));
        Assert.True(numbers.TryBegin(out var before), "a refused id that is not the client's cost it its index");
        await cluster.HostedIn(0).PutAsync("/k", "2");
        await cluster.Client.PutAsync(Key.Of("/k"), "3"u8.ToArray(), id);
        Assert.True(numbers.TryBegin(out var after));
        Assert.Equal(before.Seen, after.Seen);
    }

    /// <summary>Counts a key up, each time on the condition of the count before: a write that took effect twice, or not, shows.</summary>
    private static async Task<long> IncrementAsync(IWatchClient client, string key)
    {
        await client.PutAsync(key, "1", WriteCondition.Absent);
        for (var count = 1; count < 50; count++)
        {
            var answer = await client.PutAsync(key, $"{count + 1}", WriteCondition.Value(System.Text.Encoding.UTF8.GetBytes($"{count}")));
            Assert.True(answer.Succeeded, $"{key}: {count} was not there: {answer}");
        }

        return 50;
    }

    private static void Same(WriteResult expected, WriteResult actual)
    {
        Assert.Equal((expected.Status, expected.Revision, expected.Index), (actual.Status, actual.Revision, actual.Index));
        Assert.Equal(expected.Previous?.ModRevision, actual.Previous?.ModRevision);
        Assert.Equal(expected.Previous?.Value.ToArray(), actual.Previous?.Value.ToArray());
    }
}
