using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Hosting;
using Orleans.Runtime;
using Orleans.Streams;
using Orleans.TestingHost;
using Watch.Core;
using Watch.Grains;
using Watch.Grains.Engine.PushStreams;
using Xunit.Abstractions;

namespace Watch.Cluster.Tests.OrleansOnly;

/// <summary>Streams that push: nothing is polled, nobody waits for anybody, and what is lost is only a hint.</summary>
public sealed class PushStreamTests(ITestOutputHelper output)
{
    private const string Provider = "pushing";

    [Fact]
    public async Task Events_arrive_one_after_the_other_though_the_agent_would_look_only_once_a_second()
    {
        const int Rounds = 500;
        await using var silo = await StreamingSilo.StartAsync(tick: TimeSpan.FromSeconds(1));
        // Of a stream that is new to the agent, and of the first round, it learns by its tick.
        await silo.PublishAsync("a", "first");
        Assert.Equal("a first", await silo.Ears.NextAsync());
        await silo.PublishAsync("a", "second");
        Assert.Equal("a second", await silo.Ears.NextAsync());

        var clock = Stopwatch.StartNew();
        for (var round = 0; round < Rounds; round++)
        {
            await silo.PublishAsync("a", $"{round}");
            Assert.Equal($"a {round}", await silo.Ears.NextAsync());
        }

        // With a look per second it would be minutes.
        output.WriteLine($"{Rounds} rounds in {clock.Elapsed.TotalMilliseconds:F0} ms");
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(Rounds / 10d), $"{Rounds} rounds took {clock.Elapsed}");
    }

    [Fact]
    public async Task What_is_published_at_once_arrives_in_order_and_once()
    {
        const int Events = 2_000;
        await using var silo = await StreamingSilo.StartAsync();
        for (var at = 0; at < Events; at++)
            await silo.PublishAsync("a", $"{at}");

        // A stream that nobody has registered yet drops the oldest beyond its ring: so the last ones are there, in order.
        var last = -1;
        while (last < Events - 1)
        {
            var heard = int.Parse((await silo.Ears.NextAsync())[2..], System.Globalization.CultureInfo.InvariantCulture);
            Assert.True(heard > last, $"{heard} came behind {last}");
            last = heard;
        }
    }

    [Fact]
    public async Task An_ear_that_never_comes_back_delays_no_other_stream_of_its_queue()
    {
        await using var silo = await StreamingSilo.StartAsync(queues: 1);
        await silo.PublishAsync(Ears.Stuck, "never");
        await silo.Ears.IsStuck.Task.WaitAsync(WatchCluster.Patience);

        var clock = Stopwatch.StartNew();
        for (var at = 0; at < 100; at++)
        {
            await silo.PublishAsync(Ears.Stuck, "behind it");
            // Every other time a stream that the agent has never seen.
            var stream = at % 2 == 0 ? "known" : $"new-{at}";
            await silo.PublishAsync(stream, $"{at}");
            Assert.Equal($"{stream} {at}", await silo.Ears.NextAsync());
        }

        output.WriteLine($"100 events of 51 streams beside it took {clock.Elapsed.TotalMilliseconds:F0} ms");
        Assert.True(clock.Elapsed < PushQueue.PatienceMax / 2, $"the others took {clock.Elapsed}");
        silo.Ears.Release();
    }

    [Fact]
    public async Task A_silo_whose_agents_wait_for_work_stops_without_waiting_for_their_patience()
    {
        await using var silo = await StreamingSilo.StartAsync();
        await silo.PublishAsync("a", "1");
        await silo.Ears.NextAsync();

        var clock = Stopwatch.StartNew();
        await silo.Cluster.StopAllSilosAsync();

        output.WriteLine($"stopped in {clock.Elapsed.TotalMilliseconds:F0} ms");
        Assert.True(clock.Elapsed < PushQueue.PatienceMax / 2, $"the stop took {clock.Elapsed}");
    }

    [Theory]
    [InlineData("watch", true)]
    [InlineData("another", false)]
    public async Task A_provider_that_the_host_registered_under_the_name_is_the_one_that_is_used(string registered, bool isUsed)
    {
        await using var cluster = await WatchCluster.StartAsync(silos: 1, first: silo => silo.AddMemoryStreams(registered, streams => streams.ConfigureStreamPubSub(StreamPubSubType.ImplicitOnly)));

        Assert.Equal(isUsed, cluster.Services(0).GetKeyedService<IQueueAdapterFactory>("watch") is not PushStreamFactory);
    }

    [Theory]
    [InlineData(20)]
    [InlineData(100)]
    public async Task Watches_are_complete_however_much_the_streams_lose(int percentLost)
    {
        const int Writes = 200;
        var seed = Random.Shared.Next();
        output.WriteLine($"seed {seed}");
        await using var cluster = await WatchCluster.StartAsync(configure: watch => watch.ProgressInterval = TimeSpan.FromMilliseconds(50));
        var (random, gate, lost) = (new Random(seed), new Lock(), 0);
        for (var at = 0; at < cluster.Silos.Count; at++)
        {
            ((PushStreamFactory)cluster.Services(at).GetRequiredKeyedService<IQueueAdapterFactory>("watch")).Adapter.Loses = _ =>
            {
                lock (gate)
                    return random.Next(100) < percentLost && ++lost > 0;
            };
        }

        await using var hosted = await cluster.HostedIn(1).WatchAsync(WatchTarget.Prefix("/lossy/"));
        await using var hostedReader = hosted.Reader();
        await using var remote = await cluster.Client.WatchAsync(WatchTarget.Prefix("/lossy/"));
        await using var remoteReader = remote.Reader();

        var written = new List<string>();
        for (var at = 0; at < Writes; at++)
        {
            var key = $"/lossy/{at % 7}";
            written.Add($"put {key}={at}@{(await cluster.HostedIn(at % 3).PutAsync(key, $"{at}")).Revision}");
        }

        Assert.Equal(written, (await hostedReader.NextAsync(Writes)).Select(each => each.Short()));
        Assert.Equal(written, (await remoteReader.NextAsync(Writes)).Select(each => each.Short()));
        Assert.True(lost > 0, $"seed {seed}: nothing was lost");
    }

    /// <summary>One silo of plain Orleans with a provider that pushes, and grains that listen.</summary>
    private sealed class StreamingSilo(InProcessTestCluster cluster) : IAsyncDisposable
    {
        public InProcessTestCluster Cluster => cluster;

        public Ears Ears { get; private set; } = null!;

        private IStreamProvider _streams = null!;

        public static async Task<StreamingSilo> StartAsync(TimeSpan? tick = null, int queues = 4)
        {
            var builder = new InProcessTestClusterBuilder(1);
            builder.ConfigureSilo((_, silo) =>
            {
                silo.Services.Configure<WatchSiloOptions>(watch => watch.PushQueuesPerSilo = queues);
                silo.Services.AddSingleton<Ears>();
                PushStreams.AddNew(silo, Provider, tick);
            });
            var started = new StreamingSilo(builder.Build());
            await started.Cluster.DeployAsync();
            var services = started.Cluster.GetSiloServiceProvider();
            started.Ears = services.GetRequiredService<Ears>();
            started._streams = services.GetRequiredKeyedService<IStreamProvider>(Provider);
            return started;
        }

        public Task PublishAsync(string key, string text) => _streams.GetStream<string>(StreamId.Create(Ears.Namespace, key)).OnNextAsync(text);

        public async ValueTask DisposeAsync()
        {
            Ears.Release();
            await Cluster.StopAllSilosAsync();
            await Cluster.DisposeAsync();
        }
    }
}
