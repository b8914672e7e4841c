using System.Text;
using Watch.Core;
using Xunit.Abstractions;

namespace Watch.Simulation.Tests;

/// <summary>One seed decides everything: what happened once happens again.</summary>
public sealed class ReplayTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void A_seed_that_puts_gets_and_watches_gives_the_same_trace_twice(int voters)
    {
        var seed = Environment.GetEnvironmentVariable("WATCH_TEST_SEED") is { Length: > 0 } given
            ? int.Parse(given, System.Globalization.CultureInfo.InvariantCulture)
            : Environment.ProcessId;
        output.WriteLine($"seed {seed} (replay with WATCH_TEST_SEED={seed})");

        var first = Run(seed, voters);
        var second = Run(seed, voters);
        var other = Run(seed + 1, voters);

        Assert.Equal(first.Events, second.Events);
        Assert.Equal(first.Trace, second.Trace);
        Assert.True(first.Trace.Count > 100, $"seed {seed}: a trace of {first.Trace.Count} steps did nothing");
        Assert.NotEqual(first.Trace, other.Trace);
    }

    /// <summary>Writers and watchers everywhere; checks what a watch promises, and returns what happened.</summary>
    private static (List<string> Events, IReadOnlyList<string> Trace) Run(int seed, int voters)
    {
        var cluster = new SimulatedCluster(seed);
        var seen = new List<string>();
        cluster.World.Run(async () =>
        {
            await cluster.StartAsync();
            if (voters > 1)
                await cluster.MakeAllVotersAsync();
            await using var remote = await cluster.Client.WatchAsync(WatchTarget.Prefix("/s/"), new WatchOptions { PreviousValues = true });
            await using var hosted = await cluster.HostedIn(2).WatchAsync(WatchTarget.Key("/s/1"));
            var writers = Enumerable.Range(0, 3).Select(writer => WriteAsync(cluster, writer)).ToList();
            var acknowledged = (await Task.WhenAll(writers)).SelectMany(each => each).OrderBy(each => each.Revision).ToList();

            var remoteEvents = await TakeAsync(remote, acknowledged.Count);
            var hostedEvents = await TakeAsync(hosted, acknowledged.Count(each => each.Key == "/s/1"));
            Assert.Equal(acknowledged.Select(each => $"{each.Revision} {each.Key}={each.Value}"), remoteEvents);
            Assert.Equal(acknowledged.Where(each => each.Key == "/s/1").Select(each => $"{each.Revision} {each.Key}={each.Value}"), hostedEvents);
            foreach (var key in acknowledged.GroupBy(each => each.Key))
                Assert.Equal(key.Last().Value, Encoding.UTF8.GetString((await cluster.Client.GetAsync(key.Key)).Key!.Value.Span));
            seen.AddRange(remoteEvents);
        });
        return (seen, cluster.World.Trace);
    }

    private static async Task<List<(Revision Revision, string Key, string Value)>> WriteAsync(SimulatedCluster cluster, int writer)
    {
        var written = new List<(Revision, string, string)>();
        for (var at = 0; at < 20; at++)
        {
            var (key, value) = ($"/s/{cluster.Random.NextBits() % 4}", $"{writer}.{at}");
            var put = await cluster.HostedIn(writer).PutAsync(key, value);
            written.Add((put.Revision, key, value));
        }

        return written;
    }

    private static async Task<List<string>> TakeAsync(IWatchStream stream, int count)
    {
        var events = new List<string>();
        if (count == 0)
            return events;
        await foreach (var each in stream)
        {
            events.Add($"{each.Revision} {each.Key}={Encoding.UTF8.GetString(each.Value.Span)}");
            if (events.Count == count)
                break;
        }

        return events;
    }
}
