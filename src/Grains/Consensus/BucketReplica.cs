using System.Collections.Immutable;
using Watch.Core;
using Watch.Core.Keyspace;
using Watch.Core.Storage;
using Watch.Core.Watching;

namespace Watch.Grains.Consensus;

/// <summary>
/// One bucket on this node: its state, who watches what of it, and the proposals that wait for their entries to be applied. Used in the
/// replica's turns only, but for <see cref="Reading"/>, through which other threads read the state.
/// </summary>
internal sealed class BucketReplica(GroupId group, WatchSiloOptions options, BucketState? state = null, LogIndex applied = default, ReplicaRules? rules = null)
{
    /// <summary>
    /// So many entries are applied in one go before readers on other threads get a turn. Each entry is a whole commit, so what they see
    /// between two goes is a revision like any other.
    /// </summary>
    private const int EntriesPerGo = 64;

    private readonly ReplicaRules _rules = rules ?? ReplicaRules.Kept;
    private readonly Queue<PendingProposal> _pending = new();

    // A scope's last change is remembered for a while behind the compaction that dropped it: forgotten at once, a scope that is watched and
    // quiet would seem to have changed, and its watchers would end with Compacted though they missed nothing. So here are the compactions
    // of this leader that are younger than that, and the last one that is not.
    private readonly Queue<(Revision Through, TimeSpan At)> _compactions = new();
    private Revision _forgetThrough;
    private readonly HistoryLimits _limits = new() { RevisionsMax = options.HistoryRevisionsMax, BytesMax = options.HistoryBytesMax };
    private readonly HistoryAges? _ages = options.HistoryAgeMax is { } age ? new HistoryAges((long)age.TotalMilliseconds) : null;
    private bool _compactionUnderWay;

    public GroupId Group { get; } = group;

    /// <summary>Which bucket it is; null until the catalogue has told.</summary>
    public BucketId? Id { get; set; }

    public BucketState State => Reading.State;

    /// <summary>What other threads read of it.</summary>
    public BucketReading Reading { get; } = new(state ?? new BucketState());

    /// <summary>The last entry that was applied, of whichever kind.</summary>
    public LogIndex Applied { get; private set; } = applied;

    /// <summary>Who watches what, as far as they told this leader; empty on a follower.</summary>
    public WatchedScopes Watched { get; private set; } = new();

    /// <summary>Remembers who waits for the entries from <paramref name="first"/> on, appended in <paramref name="term"/>.</summary>
    public Task<ProposeReply> WaitFor(LogIndex first, Term term, IReadOnlyList<Command> commands)
    {
        var pending = new PendingProposal(first, term, commands);
        _pending.Enqueue(pending);
        return pending.Reply.Task;
    }

    /// <summary>A snapshot that a leader sent takes the place of the state.</summary>
    public void Install(BucketState state, LogIndex upTo)
    {
        Reading.Replace(state);
        _ages?.Restart();
        Applied = upTo;
    }

    /// <summary>Applies committed entries, and answers whoever proposed them here.</summary>
    public void Apply(ReadOnlySpan<Entry> entries)
    {
        while (!entries.IsEmpty)
        {
            var go = entries[..InOneGo(entries)];
            entries = entries[go.Length..];
            Reading.Change(this, go, static (replica, entries) =>
            {
                foreach (var entry in entries)
                    replica.Apply(entry);
            });
        }
    }

    /// <summary>How many of these are applied before readers get a turn; a compaction is some milliseconds' work and ends it.</summary>
    internal static int InOneGo(ReadOnlySpan<Entry> entries)
    {
        var count = Math.Min(entries.Length, EntriesPerGo);
        for (var at = 0; at < count; at++)
            if (entries[at].Kind == EntryKind.Command && CommandCodec.IsCompaction(entries[at].Payload.Span))
                return at + 1;
        return count;
    }

    private void Apply(Entry entry)
    {
        // What commits at an index in another term is not what was proposed there.
        while (_pending.TryPeek(out var overtaken) && _rules.IsOvertaken(overtaken.First, overtaken.Term, entry))
            _pending.Dequeue().Lose("another leader's write stands in its place, or in that of one proposed with it");
        Applied = entry.Index;
        if (entry.Kind != EntryKind.Command)
            return;

        var pending = _pending.TryPeek(out var next) && next.Covers(entry.Index) ? next : null;
        var command = pending?.CommandAt(entry.Index) ?? CommandCodec.Decode(entry.Payload.Span);
        var outcome = State.Apply(command, AppliedAt.Of(entry), Watched);
        _ages?.Note(entry.Stamp, State.Revision);
        if (command is CompactCommand)
            _compactionUnderWay = false;
        // Also where nobody waits for the write: who watches is told of it by the next question at least.
        var told = Name(outcome);
        if (pending is not null && pending.Add(ToOutcome(outcome, told)))
            _pending.Dequeue();
    }

