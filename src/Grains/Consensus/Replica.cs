using System.Collections.Immutable;
using System.Threading.Channels;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.Runtime;
using Watch.Core;
using Watch.Core.Consensus;
using Watch.Core.Consensus.Messages;
using Watch.Core.Keyspace;
using Watch.Core.Storage;
using Watch.Grains.Storage;

namespace Watch.Grains.Consensus;

/// <summary>
/// The shell of this node's replica: it owns the node's state machine, the state of every bucket, and the loop that writes the log.
/// </summary>
/// <remarks>
/// Everything here runs in the turns of <see cref="ReplicaService"/>, one at a time, so between two awaits nothing changes: a read sees
/// one revision, a registration falls between two commits. The one loop in <see cref="RunAsync"/> is the only writer of the log; while
/// a batch is at the disk, what is proposed gathers in the node and goes into the next batch, whichever group it belongs to. What must not
/// wait for the disk (heartbeats, votes, questions of reads, time) is said by <see cref="TalkAsync"/> meanwhile.
///
///   P1  Persist, sync, then acknowledge and apply: in <see cref="GroupCommit"/>, and, for what is written
///       again of old segments, in <see cref="SnapshotKeeper"/> between its rounds; nowhere else.
///   P2  Nothing is answered from this replica as the group's word unless it leads with an entry of its own term committed, and a majority
///       has confirmed that after the question came (<see cref="ConfirmAsync"/>). A lone voter is that majority.
///   P3  After an error of the disk nothing is accepted or answered any more: what the disk holds is unknown. The same holds from the moment
///       at which a rule of the node's state machine did not hold, also for what was at the disk then: nobody is told of it.
/// </remarks>
internal sealed partial class Replica
{
    private static readonly TimeSpan s_sealAfter = TimeSpan.FromMilliseconds(50);

    private readonly NodeStorage _storage;
    private readonly RaftOptions _raft;
    private readonly TimeProvider _time;
    private readonly IWatchRandom _random;
    private readonly WatchSiloOptions _options;
    private readonly ILogger<Replica> _logger;
    private readonly Dictionary<GroupId, BucketReplica> _buckets = [];

