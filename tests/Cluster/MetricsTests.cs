using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Runtime;
using Watch.Client;
using Watch.Core;
using Watch.Grains.Diagnostics;

namespace Watch.Cluster.Tests;

/// <summary>What the meter tells, and that its list in the documentation is whole.</summary>
public sealed partial class MetricsTests
{
    [Fact]
    public async Task Writes_that_are_watched_are_counted_on_their_way()
    {
        await using var cluster = await WatchCluster.StartAsync(silos: 1);
        using var heard = new Heard(cluster.Services(0));
        await using var stream = await cluster.HostedIn(0).WatchAsync(WatchTarget.Prefix("/m/"));
        await using var reader = stream.Reader();
        await using var second = await cluster.HostedIn(0).WatchAsync(WatchTarget.Key("/m/1"));
        await using var secondReader = second.Reader();

        for (var at = 0; at < 5; at++)
            await cluster.Client.PutAsync("/m/1", $"{at}");
        await reader.NextAsync(5);
        await secondReader.NextAsync(5);

        // Counted when the stream has taken it, which may be after the watch has.
        await UntilAsync(() => heard.Sum("watch.published") >= 10, "ten events are published");

        Assert.Equal(10, heard.Sum("watch.published"));
        heard.Collect();
        Assert.Equal((1, 1), (heard.Last("watch.watchers", "kind", "Prefix"), heard.Last("watch.watchers", "kind", "Key")));
        Assert.Equal(2, heard.Last("watch.scopes"));
        Assert.Equal(10, heard.Last("watch.events.in"));
        Assert.Equal(10, heard.Last("watch.events.out"));
        // How many of these there are is up to the schedule.
        Assert.True(heard.Last("watch.repaired") >= 0 && heard.Last("watch.held") >= 0 && heard.Last("watch.duplicates") >= 0);
    }

    [Fact]
    public async Task What_filters_leave_out_and_what_policies_drop_is_counted_once_per_watch()
    {
        await using var cluster = await WatchCluster.StartAsync(silos: 1);
        using var heard = new Heard(cluster.Services(0));
        await using var slow = await cluster.HostedIn(0).WatchAsync(WatchTarget.Prefix("/m/"), new WatchOptions { WhenSlow = SlowPolicy.DropOldest, QueueEventsMax = 4 });
        await using var all = await cluster.HostedIn(0).WatchAsync(WatchTarget.Prefix("/m/"));
        await using var none = await cluster.HostedIn(0).WatchAsync(WatchTarget.Prefix("/m/"), new WatchOptions { Filter = EventFilter.NoPuts });
        await using var one = await cluster.HostedIn(0).WatchAsync(WatchTarget.Glob("/m/*1"));
        await using var reader = all.Reader();

        for (var at = 0; at < 10; at++)
            await cluster.Client.PutAsync($"/m/{at % 2}", "x");
        await reader.NextAsync(10);
        heard.Collect();

        // All that is filtered is of what no put is told of, and of what names one key of two.
        Assert.Equal(10 + 5, heard.Last("watch.events.filtered"));
        Assert.Equal(10 + 10 + 5, heard.Last("watch.events.out"));
        Assert.Equal(6, heard.Last("watch.dropped", "where", "policy"));
    }

    [Fact]
    public async Task The_end_of_a_watch_is_counted_by_its_reason()
    {
        await using var cluster = await WatchCluster.StartAsync(silos: 1);
        using var heard = new Heard(cluster.Services(0));
        var stream = await cluster.HostedIn(0).WatchAsync(WatchTarget.Prefix("/m/"));
        await stream.DisposeAsync();
        await cluster.WatchersComeToAsync(0);

        heard.Collect();

        Assert.Equal(1, heard.Last("watch.ended", "reason", "Disposed"));
    }

    [Fact]
    public async Task What_waits_for_a_consumer_that_does_not_read_is_shown()
    {
        await using var cluster = await WatchCluster.StartAsync(silos: 1);
        using var heard = new Heard(cluster.Services(0));
        await using var slow = await cluster.HostedIn(0).WatchAsync(WatchTarget.Prefix("/m/"), new WatchOptions { WhenSlow = SlowPolicy.Park, QueueEventsMax = 4 });
        await using var quick = await cluster.HostedIn(0).WatchAsync(WatchTarget.Prefix("/m/"));
        await using var reader = quick.Reader();
        for (var at = 1; at <= 3; at++)
            await cluster.Client.PutAsync("/m/1", "12345");
        await reader.NextAsync(3);
        heard.Collect();
        Assert.Equal(3, heard.Last("watch.queue.events"));
        Assert.True(heard.Last("watch.queue.bytes") > 15);
        Assert.Equal((0, 0), (heard.Last("watch.parked"), heard.Last("watch.parkings")));

        for (var at = 4; at <= 8; at++)
            await cluster.Client.PutAsync("/m/1", "12345");
        await reader.NextAsync(5);
        // Figures are at most a moment old.
        using var patience = new CancellationTokenSource(WatchCluster.Patience);
        do
        {
            Assert.False(patience.IsCancellationRequested, "the slow watch is not seen to park");
            heard.Collect();
        }
        while (heard.Last("watch.parked") == 0);
        await UntilAsync(() => Collected(heard, "watch.lag.revisions") > 0, "the slow watch is seen to be behind");
        Assert.Equal((1, 1, 0), (heard.Last("watch.parked"), heard.Last("watch.parkings"), heard.Last("watch.queue.events")));
    }

