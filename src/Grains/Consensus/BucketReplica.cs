using System.Collections.Immutable;
using Watch.Core;
using Watch.Core.Keyspace;
using Watch.Core.Storage;
using Watch.Core.Watching;

namespace Watch.Grains.Consensus;

/// <summary>
/// One bucket on this node: its state, who watches what of it, and the proposals that wait for their entries to be applied. Used in the
/// replica's turns only.
/// </summary>
internal sealed class BucketReplica(BucketId bucket, GroupId group, WatchSiloOptions options)
{
    /// <summary>
    /// How long a scope's last change is remembered behind the compaction that dropped it: twice the longest interval between two
    /// progress questions. Forgotten at once, a scope that is watched and quiet would seem to have changed, and its watchers would end
    /// with Compacted though they missed nothing.
    /// </summary>
    private static readonly TimeSpan s_forgetAfter = TimeSpan.FromMinutes(2);

    private readonly Queue<PendingProposal> _pending = new();

    // The compactions of this leader that are younger than that, and the last one that is not.
    private readonly Queue<(Revision Through, TimeSpan At)> _compactions = new();
    private Revision _forgetThrough;
    private readonly HistoryLimits _limits = new() { RevisionsMax = options.HistoryRevisionsMax, BytesMax = options.HistoryBytesMax };
    private bool _compactionUnderWay;

    public BucketId Bucket { get; } = bucket;

    public GroupId Group { get; } = group;

    public BucketState State { get; } = new();

    public WatchedScopes Watched { get; } = new();

    /// <summary>Remembers who waits for the entries from <paramref name="first"/> on.</summary>
    public Task<ProposeReply> WaitFor(LogIndex first, IReadOnlyList<Command> commands)
    {
        var pending = new PendingProposal(first, commands);
        _pending.Enqueue(pending);
        return pending.Reply.Task;
    }

    /// <summary>Applies a committed entry, and answers whoever proposed it here.</summary>
    public void Apply(Entry entry)
    {
        if (entry.Kind != EntryKind.Command)
            return;

        var pending = _pending.TryPeek(out var next) && next.Covers(entry.Index) ? next : null;
        var command = pending?.CommandAt(entry.Index) ?? CommandCodec.Decode(entry.Payload.Span);
        var outcome = State.Apply(command, AppliedAt.Of(entry), Watched);
        if (command is CompactCommand)
            _compactionUnderWay = false;
        if (pending is not null && pending.Add(ToOutcome(outcome)))
            _pending.Dequeue();
    }

    /// <summary>A compaction to propose, where history has outgrown its limits.</summary>
    public CompactCommand? DueCompaction(TimeSpan now)
    {
        if (_compactionUnderWay || State.DueCompaction(_limits) is not { } through)
            return null;
        while (_compactions.TryPeek(out var oldest) && now - oldest.At >= s_forgetAfter)
            _forgetThrough = _compactions.Dequeue().Through;
        return new CompactCommand(through, _forgetThrough);
    }

    /// <summary>The compaction is in the log.</summary>
    public void CompactionProposed(CompactCommand compaction, TimeSpan now)
    {
        _compactionUnderWay = true;
        _compactions.Enqueue((compaction.Through, now));
    }

    /// <summary>The node stopped with these proposals in its hands: nobody can say whether they are on its disk.</summary>
    public void Fail(Exception error)
    {
        while (_pending.TryDequeue(out var pending))
            pending.Reply.TrySetException(new WatchException(WatchErrorCode.OutcomeUnknown, $"The node stopped while the write was under way; it may have taken effect or not: {error.Message}"));
    }

    private CommandOutcome ToOutcome(Outcome outcome)
    {
        var result = new WriteResult((WriteStatus)(int)outcome.Status, outcome.Revision, outcome.Previous) { Index = outcome.Index };
        if (outcome.Links.Count == 0)
            return new CommandOutcome(result, [], []);

        var watched = outcome.Links.Select(link => new WatchedScope(link.Scope, link.Previous, [.. Watched.Silos(link.Scope)]));
        return new CommandOutcome(result, [.. outcome.Commit!.Changes], [.. watched]);
    }

    /// <summary>A batch of writes whose entries are on their way.</summary>
    private sealed class PendingProposal(LogIndex first, IReadOnlyList<Command> commands)
    {
        private readonly ImmutableArray<CommandOutcome>.Builder _outcomes = ImmutableArray.CreateBuilder<CommandOutcome>(commands.Count);

        public TaskCompletionSource<ProposeReply> Reply { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public bool Covers(LogIndex index) => index >= first && index < first + commands.Count;

        public Command CommandAt(LogIndex index) => commands[(int)(index - first)];

        /// <summary>Adds the next outcome; true when that was the last, and the caller is answered.</summary>
        public bool Add(CommandOutcome outcome)
        {
            _outcomes.Add(outcome);
            return _outcomes.Count == commands.Count && Reply.TrySetResult(new ProposeReply { Outcomes = _outcomes.MoveToImmutable() });
        }
    }
}
