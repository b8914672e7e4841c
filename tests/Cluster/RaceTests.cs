using Xunit.Abstractions;

namespace Watch.Cluster.Tests;

/// <summary>Watches are registered while writers write: wherever and whenever one begins, it equals the committed history after its start.</summary>
public sealed class RaceTests(SharedCluster shared, ITestOutputHelper output) : IClassFixture<SharedCluster>
{
    private const int Writers = 4;
    private const int WritesEach = 150;
    private const int Registrations = 60;

    [Fact]
    public async Task Watches_that_register_while_four_writers_write_all_equal_the_committed_history_after_their_start()
    {
        var seed = Environment.GetEnvironmentVariable("WATCH_TEST_SEED") is { Length: > 0 } given
            ? int.Parse(given, System.Globalization.CultureInfo.InvariantCulture)
            : Environment.ProcessId;
        output.WriteLine($"seed {seed} (again with WATCH_TEST_SEED={seed}; the schedule is the machine's)");
        var cluster = shared.Cluster;
        IWatchClient[] clients = [cluster.HostedIn(0), cluster.HostedIn(1), cluster.HostedIn(2), cluster.Client];
        var random = new Random(seed);
        var workload = new Workload(max =>
        {
            lock (random)
                return random.Next(max);
        });

        var writing = Task.WhenAll(Enumerable.Range(0, Writers).Select(at => workload.WriteAsync(clients[at], WritesEach)));
        var registering = Task.WhenAll(Enumerable.Range(0, Writers).Select(async at =>
        {
            for (var each = 0; each < Registrations / Writers; each++)
                await (each % 5 == 4
                    ? workload.SubscribeAsync(clients[at], $"pushed watch {each} of client {at}")
                    : workload.WatchAsync(clients[at], $"watch {each} of client {at}"));
        }));
        await Task.WhenAll(writing, registering).WaitAsync(WatchCluster.Patience);
        await workload.FinishAsync(cluster.Client);

        try
        {
            await workload.ReadToEndAsync().WaitAsync(WatchCluster.Patience);
        }
        catch (TimeoutException)
        {
            Assert.Fail($"seed {seed}: events are missing: {workload.Waiting}");
        }

        Assert.Equal(0, workload.UnknownCount);
        await workload.JudgeAsync(cluster.Client).WaitAsync(WatchCluster.Patience);
        await cluster.WatchersComeToAsync(0);
    }
}