    [Fact]
    public async Task A_session_and_what_it_carries_and_how_long_that_took_are_measured()
    {
        await using var cluster = await WatchCluster.StartAsync(silos: 1);
        using var heard = new Heard(cluster.Services(0));
        await cluster.Client.PutAsync("/m/1", "before");
        await using var hosted = await cluster.HostedIn(0).WatchAsync(WatchTarget.Prefix("/m/"));
        await using var hostedReader = hosted.Reader();
        var remote = await cluster.Client.WatchAsync(WatchTarget.Prefix("/m/"));
        await using (var remoteReader = remote.Reader())
        {
            Assert.Equal(1, heard.Sum("watch.sessions"));
            for (var at = 0; at < 3; at++)
            {
                await cluster.Client.PutAsync("/m/1", "12345");
                await hostedReader.NextAsync();
                await remoteReader.NextAsync();
            }
        }

        await UntilAsync(() => heard.Sum("watch.session.batches") >= 3, "three batches are acknowledged");
        Assert.True(heard.Sum("watch.session.bytes") > 3 * 5);
        Assert.Equal((3, 3), (heard.Count("watch.delivery.duration", "to", "process"), heard.Count("watch.delivery.duration", "to", "session")));
        Assert.InRange(heard.Sum("watch.delivery.duration", "to", "process"), 0, WatchCluster.Patience.TotalSeconds);
    }

    [Fact]
    public async Task What_is_told_to_the_metrics_reaches_their_listener_with_its_tags()
    {
        await using var cluster = await WatchCluster.StartAsync(silos: 1);
        using var heard = new Heard(cluster.Services(0));
        var metrics = cluster.Services(0).GetRequiredService<WatchMetrics>();

        metrics.Dropped(DropPlace.Queue, 3);
        metrics.Dropped(DropPlace.Forwarder, 4);
        metrics.Dropped(DropPlace.Publisher, 5);
        metrics.HistoryPage(HistorySourceKind.Own);
        metrics.HistoryPage(HistorySourceKind.Member);
        metrics.HistoryPage(HistorySourceKind.Leader);

        heard.Collect();
        Assert.Equal((3, 4, 5), (heard.Last("watch.dropped", "where", "queue"), heard.Last("watch.dropped", "where", "forwarder"), heard.Last("watch.dropped", "where", "publisher")));
        Assert.Equal(0, heard.Last("watch.dropped", "where", "policy"));
        Assert.Equal((1, 1, 1), (heard.Sum("watch.history.pages", "source", "own"), heard.Sum("watch.history.pages", "source", "member"), heard.Sum("watch.history.pages", "source", "leader")));
    }

    [Fact]
    public async Task Without_a_listener_nothing_is_measured_and_without_a_factory_there_is_nothing_to_listen_to()
    {
        await using var cluster = await WatchCluster.StartAsync(silos: 1);
        var metrics = cluster.Services(0).GetRequiredService<WatchMetrics>();
        Assert.False(metrics.MeasuresDelivery);
        using (new Heard(cluster.Services(0)))
            Assert.True(metrics.MeasuresDelivery);
        Assert.False(metrics.MeasuresDelivery);

        var without = new WatchMetrics(TimeProvider.System, cluster.Services(0).GetRequiredService<ILocalSiloDetails>());
        without.Dropped(DropPlace.Queue, 1);
        Assert.False(without.MeasuresDelivery);
    }

