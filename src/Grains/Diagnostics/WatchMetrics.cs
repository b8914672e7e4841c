using System.Diagnostics.Metrics;
using Orleans.Runtime;
using Watch.Core.Watching;
using Watch.Interfaces;

namespace Watch.Grains.Diagnostics;

/// <summary>Where something was dropped that watchers then read from history, or were told is missing.</summary>
internal enum DropPlace
{
    /// <summary>It did not fit into the silo's queue of what is to be published, or could not be published.</summary>
    Publisher,

    /// <summary>It did not fit into the queue of a stream.</summary>
    Queue,

    /// <summary>It did not fit into what waits for another silo, or that silo did not take it.</summary>
    Forwarder,
}

/// <summary>Whom a page of history came from.</summary>
internal enum HistorySourceKind
{
    /// <summary>This silo's own replica.</summary>
    Own,

    /// <summary>Another member that does not lead.</summary>
    Member,

    /// <summary>The leader.</summary>
    Leader,
}

/// <summary>
/// What a silo's watching tells to whoever listens to the meter <see cref="MeterName"/>: the one place of its names, which are listed in
/// docs/metrics.md. Where nobody listens nothing is measured: instruments are asked whether anybody does before a clock is read, and what
/// the table counts anyway is read only when somebody collects it.
/// </summary>
/// <remarks>Without a factory of meters, as in a simulated silo, there are no instruments. Thread-safe.</remarks>
internal sealed class WatchMetrics
{
    /// <summary>The meter.</summary>
    public const string MeterName = "Watch";

    /// <summary>The tag of the meter that names the silo.</summary>
    public const string SiloTag = "watch.silo";

    private static readonly TimeSpan s_figuresAge = TimeSpan.FromMilliseconds(50);

    private readonly TimeProvider _time;
    private readonly Counter<long>? _published;
    private readonly Counter<long>? _pages;
    private readonly Counter<long>? _sessionBatches;
    private readonly Counter<long>? _sessionBytes;
    private readonly UpDownCounter<int>? _sessions;
    private readonly Histogram<double>? _delivery;

    private readonly Lock _gate = new();
    private readonly long[] _dropped = new long[Enum.GetValues<DropPlace>().Length];
    private Func<WatchFigures>? _readFigures;
    private WatchFigures? _figures;
    private long _readAt;

    public WatchMetrics(TimeProvider time, ILocalSiloDetails silo, IMeterFactory? factory = null)
    {
        _time = time;
        if (factory is null)
            return;
        // Owned by the factory, which ends it with the silo's services.
        var meter = factory.Create(new MeterOptions(MeterName) { Tags = [new(SiloTag, silo.Name)] });
        _published = meter.CreateCounter<long>("watch.published", "{event}", "Events of this silo's writes that were handed to streams, one per revision and watched scope.");
        _pages = meter.CreateCounter<long>("watch.history.pages", "{page}", "Pages of history that were read for watches; by whom they came from.");
        _sessions = meter.CreateUpDownCounter<int>("watch.sessions", "{session}", "Sessions of clients on this silo.");
        _sessionBatches = meter.CreateCounter<long>("watch.session.batches", "{batch}", "Batches that clients acknowledged.");
        _sessionBytes = meter.CreateCounter<long>("watch.session.bytes", "By", "Bytes of events in these batches.");
        _delivery = meter.CreateHistogram<double>("watch.delivery.duration", "s", "From a change's commit, by the leader's wall clock, until a watch's reader took it, or the session of its client; by which.");
        Observe(meter);
    }

    /// <summary>Whether anybody wants to know how long deliveries take; where not, no clock need be read.</summary>
    public bool MeasuresDelivery => _delivery is { Enabled: true };

    /// <summary>From now on the counts of this silo's watches are read here, once per collection.</summary>
    public void ReadFrom(Func<WatchFigures> figures) => Volatile.Write(ref _readFigures, figures);

    /// <summary>Events were dropped.</summary>
    public void Dropped(DropPlace where, long events) => Interlocked.Add(ref _dropped[(int)where], events);

    /// <summary>Events were handed to a stream.</summary>
    public void Published(int events) => _published?.Add(events);

    /// <summary>A page of history was read.</summary>
    public void HistoryPage(HistorySourceKind source) => _pages?.Add(1, new KeyValuePair<string, object?>("source", Name(source)));

    /// <summary>A session began, or ended.</summary>
    public void Sessions(int change) => _sessions?.Add(change);

    /// <summary>A client acknowledged a batch.</summary>
    public void SessionBatch(SessionBatch batch)
    {
        _sessionBatches?.Add(1);
        if (_sessionBytes is not { Enabled: true })
            return;
        var bytes = 0L;
        foreach (var block in batch.Blocks)
            bytes += block.Bytes.Length;
        _sessionBytes.Add(bytes);
    }