    /// <summary>A compaction to propose, where history has outgrown its limits: a step of it, and the next one once that is applied.</summary>
    /// <param name="now">The leader's monotonic clock.</param>
    /// <param name="logNow">The log time, which goes on while nothing is written.</param>
    public CompactCommand? DueCompaction(TimeSpan now, LogTime logNow)
    {
        _ages?.Pass(logNow);
        if (_compactionUnderWay)
            return null;
        var through = Revision.Max(State.DueCompaction(_limits) ?? State.Compacted, _ages?.Due(State.Compacted) ?? State.Compacted);
        return through == State.Compacted ? null : Compaction(through, now);
    }

    /// <summary>How long it takes from here until history has something that is too old, if nothing is written; null where it never has.</summary>
    public TimeSpan? BecomesOldIn(LogTime logNow)
    {
        if (_ages is null)
            return null;
        // What is due now was proposed a moment ago, or could not be: it is looked at again when more may be due.
        var soonMs = Math.Max(1, options.HistoryAgeMax!.Value.TotalMilliseconds / HistoryAges.Parts);
        if (_ages.Due(State.Compacted) is not null)
            return TimeSpan.FromMilliseconds(soonMs);
        return _ages.NextAt(State.Compacted) is { } at ? TimeSpan.FromMilliseconds(Math.Max(soonMs, at.Value - logNow.Value)) : null;
    }

    private CompactCommand Compaction(Revision through, TimeSpan now)
    {
        while (_compactions.TryPeek(out var oldest) && now - oldest.At >= options.ForgetScopesAfter)
            _forgetThrough = Revision.Max(_forgetThrough, _compactions.Dequeue().Through);
        return State.CompactionStep(through, _forgetThrough);
    }

    /// <summary>A step of a compaction that somebody asks for; scopes are remembered behind it as behind any other.</summary>
    public CompactCommand CompactionOnRequest(Revision through, TimeSpan now) => Compaction(through, now);

    /// <summary>The compaction is in the log.</summary>
    public void CompactionProposed(CompactCommand compaction, TimeSpan now)
    {
        _compactionUnderWay = true;
        _compactions.Enqueue((compaction.Through, now));
    }

    /// <summary>
    /// This node no longer leads the group, or does so in a later term. Whoever waits is told that nobody can say yet; who watches what
    /// may have changed elsewhere meanwhile, and every silo tells the leader again when it next asks for progress.
    /// </summary>
    public void LeadershipEnded(Term before)
    {
        while (_pending.TryPeek(out var pending) && pending.Term < before)
            _pending.Dequeue().Lose("the node that took it no longer leads");
        if (_rules.ForgetsWatchers)
            Watched = new WatchedScopes();
        _compactions.Clear();
        (_forgetThrough, _compactionUnderWay) = (default, false);
    }

    /// <summary>The node stopped with these proposals in its hands: nobody can say whether they are on its disk.</summary>
    public void Fail(string reason)
    {
        while (_pending.TryDequeue(out var pending))
            pending.Lose(reason);
    }

    /// <summary>Whom to tell of a commit; each of them will be told, if not by an event then by the answer to its question (I-P2).</summary>
    private ImmutableArray<WatchedScope> Name(Outcome outcome) => outcome.Links.Count == 0
        ? []
        : [.. outcome.Links.Select(link => new WatchedScope(link.Scope, link.Previous, [.. Watched.Named(link.Scope, outcome.Revision)]))];

    private static CommandOutcome ToOutcome(Outcome outcome, ImmutableArray<WatchedScope> told)
    {
        var result = new WriteResult((WriteStatus)(int)outcome.Status, outcome.Revision, outcome.Previous)
        {
            Index = outcome.Index,
            PreviousCompacted = outcome.PreviousCompacted,
        };
        return told.IsEmpty ? new CommandOutcome(result, [], []) : new CommandOutcome(result, [.. outcome.Commit!.Changes], told);
    }

    /// <summary>A batch of writes whose entries are on their way.</summary>
    private sealed class PendingProposal(LogIndex first, Term term, IReadOnlyList<Command> commands)
    {
        private readonly ImmutableArray<CommandOutcome>.Builder _outcomes = ImmutableArray.CreateBuilder<CommandOutcome>(commands.Count);

        public TaskCompletionSource<ProposeReply> Reply { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public LogIndex First => first;

        public Term Term => term;

        /// <summary>Answers that nobody knows.</summary>
        public void Lose(string reason) =>
            Reply.TrySetException(new WatchException(WatchErrorCode.OutcomeUnknown, $"It is not known whether the write took effect: {reason}."));

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
