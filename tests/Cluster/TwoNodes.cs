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
    private readonly Lifecycle _lifecycle = new();
    private int _taken;

    private TwoNodes(ReplicaRules rules)
    {
        _post = _silos.Add(2);
        var options = Options.Create(new WatchSiloOptions { DataDirectory = _folder.FullName, NodeName = "own", Bootstrap = "own" });
        var storage = new NodeStorage(new PhysicalFileSystem(), new InlineDisk(), new SystemWatchRandom(), _silos, options, new LogOf<NodeStorage>(Log));
        storage.Participate(_lifecycle);
        var postman = new Postman(_silos, _silos, _silos, Time, new LogOf<Postman>(Log));
        Own = new OwnReplica(Time);
        Inquiry = new ScopeInquiry(_silos, _silos, new LogOf<ScopeInquiry>(Log));
        Make = () => new Replica(storage, Time, new SystemWatchRandom(), new NodeHealth(), postman, Own, Inquiry, options, new LogOf<Replica>(Log), null, new ShellOf(rules));
        _other = new Node(new NodeIdentity("other", new NodeId((UInt128)2)), new RecoveredLog(), new RaftOptions(), () => 0.5);
    }

    /// <summary>What was logged as a warning or worse.</summary>
    public List<string> Log { get; } = [];

    public ManualTime Time { get; } = new();

    public OwnReplica Own { get; }

    public ScopeInquiry Inquiry { get; }

    public Replica Replica { get; private set; } = null!;

    public SiloAddress OtherSilo { get; } = FakeSilos.Address(2);

    private Func<Replica> Make { get; }

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
        await _lifecycle.StopAsync();
        _folder.Delete(recursive: true);
    }

    private async Task StartAsync()
    {
        await _lifecycle.StartAsync();
        Replica = Make();
        Replica.BeBorn();
        Replica.Start();
        _other.Start(Replica.Now);
        await PassAsync();
        foreach (var kind in new[] { MembershipChangeKind.AddLearner, MembershipChangeKind.Promote })
        {
            Assert.Equal(MembershipOutcome.Appended, Replica.Node.Change(GroupId.Default, new MembershipChange(kind, _other.Self.Id), Replica.Now));
            Replica.Wake();
            await TalkAsync();
        }

        Assert.NotNull(Replica.LeadingOf(BucketId.Default));
    }

    private sealed class ShellOf(ReplicaRules rules) : ReplicaSeams
    {
        internal override ReplicaRules Shell => rules;
    }

    private sealed class InlineDisk : IDiskWorker
    {
        public ValueTask Run(Action job)
        {
            job();
            return ValueTask.CompletedTask;
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

/// <summary>A clock that stands until a test moves it; timers never fire by themselves.</summary>
internal sealed class ManualTime : TimeProvider
{
    private long _ticks = TimeSpan.TicksPerHour;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => _ticks;

    public void Advance(TimeSpan span) => _ticks += span.Ticks;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => new Inert();

    private sealed class Inert : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period) => true;

        public void Dispose()
        {
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
