using Watch.Cluster.Tests;
using Watch.Embedded.Simulation;
using Xunit.Abstractions;

namespace Watch.Simulation.Tests;

/// <summary>
/// Writers, watchers and observers everywhere, registered at random moments from random revisions, while one silo that is not the
/// voter stops, crashes or comes back: every watch of the others equals the committed history after its start.
/// </summary>
public sealed class PropertyTests(ITestOutputHelper output)
{
    private const int SeedsPerLoss = 10;

    [Fact]
    public void Every_watch_equals_the_history_when_no_silo_goes() => Try(Loss.None);

    [Fact]
    public void Every_watch_equals_the_history_when_a_silo_stops_cleanly() => Try(Loss.Stop);

    [Fact]
    public void Every_watch_equals_the_history_when_a_silo_crashes() => Try(Loss.Crash);

    [Fact]
    public void Every_watch_equals_the_history_when_a_silo_stops_and_comes_back() => Try(Loss.Stop | Loss.Return);

    [Fact]
    public void Every_watch_equals_the_history_when_a_silo_crashes_and_comes_back() => Try(Loss.Crash | Loss.Return);

    private void Try(Loss loss)
    {
        var first = Environment.GetEnvironmentVariable("WATCH_TEST_SEED") is { Length: > 0 } given
            ? int.Parse(given, System.Globalization.CultureInfo.InvariantCulture)
            : Environment.ProcessId * 1000;
        output.WriteLine($"{SeedsPerLoss} seeds from {first} (again with WATCH_TEST_SEED={first})");
        for (var seed = first; seed < first + SeedsPerLoss; seed++)
            Run(seed, loss);
    }

    private static void Run(int seed, Loss loss)
    {
        var cluster = new SimulatedCluster(seed);
        var workload = new Workload(cluster.World.Random.Next);
        try
        {
            cluster.World.Run(() => new Scenario(cluster, workload, loss).RunAsync());
        }
        catch (SimulationException error)
        {
            throw new InvalidOperationException($"seed {seed}, {loss}: still waiting: {workload.Waiting}", error);
        }
    }

    [Flags]
    private enum Loss
    {
        None = 0,
        Stop = 1,
        Crash = 2,
        Return = 4,
    }

    private sealed class Scenario(SimulatedCluster cluster, Workload workload, Loss loss)
    {
        private readonly Random _random = cluster.World.Random;

        /// <summary>The silo that goes; the first one votes, and stays.</summary>
        private readonly int _goes = 1 + cluster.World.Random.Next(2);

        private IWatchClient[] Lasting => [cluster.HostedIn(0), cluster.HostedIn(3 - _goes), cluster.Client];

        public async Task RunAsync()
        {
            await cluster.StartAsync();
            var lasting = Lasting;
            var writing = lasting.Select(client => WriteAsync(client)).ToList();
            var watching = lasting.Select((client, at) => WatchAsync(client, at)).ToList();
            await WatchOnTheOneThatGoesAsync();
            await LoseAsync();
            foreach (var each in writing.Concat(watching))
                await each;

            await workload.FinishAsync(cluster.HostedIn(0));
            await workload.ReadToEndAsync();
            await workload.JudgeAsync(cluster.HostedIn(0));
        }

        private async Task WriteAsync(IWatchClient client)
        {
            for (var at = 0; at < 8; at++)
            {
                await PauseAsync();
                await workload.WriteAsync(client, 5);
            }
        }

        private async Task WatchAsync(IWatchClient client, int number)
        {
            for (var at = 0; at < 6; at++)
            {
                await PauseAsync();
                if (_random.Next(3) == 0)
                    await RetryAsync(() => workload.SubscribeAsync(client, $"pushed watch {at} of client {number}"));
                else
                    await RetryAsync(() => workload.WatchAsync(client, $"watch {at} of client {number}"));
            }
        }

        /// <summary>What watches there ends with a silo that stops, told so; with one that crashes it is frozen.</summary>
        private async Task WatchOnTheOneThatGoesAsync()
        {
            if (loss.HasFlag(Loss.Stop))
                await workload.WatchAsync(cluster.HostedIn(_goes), "watch on the silo that stops", mayEndEarly: true);
        }

        private async Task LoseAsync()
        {
            await cluster.PassAsync(TimeSpan.FromMilliseconds(_random.Next(40)));
            var silo = cluster.World.Silos[_goes];
            if (loss.HasFlag(Loss.Crash))
                silo.Crash();
            else if (loss.HasFlag(Loss.Stop))
                await silo.StopAsync();
            if (!loss.HasFlag(Loss.Return))
                return;
            await cluster.PassAsync(TimeSpan.FromMilliseconds(_random.Next(200)));
            await cluster.StartAgainAsync(silo.Name);
        }

        private Task PauseAsync() => cluster.PassAsync(TimeSpan.FromMilliseconds(_random.Next(10)));

        /// <summary>A registration that meets the silo that goes fails as unavailable; it is for its caller to try again.</summary>
        private static async Task RetryAsync(Func<Task> register)
        {
            for (var done = false; !done;)
            {
                try
                {
                    await register();
                    done = true;
                }
                catch (WatchException error) when (error.Code is WatchErrorCode.Unavailable or WatchErrorCode.ShuttingDown)
                {
                    done = false;
                }
            }
        }
    }
}