    // One token each: "look again". Writing it never blocks and never piles up.
    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });
    private readonly Channel<bool> _talk = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });
    private readonly WakeTimer _timer;
    private readonly Postman _postman;
    private readonly OwnReplica _own;
    private readonly ScopeInquiry _inquiry;
    private readonly ReplicaRules _rules;
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Node? _node;
    private GroupCommit? _commits;
    private SnapshotKeeper? _snapshots;
    private Exception? _broken;
    private bool _running;
    private bool _stopping;
    private bool _removed;
    private bool _waits;
    private long _end;
    private TimeSpan _sealAt;
    private TimeSpan _oldAt = TimeSpan.MaxValue;
    private readonly NodeHealth _health;
    private readonly IHostApplicationLifetime? _host;
    private readonly ReplicaSeams _seams;

    public Replica(
        NodeStorage storage,
        TimeProvider time,
        IWatchRandom random,
        NodeHealth health,
        Postman postman,
        OwnReplica own,
        ScopeInquiry inquiry,
        IOptions<WatchSiloOptions> options,
        ILogger<Replica> logger,
        IHostApplicationLifetime? host = null,
        ReplicaSeams? seams = null)
    {
        _seams = seams ?? ReplicaSeams.None;
        _rules = _seams.Shell;
        _postman = postman;
        _own = own;
        _inquiry = inquiry;
        _timer = new WakeTimer(time, WakeAtOnce);
        _health = health;
        _host = host;
        _storage = storage;
        _time = time;
        _random = random;
        _options = options.Value;
        _logger = logger;
        _raft = storage.Raft;
        storage.CloseAfter(StopAsync);
    }

    /// <summary>Called when an entry of the system group was applied, and when this node's role in it has changed.</summary>
    public Action? SystemChanged { get; set; }

    /// <summary>The node's state machine.</summary>
    public Node Node => _node ??= new Node(_storage.Folder.Identity, _seams.Recovered(_storage.Recovered), _raft, _random.NextFraction, _seams.Rules, _random.NextBits());

    /// <summary>Why it accepts nothing; null while it does.</summary>
    public Refusal? Unavailable => this switch
    {
        { _health.Failure: { } failure } => new Refusal(RefusalKind.Failed, $"The node stopped: {failure.Message}"),
        { _broken: { } broken } => new Refusal(RefusalKind.Failed, $"The node stopped: {broken.Message}"),
        { _stopping: true } => new Refusal(RefusalKind.ShuttingDown, "The node is stopping."),
        _ => null,
    };

    /// <summary>Whether the node takes part: it was started, was not removed, and has not stopped.</summary>
    public bool Serves => _running && !_removed && Unavailable is null;

    /// <summary>The cluster's incarnation as text; empty where this node belongs to none.</summary>
    public string Incarnation => Node.Incarnation is { } incarnation ? incarnation.ToString("x32", System.Globalization.CultureInfo.InvariantCulture) : "";

    /// <summary>How long the log is on disk.</summary>
    public long LogBytes => _storage.Folder.Log.End - _storage.Folder.Log.Begin;

    /// <summary>What the clocks show.</summary>
    public Moment Now => new(_time.GetElapsedTime(0), _time.GetUtcNow().ToUnixTimeMilliseconds());

    /// <summary>Lets a cluster be born on this node's empty folder.</summary>
    public void BeBorn()
    {
        var incarnation = new UInt128(_random.NextBits(), _random.NextBits() | 1);
        Node.BeBorn(incarnation, (int)_raft.Lease.TotalMilliseconds, (int)_raft.Margin.TotalMilliseconds, Now);
        LogBorn(_logger, Incarnation, Node.Self.Name);
    }

    /// <summary>Starts the loop: recovered groups stand for election, and what they commit is applied.</summary>
    public void Start()
    {
        Node.Start(Now);
        _running = true;
        // Owned by this object: it ends in StopAsync, and its failures end in the node's health.
        _ = RunAsync();
    }

    /// <summary>The node was removed from its cluster: it takes part in nothing and answers nothing any more. Its silo takes calls to the others.</summary>
    public void Leave()
    {
        _removed = true;
        _own.Close();
        Wake();
    }

    /// <summary>Something waits for the log.</summary>
    public void Wake() => _wake.Writer.TryWrite(true);

    /// <summary>Something waits to be said that has nothing to do with the disk.</summary>
    private void WakeAtOnce()
    {
        Wake();
        _talk.Writer.TryWrite(true);
    }

    /// <summary>Hands over what this node leads with others; done when the messages that say so have left, or were lost.</summary>
    public async Task ResignAsync()
    {
        if (!Serves)
            return;
        Try(
            () =>
            {
                Node.Resign(Now);
                return true;
            },
            false);
        TellRoles();
        WakeAtOnce();
        // The release waits for no disk, so one turn of either loop sends it.
        await Task.Yield();
        TalkNow();
        await _postman.WhenGone();
    }

    private async Task RunAsync()
    {
        try
        {
            _commits = new GroupCommit(Node, _storage.Folder.Log, _storage.Disk, () => Now, Ship, ThrowIfBroken);
            _snapshots = new SnapshotKeeper(Node, _storage.Folder, _storage.Disk, () => Now, Of, _seams.Keyspace, ThrowIfBroken, _logger);
            _storage.CloseFirst(_snapshots.Close);
            // Owned by this loop: it ends when its channel is completed below.
            _ = TalkAsync();
            while (!(_stopping || _removed) || Node.HasToPersist)
            {
                ThrowIfBroken();
                Node.Tick(Now);
                GiveUpOld();
                var wrote = await _commits.RoundAsync(Apply);
                if (!await _snapshots.StepAsync(Settle) && !wrote)
                    await WaitAsync();
                Settle();
            }

            await _commits.SealAsync();
        }
        catch (Exception error)
        {
            Fail(error);
        }
        finally
        {
            _talk.Writer.TryComplete();
            _timer.Dispose();
            FailReads();
            // Nobody who waits is left behind, however the loop ended.
            foreach (var bucket in _buckets.Values)
                bucket.Fail("the node stopped");
            SystemChanged?.Invoke();
            _stopped.TrySetResult();
        }
    }

    /// <summary>Says what is urgent while the other loop waits for the disk.</summary>
    private async Task TalkAsync()
    {
        while (await _talk.Reader.WaitToReadAsync())
        {
            _talk.Reader.TryRead(out _);
            if (!_waits)
                TalkNow();
        }
    }

    private void TalkNow()
    {
        if (_commits is null || !Serves)
            return;
        try
        {
            Node.Tick(Now);
            Settle();
        }
        catch (Exception error)
        {
            Break(error);
        }
    }

    /// <summary>Tells whoever waits what has come out.</summary>
    private void Settle()
    {
        if (_broken is not null)
            return;                                                      // P3
        TellRoles();
        _commits!.Talk(Apply);
        TellLeases();
        if (Node.HasSnapshotWork)
            Wake();
        while (Node.TryTakeReadAnswer(Now, out var answer))
        {
            if (_reads.Remove((answer.Group, answer.Ticket), out var read))
                read.TrySetResult(answer.Confirmed);
        }

        // Time goes on while the disk works: a leader whose disk is slow is no leader that is silent.
        if (_rules.KeepsTimeAtTheDisk && Node.NextDeadline is { } due)
            _timer.WakeBy(due, Now.Monotonic);
    }

    private void Apply(CommittedEntries committed)
    {
        _seams.Applying(Node.Self, committed);
        if (committed.Group == GroupId.System)
        {
            foreach (var known in _buckets.Values)
                Open(known);
            foreach (var node in Node.Catalogue.Removed.Keys)
                _postman.Forget(node);
            SystemChanged?.Invoke();
            return;
        }

        var bucket = Of(committed.Group);
        if (committed.Snapshot is { } snapshot)
            bucket.Install(_snapshots!.Take(snapshot), snapshot.Index);
        bucket.Apply(committed.Entries.Span);
        Open(bucket);
        Compact(bucket, Now);
    }

    /// <summary>Waits for something to do: an input, a deadline of the node, or the time to seal the log.</summary>
    private async Task WaitAsync()
    {
        var log = _storage.Folder.Log;
        var now = Now.Monotonic;
        var due = Node.NextDeadline ?? TimeSpan.MaxValue;
        if (log.NeedsSeal)
        {
            // Sealing costs a sync, so a log that is only pausing between two writes is not sealed.
            if (_end != log.End.Value)
                (_end, _sealAt) = (log.End.Value, now + s_sealAfter);
            if (now >= _sealAt)
            {
                await _commits!.SealAsync();
                return;
            }

            due = due < _sealAt ? due : _sealAt;
        }

        due = due < _oldAt ? due : _oldAt;
        if (due <= now)
            return;
        _timer.WakeBy(due, now);
        _waits = true;
        await _wake.Reader.WaitToReadAsync();
        _waits = false;
        _wake.Reader.TryRead(out _);
    }

    private async Task StopAsync()
    {
        _stopping = true;
        _own.Close();
        Wake();
        if (_running)
            await _stopped.Task;
    }

    /// <summary>P3. The silo stops with its node: a process that serves nothing must not look alive.</summary>
    private void Fail(Exception error)
    {
        _health.Fail(error);
        _own.Close();
        LogFailed(_logger, error);
        foreach (var bucket in _buckets.Values)
            bucket.Fail($"the node stopped: {error.Message}");
        _host?.StopApplication();
    }

    /// <summary>The node cannot go on, found out outside the loop that ends by it. From here on nothing is acknowledged (P3).</summary>
    public void Break(Exception error)
    {
        _broken ??= error;
        _own.Close();
        Wake();
    }

    private void ThrowIfBroken()
    {
        if (_broken is { } broken)
            throw broken;
    }

    private void FailReads()
    {
        foreach (var read in _reads.Values)
            read.TrySetResult(false);
        _reads.Clear();
    }

    private BucketReplica Of(GroupId group)
    {
        if (!_buckets.TryGetValue(group, out var replica))
            _buckets.Add(group, replica = _storage.BucketOf(group, _options, _rules));
        return replica;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Cluster {Incarnation} is born on node {Node}")]
    private static partial void LogBorn(ILogger logger, string incarnation, string node);

    [LoggerMessage(Level = LogLevel.Information, Message = "Group {Group}: {Role} in term {Term}")]
    private static partial void LogRole(ILogger logger, int group, Role role, long term);

    [LoggerMessage(Level = LogLevel.Critical, Message = "The node stopped: it accepts and answers nothing until it is restarted")]
    private static partial void LogFailed(ILogger logger, Exception error);
}
