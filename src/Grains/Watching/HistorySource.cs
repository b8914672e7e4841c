using Orleans.Runtime;
using Watch.Core;
using Watch.Core.Keyspace;
using Watch.Core.Watching;
using Watch.Grains.Consensus;
using Watch.Grains.Diagnostics;

namespace Watch.Grains.Watching;

/// <summary>
/// Reads history and keys for this silo's watches, and keeps that away from the leader, who orders the writes: a thousand watches that
/// are behind are no reason for a write to wait.
/// </summary>
/// <remarks>
/// <para>Whom it asks, in this order: the own replica, where it follows and has come so far or soon does; another member that follows; the
/// leader, of subscriptions one question at a time. What everybody who is live waits for (a repair) does not look around: where the own
/// replica leads, it is asked of it at once.</para>
/// <list type="bullet">
/// <item>I-H1: what a replica answers that has applied everything up to the revision asked for is the answer: it has applied the same log,
/// and that something is compacted is an entry of the log, too. One that is behind does not answer.</item>
/// <item>I-H2: nobody answers from a state that is not open (O2 of <see cref="BucketReading"/>).</item>
/// </list>
/// <para>The own replica is read under the lock that keeps its applying away, a slice at a time, and others get their turn in between.
/// Used in the turns of <see cref="DispatcherLoop"/>.</para>
/// </remarks>
internal sealed class HistorySource(
    OwnReplica own,
    LeaderLocator leaders,
    IReplicaServiceClient replicas,
    IClusterMembershipService membership,
    ILocalSiloDetails local,
    TimeProvider time,
    WatchMetrics metrics,
    ReplicaSeams? seams = null) : IHistorySource
{
    /// <summary>How long the own replica is waited for.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(50);

    private const int SliceChangesMax = 256;
    private const long SliceBytesMax = 64 << 10;

    /// <summary>
    /// So many keys are looked at for one page of a snapshot, of any replica. Where keys come and go, far more are remembered than there
    /// are, and nothing is applied while they are passed.
    /// </summary>
    public const int VisitsMax = 4_096;

    private readonly WatchRules _rules = (seams ?? ReplicaSeams.None).Watching;
    private readonly Queue<TaskCompletionSource> _turns = new();
    private readonly SiloPulse _pulse = new(replicas, time);
    private bool _leaderAsked;

    // By how many members it has gone on since the first one was of no use.
    private int _vain;

    /// <summary>How many pages the own replica answered.</summary>
    public long OwnPages { get; private set; }

    /// <summary>How many pages other members answered that do not lead.</summary>
    public long MemberPages { get; private set; }

    /// <summary>How many pages the leader was asked for.</summary>
    public long LeaderPages { get; private set; }

    public async Task<HistoryPiece> ReadAsync(WatchEffect.Fetch fetch, CancellationToken cancellationToken)
    {
        if (await OwnAsync(fetch.Bucket, fetch.UpTo, cancellationToken) is { } reading && await SlicesAsync(reading, fetch) is { } here)
            return here;
        var request = new HistoryRequest(fetch.Bucket, fetch.Scope, fetch.After, fetch.UpTo, fetch.EventsMax, fetch.BytesMax, fetch.PreviousValues, fetch.Skip);
        var reply = (fetch.IsRepair ? null : await MemberAsync(fetch.Attempt, member => member.HistoryAt(request)))
            ?? await LeaderAsync(fetch.Bucket, fetch.IsRepair, leader => leader.History(request), cancellationToken);
        return new HistoryPiece([.. reply.Changes.GroupBy(change => change.Revision).Select(each => new Commit(each.Key, [.. each]))], reply.Reached, reply.Left);
    }

    public async Task<SnapshotPiece> ReadAsync(WatchEffect.ReadSnapshot read, CancellationToken cancellationToken)
    {
        if (await OwnAsync(read.Bucket, read.AtLeast, cancellationToken) is { } reading && Keys(reading, read) is { } here)
            return here;
        var request = new SnapshotPageRequest(
            read.Bucket, read.Range.Start, read.Range.End, read.After, read.AtLeast, read.Pinned, read.KeysMax, read.BytesMax, read.KeysOnly);
        var reply = await MemberAsync(read.Attempt, member => member.SnapshotAt(request))
            ?? await LeaderAsync(read.Bucket, isRepair: false, leader => leader.Snapshot(request), cancellationToken);
        return new SnapshotPiece(reply.At, reply.Items, reply.More, reply.Last);
    }

    /// <summary>The own replica, where it follows and has come so far.</summary>
    private async ValueTask<BucketReading?> OwnAsync(BucketId bucket, Revision revision, CancellationToken cancellationToken) =>
        own.Find(bucket) is { Leads: false } reading
            && (await reading.WaitForAsync(revision, s_patience, time, cancellationToken) || _rules.IsComplete(Revision.None, revision)) ? reading : null;

    private async Task<HistoryPiece?> SlicesAsync(BucketReading reading, WatchEffect.Fetch fetch)
    {
        var commits = new List<Commit>();
        var (reached, events, bytes) = (fetch.After, fetch.EventsMax, fetch.BytesMax);
        while (true)
        {
            var slice = new Slice(fetch, reached, Math.Min(events, SliceChangesMax), Math.Min(bytes, SliceBytesMax), reached == fetch.After ? fetch.Skip : 0);
            if (Try(reading, (slice, _rules), static (state, asked) => PageOf(state, asked.slice, asked._rules)) is not { } page)
                return null;
            // What does not come whole comes as an answer of its own.
            if (page.Left > 0 && commits.Count > 0)
                return Piece(commits, reached, 0);
            commits.AddRange(page.Commits);
            reached = page.Reached;
            foreach (var commit in page.Commits)
            {
                events -= commit.Changes.Count;
                bytes -= commit.Changes.Sum(PageBytes.Of);
            }

            if (page.Left > 0 || reached >= fetch.UpTo || events <= 0 || bytes <= 0)
                return Piece(commits, reached, page.Left);
            await Task.Yield();
        }
    }

    /// <summary>A slice of the history of a state that has come so far; null where it has not. Under the lock of the state (I-H1).</summary>
    private static HistoryPage? PageOf(BucketState state, Slice slice, WatchRules rules)
    {
        var upTo = Revision.Min(slice.Fetch.UpTo, state.Revision);
        if (!rules.IsComplete(state.Revision, slice.Fetch.UpTo))
            return null;
        var page = state.History(slice.Fetch.Scope, slice.After, upTo, slice.Events, slice.Bytes, slice.Skip);
        return page.Reached >= upTo ? page with { Reached = slice.Fetch.UpTo } : page;
    }

    private HistoryPiece Piece(List<Commit> commits, Revision reached, int left)
    {
        OwnPages++;
        metrics.HistoryPage(HistorySourceKind.Own);
        return new HistoryPiece(commits, reached, left);
    }

    private SnapshotPiece? Keys(BucketReading reading, WatchEffect.ReadSnapshot read)
    {
        var page = Try(reading, read, static (state, read) => state.Revision < read.AtLeast ? null : state.Scan(read.Range, new Core.Keyspace.ScanRequest
        {
            KeysMax = Math.Min(read.KeysMax, SliceChangesMax),
            BytesMax = Math.Min(read.BytesMax, SliceBytesMax),
            VisitsMax = VisitsMax,
            KeysOnly = read.KeysOnly,
            After = read.After,
            At = read.Pinned,
        }));
        if (page is null)
            return null;
        OwnPages++;
        metrics.HistoryPage(HistorySourceKind.Own);
        return new SnapshotPiece(page.Revision, page.Items, page.More, page.Last);
    }

    /// <summary>Looks at the state of the own replica; null where it has not come so far, or is not open any more (I-H2).</summary>
    private TPage? Try<TArgument, TPage>(BucketReading reading, TArgument argument, Func<BucketState, TArgument, TPage?> read)
        where TPage : class
    {
        try
        {
            return reading.TryRead(ReadPolicy.Eventual, time, argument, read, out var page) ? page : null;
        }
        catch (RevisionCompactedException error)
        {
            throw new WatchException(WatchErrorCode.Compacted, error.Message) { FirstAvailable = error.FirstAvailable };
        }
        catch (RevisionNotReachedException)
        {
            return null;
        }
    }

    /// <summary>Asks one other silo, another at each attempt; null where it cannot answer.</summary>
    private async Task<TReply?> MemberAsync<TReply>(int attempt, Func<IReplicaService, Task<TReply>> call)
        where TReply : LeaderReply
    {
        var others = membership.CurrentSnapshot.Members.Values
            .Where(each => each.Status == SiloStatus.Active && !each.SiloAddress.Equals(local.SiloAddress))
            .Select(each => each.SiloAddress)
            .Order()
            .ToList();
        if (others.Count == 0)
            return null;
        var first = others.Count(each => each.CompareTo(local.SiloAddress) < 0);
        try
        {
            var other = others[(first + attempt + _vain) % others.Count];
            var reply = await _pulse.WhileAliveAsync(other, call(replicas.At(other)));
            if (reply.Refusal is { Kind: RefusalKind.Compacted } compacted)
                throw new WatchException(WatchErrorCode.Compacted, compacted.Message) { FirstAvailable = compacted.FirstAvailable };
            if (reply.Refusal is not null)
            {
                // It leads, is no member, or is far behind: the next page is asked of another one.
                _vain = (_vain + 1) % others.Count;
                return null;
            }

            MemberPages++;
            metrics.HistoryPage(HistorySourceKind.Member);
            return reply;
        }
        catch (Exception error) when (error is TimeoutException or Orleans.Runtime.OrleansException)
        {
            _vain = (_vain + 1) % others.Count;
            return null;
        }
    }

    /// <summary>Asks the leader: for subscriptions one question at a time.</summary>
    private async Task<TReply> LeaderAsync<TReply>(BucketId bucket, bool isRepair, Func<IReplicaService, Task<TReply>> call, CancellationToken cancellationToken)
        where TReply : LeaderReply
    {
        LeaderPages++;
        metrics.HistoryPage(HistorySourceKind.Leader);
        if (isRepair)
            return await leaders.ReadAsync(bucket, call, cancellationToken);
        await EnterAsync();
        try
        {
            return await leaders.ReadAsync(bucket, call, cancellationToken);
        }
        finally
        {
            if (_turns.TryDequeue(out var next))
                next.SetResult();
            else
                _leaderAsked = false;
        }
    }

    /// <summary>Who leaves lets the next one in, so the place is never free between them.</summary>
    private Task EnterAsync()
    {
        if (!_leaderAsked)
        {
            _leaderAsked = true;
            return Task.CompletedTask;
        }

        var turn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _turns.Enqueue(turn);
        return turn.Task;
    }

    private readonly record struct Slice(WatchEffect.Fetch Fetch, Revision After, int Events, long Bytes, int Skip);
}
