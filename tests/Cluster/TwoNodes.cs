using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans;
using Orleans.Runtime;
using Watch.Core;
using Watch.Core.Consensus;
using Watch.Core.Consensus.Messages;
using Watch.Core.Keyspace;
using Watch.Core.Storage;
using Watch.Grains;
using Watch.Grains.Consensus;
using Watch.Grains.Nodes;
using Watch.Grains.Storage;

namespace Watch.Cluster.Tests;

/// <summary>
/// A real <see cref="Replica"/> that leads the default bucket with one other voter, whose answers arrive when a test says so. Everything
/// happens on one scheduler, one piece at a time, as in the turns of a grain service, and the clock stands still.
/// </summary>
internal sealed class TwoNodes : IAsyncDisposable
{
    private readonly FakeSilos _silos = new();
    private readonly FakeReplicaService _post;
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("watch-two-nodes-");
    private readonly Node _other;
    private readonly IOptions<WatchSiloOptions> _options;
    private readonly ReplicaRules _rules;
    private Lifecycle _lifecycle = new();
    private int _taken;

    private TwoNodes(ReplicaRules rules)
    {
        _post = _silos.Add(2);
        _rules = rules;
        _options = Options.Create(new WatchSiloOptions { DataDirectory = _folder.FullName, NodeName = "own", Bootstrap = "own" });
        _other = new Node(new NodeIdentity("other", new NodeId((UInt128)2)), new RecoveredLog(), new RaftOptions(), () => 0.5);
    }

    /// <summary>What was logged as a warning or worse.</summary>
    public List<string> Log { get; } = [];

    public ManualTime Time { get; } = new();

    public HeldDisk Disk { get; } = new();

    public OwnReplica Own { get; private set; } = null!;

    public ScopeInquiry Inquiry { get; private set; } = null!;

    public Replica Replica { get; private set; } = null!;

    public SiloAddress OtherSilo { get; } = FakeSilos.Address(2);

    /// <summary>All silos, the own one and the other one's among them.</summary>
    public FakeSilos Silos => _silos;

    /// <summary>A driver of the cluster's nodes over this replica, which all silos hear of.</summary>
    public async Task<NodesDriver> DriveAsync()
    {
        var desk = new ClusterDesk(_silos, _silos, _silos, _options, Time);
        var driver = new NodesDriver(Replica, _silos, desk, _options, Time, new LogOf<NodesDriver>(Log));
        _silos.Add(1).OnDescribeNode = driver.Report;
        await driver.BeginAsync();
        await PassAsync();
        return driver;
    }

    /// <summary>Makes the other node a voter of a group, as it is of the default bucket's.</summary>
    public async Task MakeVoterAsync(GroupId group)
    {
        foreach (var kind in new[] { MembershipChangeKind.AddLearner, MembershipChangeKind.Promote })
        {
            Assert.Equal(MembershipOutcome.Appended, Replica.Node.Change(group, new MembershipChange(kind, _other.Self.Id), Replica.Now));
            Replica.Wake();
            await TalkAsync();
        }
    }

    /// <summary>Stops the replica, as a silo that stops does.</summary>
    public Task StopAsync() => _lifecycle.StopAsync();

    /// <summary>Runs a test with two nodes in turns.</summary>
    public static Task RunAsync(ReplicaRules rules, Func<TwoNodes, Task> test) => InTurnsAsync(async () =>
    {
        await using var nodes = new TwoNodes(rules);
        await nodes.StartAsync();
        await test(nodes);
    });

    /// <summary>Runs a test on a scheduler of its own, one piece at a time, as a grain service's calls run.</summary>
    public static Task InTurnsAsync(Func<Task> test) =>
        Task.Factory.StartNew(test, CancellationToken.None, TaskCreationOptions.None, new ConcurrentExclusiveSchedulerPair().ExclusiveScheduler).Unwrap();

    /// <summary>Puts a write into the log; the other node's acknowledgement is not delivered.</summary>
    public async Task<Task<ProposeReply>> ProposeAsync(string key, string value)
    {
        var command = WriteCommand.Put(Key.Of(key), Watching.Bytes(value));
        var outcome = Replica.Node.Propose(GroupId.Default, [CommandCodec.Encode(command)], Replica.Now);
        Assert.True(outcome.Accepted);
        var reply = Replica.LeadingOf(BucketId.Default)!.WaitFor(outcome.First, outcome.Term, [command]);
        Replica.Wake();
        await PassAsync();
        return reply;
    }

    /// <summary>What the other node says to all that has reached it.</summary>
    public ImmutableArray<ReadOnlyMemory<byte>> OthersAnswers()
    {
        foreach (var bytes in _post.Delivered.Skip(_taken).SelectMany(call => call))
            _other.Step(ParcelCodec.Decode(bytes), Replica.Now);
        _taken = _post.Delivered.Count;
        var answers = ImmutableArray.CreateBuilder<ReadOnlyMemory<byte>>();
        var batch = new LogBatch();
        for (var worked = true; worked;)
        {
            worked = _other.TryCollect(batch);
            if (worked)
                _other.Persisted(Replica.Now);
            batch.Clear();
            while (_other.TryTakeCommitted(Replica.Now, out _))
                worked = true;
            while (_other.TryTakeParcel(Replica.Now, out var parcel))
                answers.Add(ParcelCodec.Encode(parcel));
        }

        return answers.ToImmutable();
    }