    /// <summary>The wall clock, for <see cref="Delivered"/>: when a watch began.</summary>
    public long WallMs => _time.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>A watch's changes were taken by its reader, or into a batch for its client; those from before it began say nothing.</summary>
    public void Delivered(WatchItems items, long begunMs, bool isInProcess)
    {
        if (!MeasuresDelivery || First(items.Parts) is not { } commitTimeMs || commitTimeMs < begunMs)
            return;
        // Two machines' wall clocks may differ by more than a delivery takes; less than nothing is nothing.
        _delivery!.Record(Math.Max(0, WallMs - commitTimeMs) / 1000d, new KeyValuePair<string, object?>("to", isInProcess ? "process" : "session"));
    }

    private static long? First(IReadOnlyList<WatchPart> parts)
    {
        foreach (var part in parts)
        {
            if (part is WatchPart.Events { Commit: var commit })
                return commit.Changes[0].CommitTimeMs;
        }

        return null;
    }

    private void Observe(Meter meter)
    {
        meter.CreateObservableUpDownCounter("watch.watchers", Watchers, "{watcher}", "Watches that this silo serves; by the kind of their target.");
        meter.CreateObservableUpDownCounter("watch.parked", () => Read(figures => figures.Parked), "{watcher}", "Watches that were too slow, gave up their queues, and wait for their consumers.");
        meter.CreateObservableUpDownCounter("watch.queue.events", () => Read(figures => figures.QueuedEvents), "{event}", "Events that wait for consumers of watches.");
        meter.CreateObservableUpDownCounter("watch.queue.bytes", () => Read(figures => figures.QueuedBytes), "By", "Bytes of events that wait for consumers of watches.");
        meter.CreateObservableGauge("watch.lag.revisions", () => Read(figures => figures.LagRevisions), "{revision}", "By how many revisions of its bucket the hindmost watch is behind.");
        meter.CreateObservableCounter("watch.parkings", () => Read(figures => figures.Stats.Parked), "{parking}", "Times that a watch was too slow and gave up its queue.");
        meter.CreateObservableUpDownCounter("watch.scopes", () => Read(figures => figures.Stats.Scopes), "{scope}", "Keys and prefix segments that this silo's watches need.");
        meter.CreateObservableCounter("watch.events.in", () => Read(figures => figures.Stats.EventsIn), "{event}", "Changes that were dispatched, counted once each.");
        meter.CreateObservableCounter("watch.events.out", () => Read(figures => figures.Stats.EventsOut), "{event}", "Changes that were put into watches' queues, counted once per watch.");
        meter.CreateObservableCounter("watch.events.filtered", () => Read(figures => figures.Stats.EventsFiltered), "{event}", "Changes that live watches left out, counted once per watch.");
        meter.CreateObservableCounter("watch.dropped", Dropped, "{event}", "Events that were dropped on their way; by where.");
        meter.CreateObservableCounter("watch.duplicates", () => Read(figures => figures.Stats.DuplicatesDropped), "{message}", "Messages of a revision that this silo had already.");
        meter.CreateObservableCounter("watch.held", () => Read(figures => figures.Stats.MessagesHeld), "{message}", "Early messages that were held until the missing one came.");
        meter.CreateObservableCounter("watch.repaired", () => Read(figures => figures.Stats.GapsRepaired), "{gap}", "Times that changes were read from history which no message had brought.");
        meter.CreateObservableCounter("watch.ended", Ended, "{watcher}", "Watches that ended; by reason.");
    }

    private IEnumerable<Measurement<long>> Read(Func<WatchFigures, long> count) => Figures() is { } figures ? [new Measurement<long>(count(figures))] : [];

    private IEnumerable<Measurement<int>> Watchers() =>
        Figures()?.Watchers.Select(each => new Measurement<int>(each.Count, new KeyValuePair<string, object?>("kind", each.Kind.ToString()))) ?? [];

    private IEnumerable<Measurement<long>> Ended() =>
        Figures()?.Stats.Ended.Select(each => new Measurement<long>(each.Value, new KeyValuePair<string, object?>("reason", each.Key.ToString()))) ?? [];

    private IEnumerable<Measurement<long>> Dropped()
    {
        for (var at = 0; at < _dropped.Length; at++)
            yield return new Measurement<long>(Volatile.Read(ref _dropped[at]), new KeyValuePair<string, object?>("where", Name((DropPlace)at)));
        if (Figures() is { } figures)
            yield return new Measurement<long>(figures.Stats.EventsDropped, new KeyValuePair<string, object?>("where", "policy"));
    }

    // One collection asks every instrument for itself; the table is asked once.
    private WatchFigures? Figures()
    {
        var read = Volatile.Read(ref _readFigures);
        lock (_gate)
        {
            if (read is not null && (_figures is null || _time.GetElapsedTime(_readAt) > s_figuresAge))
                (_figures, _readAt) = (read(), _time.GetTimestamp());
            return _figures;
        }
    }

    private static string Name(DropPlace where) => where switch
    {
        DropPlace.Publisher => "publisher",
        DropPlace.Queue => "queue",
        _ => "forwarder",
    };

    private static string Name(HistorySourceKind source) => source switch
    {
        HistorySourceKind.Own => "own",
        HistorySourceKind.Member => "member",
        _ => "leader",
    };
}
