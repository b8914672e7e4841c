using System.Collections.Immutable;
using Watch.Core;
using Watch.Core.Keyspace;
using Watch.Grains.Watching;

namespace Watch.Grains.Consensus;

// Pages of what was, for watches that are behind: of the leader, or of any member that has come so far.
internal sealed partial class ReplicaService
{
    public Task<HistoryReply> History(HistoryRequest request) => Answer(request.Bucket, leading => Page(leading, request));

    public Task<HistoryReply> HistoryAt(HistoryRequest request) =>
        Task.FromResult(FollowerAt(request.Bucket, request.UpTo) is { } member ? AnswerNow(member, bucket => Page(bucket, request)) : new HistoryReply { Refusal = NotHere(request.Bucket) });

    public Task<SnapshotPageReply> Snapshot(SnapshotPageRequest request) => Answer(request.Bucket, leading => Page(leading, request));

    public Task<SnapshotPageReply> SnapshotAt(SnapshotPageRequest request) =>
        Task.FromResult(FollowerAt(request.Bucket, request.AtLeast) is { } member ? AnswerNow(member, bucket => Page(bucket, request)) : new SnapshotPageReply { Refusal = NotHere(request.Bucket) });

    /// <summary>So many entries of a compaction are proposed by one call: it is answered within what any caller waits, and nothing goes on without one.</summary>
    public const int CompactionStepsPerCall = 4;

    public async Task<RevisionReply> Compact(BucketId bucket, Revision through)
    {
        // Confirmed: a leader that was deposed does not know how far the bucket has come.
        if (await Confirm(bucket) is { Refusal: not null } refused)
            return refused;
        if (_replica.LeadingOf(bucket) is { } asked && through > asked.State.Revision)
            return new RevisionReply { Refusal = new Refusal(RefusalKind.FutureRevision, $"The bucket is at revision {asked.State.Revision}: history up to {through} cannot be given up yet.") };

        // Step by step, each an entry that waits for its turn among the writes: what somebody wants to be rid of must not cost the leader its lead.
        for (var steps = 0; _replica.LeadingOf(bucket) is { } leading; steps++)
        {
            if (through <= leading.State.Compacted || steps == CompactionStepsPerCall)
                return new RevisionReply { Revision = leading.State.Compacted };
            var now = _time.GetElapsedTime(0);
            var step = leading.CompactionOnRequest(through, now);
            var outcome = _replica.Propose(leading.Group, [CommandCodec.Encode(step)]);
            if (!outcome.Accepted)
                return new RevisionReply { Refusal = WhyNot(bucket, leading.Group, outcome.Refusal) };
            leading.CompactionProposed(step, now);
            var applied = leading.WaitFor(outcome.First, outcome.Term, [step]);
            _replica.Wake();
            if (await applied is { Refusal: { } lost })
                return new RevisionReply { Refusal = lost };
        }

        return new RevisionReply { Refusal = WhyNot(bucket) };
    }

    /// <summary>The bucket, where this node is a member that does not lead and has applied so much: what it has is what everybody has (I-H1).</summary>
    private BucketReplica? FollowerAt(BucketId bucket, Revision revision) =>
        _replica.MemberOf(bucket) is { Reading.Leads: false } member && member.State.Revision >= revision ? member : null;

    private static Refusal NotHere(BucketId bucket) => new(RefusalKind.NotLeader, $"This node is no member that follows bucket {bucket} so far.");

    private static HistoryReply Page(BucketReplica bucket, HistoryRequest request)
    {
        var upTo = Revision.Min(request.UpTo, bucket.State.Revision);
        var page = bucket.State.History(request.Scope, request.After, upTo, request.ChangesMax, request.BytesMax, request.Skip);
        var changes = page.Commits.SelectMany(commit => commit.Changes);
        return new HistoryReply
        {
            Changes = request.PreviousValues ? [.. changes] : [.. changes.Select(static change => change.PreviousValue is null ? change : change with { PreviousValue = null })],
            Reached = page.Reached,
            Left = page.Left,
        };
    }

    private static SnapshotPageReply Page(BucketReplica bucket, SnapshotPageRequest request)
    {
        var page = bucket.State.Scan(new KeyRange(request.Start, request.End), new Core.Keyspace.ScanRequest
        {
            KeysMax = request.KeysMax,
            BytesMax = request.BytesMax,
            VisitsMax = HistorySource.VisitsMax,
            KeysOnly = request.KeysOnly,
            After = request.After,
            At = request.Pinned,
        });
        return page.Revision >= request.AtLeast
            ? new SnapshotPageReply { Items = [.. page.Items], At = page.Revision, More = page.More, Last = page.Last }
            : new SnapshotPageReply { Refusal = new Refusal(RefusalKind.FutureRevision, $"The bucket is at revision {page.Revision}; keys at {request.AtLeast} or later were asked for.") };
    }
}