    /// <summary>Lets both talk until they have nothing more to say.</summary>
    public async Task TalkAsync()
    {
        for (var quiet = false; !quiet;)
        {
            await PassAsync();
            var answers = OthersAnswers();
            quiet = answers.IsEmpty;
            Replica.Hear(OtherSilo, answers);
        }
    }

    /// <summary>What the other node was sent and has not heard yet.</summary>
    public IEnumerable<Message> Unheard => _post.Delivered.Skip(_taken).SelectMany(call => call).SelectMany(bytes => ParcelCodec.Decode(bytes).Messages);

    /// <summary>Called whenever something leaves for the other node.</summary>
    public void WhenSomethingLeaves(Action look) => _post.OnDeliver = () =>
    {
        look();
        return Task.CompletedTask;
    };

    /// <summary>Lets everything run that waits for its turn.</summary>
    public static async Task PassAsync()
    {
        for (var turn = 0; turn < 50; turn++)
            await Task.Yield();
    }

    public async ValueTask DisposeAsync()
    {
        // A test that fails while it holds the disk must end, too.
        Disk.Go();
        await _lifecycle.StopAsync();
        _folder.Delete(recursive: true);
    }

    /// <summary>Stops the replica and starts it again on its folder; the other node has not spoken to it yet.</summary>
    public async Task RestartAsync()
    {
        await _lifecycle.StopAsync();
        await MakeAsync();
        Replica.Start();
        await PassAsync();
    }

    private async Task MakeAsync()
    {
        _lifecycle = new Lifecycle();
        var storage = new NodeStorage(new PhysicalFileSystem(), Disk, new SystemWatchRandom(), _silos, _options, new LogOf<NodeStorage>(Log));
        storage.Participate(_lifecycle);
        Own = new OwnReplica(Time);
        Inquiry = new ScopeInquiry(_silos, _silos, new LogOf<ScopeInquiry>(Log));
        await _lifecycle.StartAsync();
        Replica = new Replica(
            storage, Time, new SystemWatchRandom(), new NodeHealth(), new Postman(_silos, _silos, _silos, Time, new LogOf<Postman>(Log)), Own, Inquiry, _options,
            new LogOf<Replica>(Log), null, new ShellOf(_rules));
    }

    private async Task StartAsync()
    {
        await MakeAsync();
        Replica.BeBorn();
        Replica.Start();
        _other.Start(Replica.Now);
        await PassAsync();
        await MakeVoterAsync(GroupId.Default);
        Assert.NotNull(Replica.LeadingOf(BucketId.Default));
    }

    private sealed class ShellOf(ReplicaRules rules) : ReplicaSeams
    {
        internal override ReplicaRules Shell => rules;
    }

    /// <summary>A disk whose work is done at once, or held until a test lets it go on.</summary>
    internal sealed class HeldDisk : IDiskWorker
    {
        private TaskCompletionSource? _held;

        public void Hold() => _held = new TaskCompletionSource();

        public void Go()
        {
            var held = _held;
            _held = null;
            held?.SetResult();
        }

        public async ValueTask Run(Action job)
        {
            if (_held is { } held)
                await held.Task;
            job();
        }
    }

    private sealed class Lifecycle : ISiloLifecycle
    {
        private readonly List<ILifecycleObserver> _observers = [];

        public int HighestCompletedStage => 0;

        public int LowestStoppedStage => 0;

        public IDisposable Subscribe(string observerName, int stage, ILifecycleObserver observer)
        {
            _observers.Add(observer);
            return new MemoryStream();
        }

        public Task StartAsync() => _observers.Single().OnStart(CancellationToken.None);

        public Task StopAsync() => _observers.Single().OnStop(CancellationToken.None);
    }

    private sealed class LogOf<T>(List<string> lines) : ILogger<T>
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
                lines.Add(formatter(state, exception));
        }
    }
}

/// <summary>A clock that stands until a test moves it; timers fire only when a test says so.</summary>
/// <param name="repeats">Whether timers that have a period fire again.</param>
internal sealed class ManualTime(bool repeats = false) : TimeProvider
{
    private readonly List<Manual> _timers = [];
    private long _ticks = TimeSpan.TicksPerHour;

    /// <summary>How many timers there are.</summary>
    public int Timers => _timers.Count;

    private bool Repeats => repeats;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => _ticks;

    public void Advance(TimeSpan span) => _ticks += span.Ticks;

    /// <summary>Lets the timers fire whose time has come.</summary>
    public void Fire()
    {
        foreach (var timer in _timers.ToList())
            timer.FireIfDue(_ticks);
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new Manual(this, callback, state);
        timer.Change(dueTime, period);
        _timers.Add(timer);
        return timer;
    }

    private sealed class Manual(ManualTime time, TimerCallback callback, object? state) : ITimer
    {
        private long? _due;
        private TimeSpan _period;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            _due = dueTime == Timeout.InfiniteTimeSpan ? null : time._ticks + dueTime.Ticks;
            _period = time.Repeats ? period : Timeout.InfiniteTimeSpan;
            return true;
        }

        public void FireIfDue(long now)
        {
            if (_due is not { } due || due > now)
                return;
            _due = _period > TimeSpan.Zero ? now + _period.Ticks : null;
            callback(state);
        }

        public void Dispose() => time._timers.Remove(this);

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