    [Fact]
    public async Task The_documentation_lists_every_instrument_with_its_kind_and_unit_and_no_other()
    {
        await using var cluster = await WatchCluster.StartAsync(silos: 1);
        using var heard = new Heard(cluster.Services(0));

        Assert.Equal(heard.Instruments.Concat(OfClients()).Order(StringComparer.Ordinal), Documented().Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_watch_that_goes_on_after_its_silo_went_is_counted()
    {
        await using var cluster = await WatchCluster.StartAsync(silos: 1);
        var resumes = 0L;
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, all) =>
        {
            if (instrument.Meter.Name == ClientMetrics.MeterName)
                all.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((_, value, _, _) => Interlocked.Add(ref resumes, value));
        listener.Start();
        await using var stream = await cluster.Client.WatchAsync(WatchTarget.Prefix("/m/"));
        await using var reader = stream.Reader();

        await cluster.Host.RestartSiloAsync(cluster.Silos[0]);
        await cluster.Client.PutAsync("/m/1", "x");

        Assert.Equal("x", (await reader.NextAsync()).Value.Text());
        Assert.True(Interlocked.Read(ref resumes) > 0);
    }

    /// <summary>They are looked at a slice at a time, and each counts once.</summary>
    [Fact]
    public async Task More_watches_than_are_looked_at_in_one_go_are_all_counted()
    {
        await using var cluster = await WatchCluster.StartAsync(silos: 1);
        using var heard = new Heard(cluster.Services(0));
        const int Count = 2 * FiguresSum.Slice + 100;
        var streams = await Task.WhenAll(Enumerable.Range(0, Count).Select(at => cluster.HostedIn(0).WatchAsync(WatchTarget.Key($"/m/{at % 700}"))));
        for (var at = 0; at < 100; at++)
            await streams[at].DisposeAsync();
        await cluster.Client.PutAsync("/m/699", "x");
        var waiting = streams.Skip(100).Count(each => each.Target == WatchTarget.Key("/m/699"));
        await UntilAsync(() => Collected(heard, "watch.queue.events") == waiting, $"{waiting} events wait");

        heard.Collect();

        Assert.Equal(Count - 100, heard.Last("watch.watchers", "kind", "Key"));
        foreach (var each in streams)
            await each.DisposeAsync();
    }

    private static List<string> OfClients()
    {
        RuntimeHelpers.RunClassConstructor(typeof(ClientMetrics).TypeHandle);
        var instruments = new List<string>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, _) =>
        {
            if (instrument.Meter.Name == ClientMetrics.MeterName)
                instruments.Add($"{instrument.Name} {Heard.KindOf(instrument)} {instrument.Unit}");
        };
        listener.Start();
        return instruments;
    }

    private static double Collected(Heard heard, string name)
    {
        heard.Collect();
        return heard.Last(name);
    }

    private static async Task UntilAsync(Func<bool> isSo, string what)
    {
        using var patience = new CancellationTokenSource(WatchCluster.Patience);
        while (!isSo())
        {
            Assert.False(patience.IsCancellationRequested, $"it never came to it that {what}");
            await Task.Yield();
        }
    }

    private static IEnumerable<string> Documented([CallerFilePath] string here = "") =>
        File.ReadLines(Path.Combine(Path.GetDirectoryName(here)!, "../../docs/metrics.md"))
            .Select(line => Row().Match(line))
            .Where(row => row.Success)
            .Select(row => $"{row.Groups["name"].Value} {row.Groups["kind"].Value} {row.Groups["unit"].Value}");

    [GeneratedRegex(@"^\| `(?<name>watch\.[a-z.]+)` \| (?<kind>[a-z ]+) \| `(?<unit>[^`]+)` \|")]
    private static partial Regex Row();

    /// <summary>Listens to the meter of one silo.</summary>
    private sealed class Heard : IDisposable
    {
        private readonly MeterListener _listener = new();
        private readonly Lock _gate = new();
        private readonly List<(string Name, double Value, string Tags)> _measured = [];

        public Heard(IServiceProvider silo)
        {
            // A factory's meters are its own: that of another silo in this process has another one.
            var factory = silo.GetRequiredService<IMeterFactory>();
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Name != WatchMetrics.MeterName || !ReferenceEquals(instrument.Meter.Scope, factory))
                    return;
                Instruments.Add($"{instrument.Name} {KindOf(instrument)} {instrument.Unit}");
                listener.EnableMeasurementEvents(instrument);
            };
            _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Add(instrument, value, tags));
            _listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Add(instrument, value, tags));
            _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Add(instrument, value, tags));
            silo.GetRequiredService<WatchMetrics>();
            _listener.Start();
        }

        public List<string> Instruments { get; } = [];

        public void Collect() => _listener.RecordObservableInstruments();

        public int Count(string name, string tag, string value) => Of(name, tag, value).Count;

        public double Sum(string name, string tag = "", string value = "") => Of(name, tag, value).Sum();

        public double Last(string name, string tag = "", string value = "") => Of(name, tag, value).Last();

        public void Dispose() => _listener.Dispose();

        private List<double> Of(string name, string tag, string value)
        {
            lock (_gate)
                return [.. _measured.Where(each => each.Name == name && each.Tags == (tag.Length == 0 ? "" : $"{tag}={value}")).Select(each => each.Value)];
        }

        private void Add(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            lock (_gate)
                _measured.Add((instrument.Name, value, string.Join(' ', tags.ToArray().Select(each => $"{each.Key}={each.Value}"))));
        }

        public static string KindOf(Instrument instrument) => instrument.GetType().Name.Split('`')[0] switch
        {
            "Counter" or "ObservableCounter" => "counter",
            "UpDownCounter" or "ObservableUpDownCounter" => "up down counter",
            "Histogram" => "histogram",
            "ObservableGauge" => "gauge",
            var other => other,
        };
    }
}
