using System.Collections.Immutable;
using Watch.Core;
using Watch.Core.Watching;
using Watch.Core.Watching.Delivery;
using Watch.Interfaces;

namespace Watch.Grains.Watching.Sessions;

/// <summary>A session's next batch, while it is put together. What several watches get of one revision is in it once.</summary>
internal sealed class BatchBuilder(BatchPlan plan)
{
    private readonly Dictionary<(Commit Commit, bool PreviousValues), int> _known = new(ByReference.Instance);
    private readonly ImmutableArray<EventBlock>.Builder _blocks = ImmutableArray.CreateBuilder<EventBlock>();
    private readonly ImmutableArray<WatchStep>.Builder _steps = ImmutableArray.CreateBuilder<WatchStep>();

    /// <summary>Whether it takes nothing more.</summary>
    public bool IsFull => plan.IsFull;

    /// <summary>Whether nothing is in it.</summary>
    public bool IsEmpty => _steps.Count == 0;

    /// <summary>The place of a revision's block, which is made if it is not there yet, and its size.</summary>
    public (int Block, int Length, bool IsNew) BlockOf(Commit commit, bool previousValues)
    {
        if (_known.TryGetValue((commit, previousValues), out var block))
            return (block, _blocks[block].Bytes.Length, false);
        var bytes = EventCodec.Encode(BlockKind.Commit, commit.Revision, EventsOf(commit, previousValues));
        _known.Add((commit, previousValues), _blocks.Count);
        _blocks.Add(new EventBlock(bytes));
        return (_blocks.Count - 1, bytes.Length, true);
    }

    /// <summary>Adds a step.</summary>
    /// <param name="step">The step.</param>
    /// <param name="newBytes">The bytes of its blocks that were not in the batch.</param>
    public void Add(WatchStep step, long newBytes)
    {
        plan.Added(newBytes);
        _steps.Add(step);
    }

    /// <summary>The batch; the builder begins anew.</summary>
    public SessionBatch Finish(long epoch, long number)
    {
        var batch = new SessionBatch(epoch, number, _blocks.DrainToImmutable(), _steps.DrainToImmutable());
        _known.Clear();
        plan.Begin();
        return batch;
    }

    private static BlockEvent[] EventsOf(Commit commit, bool previousValues)
    {
        var events = new BlockEvent[commit.Changes.Count];
        for (var at = 0; at < events.Length; at++)
        {
            var each = commit.Changes[at];
            events[at] = new BlockEvent(each.Kind, each.Key, each.Value, PreviousValue.Of(each, previousValues), each.Revision, each.CreateRevision, each.Version, each.CommitTimeMs, Cause: (byte)each.Kind);
        }

        return events;
    }

    /// <summary>A revision is shared by being the same object, not by looking alike.</summary>
    private sealed class ByReference : IEqualityComparer<(Commit Commit, bool PreviousValues)>
    {
        public static readonly ByReference Instance = new();

        public bool Equals((Commit Commit, bool PreviousValues) x, (Commit Commit, bool PreviousValues) y) =>
            ReferenceEquals(x.Commit, y.Commit) && x.PreviousValues == y.PreviousValues;

        public int GetHashCode((Commit Commit, bool PreviousValues) key) =>
            System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(key.Commit) ^ (key.PreviousValues ? 1 : 0);
    }
}
