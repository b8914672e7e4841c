using System.Collections.Immutable;
using System.Net;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Orleans.Providers.Streams.Common;
using Orleans.Runtime;
using Orleans.Streams;
using Watch.Core;
using Watch.Grains;
using Watch.Grains.Diagnostics;
using Watch.Grains.Publishing;
using Watch.Grains.Watching;

namespace Watch.Cluster.Tests;

/// <summary>Hubs tell silos: one call under way to each, the rest waits, bounded; a silo that does not answer costs the others nothing.</summary>
public sealed class ForwarderTests
{
    private static readonly SiloAddress s_own = Address(1);
    private static readonly SiloAddress s_other = Address(2);
    private static readonly SiloAddress s_third = Address(3);
    private readonly FakeCluster _cluster = new();
    private readonly List<string> _told = [];

    [Fact]
    public void Other_silos_are_told_before_this_one()
    {
        var forwarders = New();
        _cluster.Of(s_other).OnDeliver = events => Tell("other", events);
        _cluster.Of(s_third).OnDeliver = events => Tell("third", events);

        forwarders.Forward(Items(Event(1, s_own, s_other, s_third), Event(2, s_own)));

        Assert.Equal(["other 1", "third 1", "own 1 2"], _told);
    }

    [Fact]
    public void To_a_silo_one_call_is_under_way_and_what_comes_meanwhile_is_the_next_call()
    {
        var (forwarders, answers) = (New(), new Queue<TaskCompletionSource>());
        _cluster.Of(s_other).OnDeliver = events =>
        {
            Tell("other", events);
            answers.Enqueue(new TaskCompletionSource());
            return answers.Peek().Task;
        };

        for (var revision = 1; revision <= 5; revision++)
            forwarders.Forward(Items(Event(revision, s_other)));
        Assert.Equal(["other 1"], _told);

        answers.Dequeue().SetResult();
        Assert.Equal(["other 1", "other 2 3 4 5"], _told);
        answers.Dequeue().SetResult();
        forwarders.Forward(Items(Event(6, s_other)));
        Assert.Equal("other 6", _told[^1]);
        Assert.Equal(0, forwarders.Dropped);
    }

