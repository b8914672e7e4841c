using System.Text;
using Watch.Client;
using Watch.Core;
using Xunit.Abstractions;

namespace Watch.Simulation.Tests;

/// <summary>A client outside the cluster whose calls are bound to several servers, of which one freezes: nobody declares it dead.</summary>
public sealed class FrozenServerTests(ITestOutputHelper output)
{
    private const int Keys = 16;
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan s_frozen = TimeSpan.FromSeconds(12);

    /// <summary>Elections, the wait before a call is asked again, and its second way.</summary>
    private static readonly TimeSpan s_gapMax = TimeSpan.FromSeconds(5);

    [Theory]
    [InlineData(1, 0)]
    [InlineData(2, 1)]
    [InlineData(3, 2)]
    public void Every_call_is_answered_soon_while_a_server_is_frozen_and_nothing_is_lost_or_done_twice(int seed, int frozen)
    {
        var run = WriteThroughAFreeze(seed, frozen, new WatchClientOptions());
        Assert.True(run.Longest < s_gapMax, $"seed {seed}: a call took {run.Longest}");
        Assert.True(run.Late > 0, $"seed {seed}: the frozen server was nobody's, so nothing was shown");
        // Each writer meets the silence at most twice: by its key's own grain, and by a door that was asked before it was known to be silent.
        Assert.True(run.Late <= 2 * Keys, $"seed {seed}: {run.Late} calls met the silence");
    }

    [Fact]
    public void Without_a_second_way_the_same_calls_hang_as_long_as_the_server_is_frozen()
    {
        var run = WriteThroughAFreeze(seed: 2, frozen: 1, new WatchClientOptions { HedgeAfter = TimeSpan.FromHours(1) });
        Assert.True(run.Longest > s_gapMax, $"the longest call took {run.Longest} without any hedge: the run above shows nothing");
    }

    private Run WriteThroughAFreeze(int seed, int frozen, WatchClientOptions options)
    {
        var cluster = new SimulatedCluster(seed, options: options);
        cluster.World.IsTracing = false;
        cluster.World.StepLimit = 50_000_000;
        var run = new Run(cluster);
        cluster.World.Run(async () =>
        {
            await cluster.StartAsync();
            await cluster.MakeAllVotersAsync();
            await using var watch = await cluster.Client.WatchAsync(WatchTarget.Prefix("/f/"), new WatchOptions { QueueEventsMax = 100_000 });
            var writers = Enumerable.Range(0, Keys).Select(run.WriteAsync).ToList();
            await cluster.PassAsync(TimeSpan.FromSeconds(2));
            cluster.World.Silos[frozen].Freeze();
            await cluster.PassAsync(s_frozen);
            cluster.World.Silos[frozen].Thaw();
            await cluster.PassAsync(TimeSpan.FromSeconds(2));
            run.Stop();
            await Task.WhenAll(writers);

            output.WriteLine($"seed {seed}: {run.Written} written, the longest took {run.Longest.TotalMilliseconds:F0} ms, {run.Late} took longer than the hedge");
            await run.JudgeAsync(watch);
        });
        return run;
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    public void Watches_leave_a_frozen_server_and_miss_nothing(int seed)
    {
        var cluster = new SimulatedCluster(seed);
        cluster.World.IsTracing = false;
        cluster.World.StepLimit = 50_000_000;
        cluster.World.Run(async () =>
        {
            await cluster.StartAsync();
            await cluster.MakeAllVotersAsync();
            var pulled = new List<Follower>();
            for (var at = 0; at < 6; at++)
                pulled.Add(await Follower.StartAsync(cluster, isPushed: at % 2 == 0));
            cluster.World.Silos[2].Freeze();
            var put = await cluster.Client.PutAsync("/w/1", "v");
            var began = cluster.World.TimeProvider.GetTimestamp();
            foreach (var each in pulled)
                await each.Seen.Task;
            var took = cluster.World.TimeProvider.GetElapsedTime(began);
            output.WriteLine($"seed {seed}: all saw revision {put.Revision} after {took.TotalMilliseconds:F0} ms");
            Assert.True(took < s_frozen, $"seed {seed}: a watch learned of the write after {took}");
        });
    }

    private sealed class Follower : IWatchObserver
    {
        public TaskCompletionSource Seen { get; } = new();

        public static async Task<Follower> StartAsync(SimulatedCluster cluster, bool isPushed)
        {
            var follower = new Follower();
            if (isPushed)
                await cluster.Client.SubscribeAsync(WatchTarget.Prefix("/w/"), follower);
            else
                _ = follower.ReadAsync(await cluster.Client.WatchAsync(WatchTarget.Prefix("/w/")));
            return follower;
        }

        public Task OnBatch(WatchBatch batch)
        {
            if (!batch.Events.IsDefaultOrEmpty)
                Seen.TrySetResult();
            return Task.CompletedTask;
        }

        private async Task ReadAsync(IWatchStream stream)
        {
            await foreach (var _ in stream)
            {
                Seen.TrySetResult();
                return;
            }
        }
    }

    /// <summary>Writers of one key each, which read it back after each write.</summary>
    private sealed class Run(SimulatedCluster cluster)
    {
        private readonly List<(string Key, string Value, Revision Revision)> _acknowledged = [];
        private bool _stopped;

        public int Written => _acknowledged.Count;

        public TimeSpan Longest { get; private set; }

        public int Late { get; private set; }

        public void Stop() => _stopped = true;

        public async Task WriteAsync(int writer)
        {
            var key = $"/f/{writer}";
            for (var number = 0; !_stopped; number++)
            {
                var value = $"{writer}.{number}";
                var put = await TimedAsync(() => cluster.Client.PutAsync(key, value));
                _acknowledged.Add((key, value, put.Revision));
                var got = await TimedAsync(() => cluster.Client.GetAsync(key, number % 2 == 0 ? ReadPolicy.Linearizable : ReadPolicy.Lease));
                Assert.Equal(value, Encoding.UTF8.GetString(got.Key!.Value.Span));
                await cluster.PassAsync(s_pause);
            }
        }

        public async Task JudgeAsync(IWatchStream watch)
        {
            var expected = _acknowledged.OrderBy(each => each.Revision).Select(each => $"{each.Revision} {each.Key}={each.Value}").ToList();
            var seen = new List<string>();
            await foreach (var each in watch)
            {
                seen.Add($"{each.Revision} {each.Key}={Encoding.UTF8.GetString(each.Value.Span)}");
                if (seen.Count == expected.Count)
                    break;
            }

            Assert.Equal(expected, seen);
        }

        private async Task<T> TimedAsync<T>(Func<Task<T>> call)
        {
            var began = cluster.World.TimeProvider.GetTimestamp();
            var result = await call();
            var took = cluster.World.TimeProvider.GetElapsedTime(began);
            Longest = took > Longest ? took : Longest;
            Late += took >= new WatchClientOptions().HedgeAfter ? 1 : 0;
            return result;
        }
    }
}
