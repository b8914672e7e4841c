using System.Threading.Channels;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Watch.Core;
using Watch.Core.Consensus;
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
/// a batch is at the disk, what is proposed gathers in the node and goes into the next batch, whichever group it belongs to.
///
///   P1  Persist, sync, then acknowledge and apply: in <see cref="GroupCommit"/>, and nowhere else.
///   P2  Nothing is answered from this replica unless it leads with an entry of its own term committed.
///   P3  After an error of the disk nothing is accepted or answered any more: what the disk holds is unknown.
/// </remarks>
internal sealed partial class Replica
{
    private const int LeaseMs = 5_000;
    private const int MarginMs = 500;
    private static readonly RaftOptions s_raft = new() { Lease = TimeSpan.FromMilliseconds(LeaseMs), Margin = TimeSpan.FromMilliseconds(MarginMs) };
    private static readonly TimeSpan s_sealAfter = TimeSpan.FromMilliseconds(50);

    private readonly NodeStorage _storage;
    private readonly TimeProvider _time;
    private readonly IWatchRandom _random;
    private readonly WatchSiloOptions _options;
    private readonly ILogger<Replica> _logger;
    private readonly Dictionary<GroupId, BucketReplica> _buckets = [];

    // One token: "look again". Writing it never blocks and never piles up.
    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Node? _node;
    private GroupCommit? _commits;
    private bool _running;
    private bool _stopping;
    private readonly NodeHealth _health;
    private readonly IHostApplicationLifetime? _host;
    private readonly ReplicaSeams _seams;

    public Replica(
        NodeStorage storage,
        TimeProvider time,
        IWatchRandom random,
        NodeHealth health,
        IOptions<WatchSiloOptions> options,
        ILogger<Replica> logger,
        IHostApplicationLifetime? host = null,
        ReplicaSeams? seams = null)
    {
        _seams = seams ?? ReplicaSeams.None;
        _health = health;
        _host = host;
        _storage = storage;
        _time = time;
        _random = random;
        _options = options.Value;
        _logger = logger;
        storage.CloseAfter(StopAsync);
    }

    /// <summary>The node's state machine.</summary>
    public Node Node => _node ??= new Node(_storage.Folder.Identity, _storage.Recovered, s_raft, _random.NextFraction, _seams.Rules);

    /// <summary>Why it accepts nothing; null while it does.</summary>
    public Refusal? Unavailable => this switch
    {
        { _health.Failure: { } failure } => new Refusal(RefusalKind.Failed, $"The node stopped: {failure.Message}"),
        { _stopping: true } => new Refusal(RefusalKind.ShuttingDown, "The node is stopping."),
        _ => null,
    };

    /// <summary>The cluster's incarnation as text; empty where this node belongs to none.</summary>
    public string Incarnation => Node.Incarnation is { } incarnation ? incarnation.ToString("x32", System.Globalization.CultureInfo.InvariantCulture) : "";

    /// <summary>How long the log is on disk.</summary>
    public long LogBytes => _storage.Folder.Log.End.Value;

    /// <summary>What the clocks show.</summary>
    public Moment Now => new(_time.GetElapsedTime(0), _time.GetUtcNow().ToUnixTimeMilliseconds());

    /// <summary>The bucket's state if this node may speak for it (P2); null otherwise.</summary>
    public BucketReplica? LeadingOf(BucketId bucket)
    {
        if (Unavailable is not null || !_running || !Node.Catalogue.Buckets.TryGetValue(bucket, out var info))
            return null;
        return Node.Groups.TryGetValue(info.Group, out var group) && group.LeadsWithOwnTermCommitted ? Of(info.Group, bucket) : null;
    }

    /// <summary>Lets a cluster be born on this node's empty folder.</summary>
    public void BeBorn()
    {
        var incarnation = new UInt128(_random.NextBits(), _random.NextBits() | 1);
        Node.BeBorn(incarnation, LeaseMs, MarginMs, Now);
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

    /// <summary>Something waits for the log.</summary>
    public void Wake() => _wake.Writer.TryWrite(true);

    private async Task RunAsync()
    {
        try
        {
            _commits = new GroupCommit(Node, _storage.Folder.Log, _storage.Disk, () => Now);
            while (!_stopping || Node.HasToPersist)
            {
                if (!await _commits.RoundAsync(Apply))
                    await WaitAsync();
                TellRoles();
            }

            await _commits.SealAsync();
        }
        catch (Exception error)
        {
            Fail(error);
        }
        finally
        {
            _stopped.TrySetResult();
        }
    }

    private void Apply(CommittedEntries committed)
    {
        _seams.Applying(Node.Self, committed);
        if (committed.Group == GroupId.System)
            return;
        var bucket = Of(committed.Group, BucketOf(committed.Group));
        foreach (var entry in committed.Entries.Span)
            bucket.Apply(entry);
        var now = Now;
        if (bucket.DueCompaction(now.Monotonic) is { } compaction && Node.Propose(committed.Group, [CommandCodec.Encode(compaction)], now).Accepted)
            bucket.CompactionProposed(compaction, now.Monotonic);
    }

    private void TellRoles()
    {
        while (Node.TryTakeRoleChange(out var change))
            LogRole(_logger, change.Group.Value, change.Role, change.Term.Value);
    }

    private async Task WaitAsync()
    {
        if (_storage.Folder.Log.NeedsSeal)
        {
            // Sealing costs a sync, so a log that is only pausing between two writes is not sealed.
            using var pause = new CancellationTokenSource(s_sealAfter, _time);
            try
            {
                await _wake.Reader.WaitToReadAsync(pause.Token);
            }
            catch (OperationCanceledException) when (pause.IsCancellationRequested)
            {
                await _commits!.SealAsync();
                return;
            }
        }
        else
        {
            await _wake.Reader.WaitToReadAsync();
        }

        _wake.Reader.TryRead(out _);
    }

    private async Task StopAsync()
    {
        _stopping = true;
        Wake();
        if (_running)
            await _stopped.Task;
    }

    /// <summary>P3. The silo stops with its node: a process that serves nothing must not look alive.</summary>
    private void Fail(Exception error)
    {
        _health.Fail(error);
        LogFailed(_logger, error);
        foreach (var bucket in _buckets.Values)
            bucket.Fail(error);
        _host?.StopApplication();
    }

    private BucketReplica Of(GroupId group, BucketId bucket)
    {
        if (!_buckets.TryGetValue(group, out var replica))
            _buckets.Add(group, replica = new BucketReplica(bucket, group, _options));
        return replica;
    }

    private BucketId BucketOf(GroupId group)
    {
        foreach (var info in Node.Catalogue.Buckets.Values)
            if (info.Group == group)
                return info.Id;
        throw new InvariantViolationException($"group {group} commits entries but the catalogue has no bucket for it");
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Cluster {Incarnation} is born on node {Node}")]
    private static partial void LogBorn(ILogger logger, string incarnation, string node);

    [LoggerMessage(Level = LogLevel.Information, Message = "Group {Group}: {Role} in term {Term}")]
    private static partial void LogRole(ILogger logger, int group, Role role, long term);

    [LoggerMessage(Level = LogLevel.Critical, Message = "The node stopped: it accepts and answers nothing until it is restarted")]
    private static partial void LogFailed(ILogger logger, Exception error);
}