    /// <summary>What is dropped is read when somebody collects it, and nobody's listener runs while events are on their way.</summary>
    [Fact]
    public void A_listener_that_throws_keeps_no_silo_from_being_told()
    {
        using var listener = new System.Diagnostics.Metrics.MeterListener
        {
            InstrumentPublished = static (instrument, listener) =>
            {
                if (instrument.Meter.Name.StartsWith("Watch", StringComparison.Ordinal))
                    listener.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>(static (_, _, _, _) => throw new InvalidOperationException("a listener"));
        listener.SetMeasurementEventCallback<int>(static (_, _, _, _) => throw new InvalidOperationException("a listener"));
        listener.Start();
        var (forwarders, frozen) = (New(options => options.ForwardEventsMax = 2), new TaskCompletionSource());
        _cluster.Of(s_other).OnDeliver = events => Tell("other", events, _told.Count == 0 ? frozen.Task : null);

        for (var revision = 1; revision <= 5; revision++)
            forwarders.Forward(Items(Event(revision, s_other)));
        Assert.Equal(2, forwarders.Dropped);
        frozen.SetResult();
        Assert.Equal(["other 1", "other 4 5"], _told);
    }

    [Fact]
    public void A_silo_that_does_not_answer_holds_no_more_than_the_limit_and_delays_no_other()
    {
        const int Limit = 64;
        var forwarders = New(options => options.ForwardEventsMax = Limit);
        var frozen = new TaskCompletionSource();
        _cluster.Of(s_other).OnDeliver = events => Tell("frozen", events, _told.Exists(each => each.StartsWith("frozen", StringComparison.Ordinal)) ? null : frozen.Task);
        _cluster.Of(s_third).OnDeliver = events => Tell("third", events);

        for (var revision = 1; revision <= 1 + Limit + 10; revision++)
            forwarders.Forward(Items(Event(revision, s_other, s_third)));

        Assert.Equal(10, forwarders.Dropped);
        Assert.Equal($"third {1 + Limit + 10}", _told[^1]);
        frozen.SetException(new TimeoutException());
        // The oldest that waited are gone, and the one that was in the call.
        Assert.Equal(11, forwarders.Dropped);
        Assert.Equal("frozen " + string.Join(' ', Enumerable.Range(12, Limit)), _told[^1]);
    }

    [Fact]
    public void What_waits_is_bounded_in_bytes_and_so_is_a_call()
    {
        var (forwarders, sizes, answer) = (New(options => options.ForwardBytesMax = 12 << 20), new List<int>(), new TaskCompletionSource());
        _cluster.Of(s_other).OnDeliver = events =>
        {
            sizes.Add(events.Sum(each => each.CountBytes()));
            return answer.Task;
        };

        for (var revision = 1; revision <= 20; revision++)
            forwarders.Forward(Items(Event(revision, valueBytes: 1 << 20, s_other)));
        Assert.Equal(8, forwarders.Dropped);
        answer.SetResult();

        Assert.All(sizes, size => Assert.InRange(size, 1, SiloForwarders.CallBytesMax));
        Assert.True(sizes.Sum() <= 13 << 20);
    }

    [Fact]
    public void A_silo_that_membership_declares_dead_is_forgotten_and_told_nothing_more()
    {
        var forwarders = New();
        _cluster.Of(s_other).OnDeliver = events => Tell("other", events, new TaskCompletionSource().Task);
        forwarders.Forward(Items(Event(1, s_other)));
        forwarders.Forward(Items(Event(2, s_other)));
        Assert.Equal(1, forwarders.Silos);

        _cluster.Declare(s_other, SiloStatus.Dead);
        forwarders.Forward(Items(Event(3, s_other)));

        Assert.Equal((0, 1L), (forwarders.Silos, forwarders.Dropped));
        Assert.Equal(["other 1"], _told);
    }

    private SiloForwarders New(Action<WatchSiloOptions>? configure = null)
    {
        var options = new WatchSiloOptions();
        configure?.Invoke(options);
        return new SiloForwarders(
            events => Tell("own", events),
            _cluster, _cluster, _cluster, Options.Create(options), new WatchMetrics(TimeProvider.System, _cluster), NullLogger<SiloForwarders>.Instance);
    }

    private Task Tell(string silo, ImmutableArray<ScopeEvent> events, Task? answer = null)
    {
        _told.Add($"{silo} {string.Join(' ', events.Select(each => each.Revision.Value))}");
        return answer ?? Task.CompletedTask;
    }

    private static SiloAddress Address(int number) => SiloAddress.New(new IPEndPoint(IPAddress.Loopback, number), 1);

    private static List<SequentialItem<ScopeEvent>> Items(params ScopeEvent[] events) =>
        [.. events.Select((each, at) => new SequentialItem<ScopeEvent>(each, new EventSequenceToken(at)))];

    private static ScopeEvent Event(long revision, params SiloAddress[] silos) => Event(revision, 1, silos);

    private static ScopeEvent Event(long revision, int valueBytes, params SiloAddress[] silos) => new(
        BucketId.Default,
        Scope.OfKey(Key.Of("/a")),
        new Revision(revision - 1),
        new Revision(revision),
        [
            new Change
            {
                Key = Key.Of("/a"), Kind = ChangeKind.Put, Value = new byte[valueBytes], PreviousValue = null,
                Revision = new Revision(revision), CreateRevision = new Revision(1), Version = revision, CommitTimeMs = 0,
            },
        ],
        [.. silos.Select(each => each.ToParsableString())]);

    private sealed class FakeCluster : IWatchDispatcherClient, IClusterMembershipService, ILocalSiloDetails
    {
        private readonly Dictionary<SiloAddress, FakeDispatcher> _dispatchers = [];
        private readonly Dictionary<SiloAddress, SiloStatus> _states = new() { [s_own] = SiloStatus.Active, [s_other] = SiloStatus.Active, [s_third] = SiloStatus.Active };
        private long _version = 1;

        public SiloAddress SiloAddress => s_own;

        public SiloAddress GatewayAddress => s_own;

        public string Name => "own";

        public string ClusterId => "fake";

        public string DnsHostName => "localhost";

        public ClusterMembershipSnapshot CurrentSnapshot => new(
            _states.ToImmutableDictionary(each => each.Key, each => new ClusterMember(each.Key, each.Value, each.Key.ToParsableString())), new MembershipVersion(_version));

        public IAsyncEnumerable<ClusterMembershipSnapshot> MembershipUpdates => throw new NotSupportedException();

        public FakeDispatcher Of(SiloAddress silo)
        {
            if (!_dispatchers.TryGetValue(silo, out var dispatcher))
                _dispatchers.Add(silo, dispatcher = new FakeDispatcher());
            return dispatcher;
        }

        public void Declare(SiloAddress silo, SiloStatus status)
        {
            _states[silo] = status;
            _version++;
        }

        public IWatchDispatcherService At(SiloAddress silo) => Of(silo);

        public ValueTask Refresh(MembershipVersion minimumVersion = default, CancellationToken cancellationToken = default) => ValueTask.CompletedTask;

        public Task<bool> TryKill(SiloAddress siloAddress) => Task.FromResult(false);
    }

    private sealed class FakeDispatcher : IWatchDispatcherService
    {
        public Task<ImmutableArray<WatcherInfo>> Describe(WatchersQuestion question) => throw new NotSupportedException();

        public Task<bool> EndWatch(long id) => throw new NotSupportedException();

        public Func<ImmutableArray<ScopeEvent>, Task> OnDeliver { get; set; } = _ => Task.CompletedTask;

        public Task Deliver(ImmutableArray<ScopeEvent> events) => OnDeliver(events);

        public Task<ImmutableArray<BucketScopes>> ScopesOf(ImmutableArray<BucketId> buckets) => Task.FromResult(ImmutableArray<BucketScopes>.Empty);
    }
}
