using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using Watch.Core;
using Watch.Core.Watching;
using Watch.Core.Watching.Delivery;
using Watch.Interfaces;

namespace Watch.Grains.Watching.Sessions;

/// <summary>A session's next batch, while it is put together. What several watches get of one revision is in it once.</summary>
internal sealed class BatchBuilder(BatchPlan plan)
{
    private readonly Dictionary<Piece, int> _known = [];
    private readonly ImmutableArray<EventBlock>.Builder _blocks = ImmutableArray.CreateBuilder<EventBlock>();
    private readonly ImmutableArray<WatchStep>.Builder _steps = ImmutableArray.CreateBuilder<WatchStep>();

    /// <summary>Whether it takes nothing more.</summary>
    public bool IsFull => plan.IsFull;

    /// <summary>Whether nothing is in it.</summary>
    public bool IsEmpty => _steps.Count == 0;

    /// <summary>The place of a revision's block, its size, and whether the batch did not have it yet.</summary>
    public (int Block, int Length, bool IsNew) BlockOf(SharedCommit commit) =>
        BlockOf(new Piece(commit, 0, commit.Events), () => commit.Encoded(static shared => EventBlocks.Of(shared)));

    /// <summary>The same of some changes of a revision.</summary>
    public (int Block, int Length, bool IsNew) BlockOf(WatchPart.Fragment fragment) =>
        BlockOf(new Piece(fragment.Commit, fragment.First, fragment.Count), () => EventBlocks.Of(fragment));

    /// <summary>The same of a page of a snapshot.</summary>
    public (int Block, int Length, bool IsNew) BlockOf(SharedPage page) =>
        BlockOf(new Piece(page, 0, page.Items.Count), () => page.Encoded(static shared => EventBlocks.Of(shared)));

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

    private (int Block, int Length, bool IsNew) BlockOf(Piece piece, Func<byte[]> encode)
    {
        if (_known.TryGetValue(piece, out var block))
            return (block, _blocks[block].Bytes.Length, false);
        var bytes = encode();
        _known.Add(piece, _blocks.Count);
        _blocks.Add(new EventBlock(bytes));
        return (_blocks.Count - 1, bytes.Length, true);
    }

    /// <summary>What a block is of. It is shared by being the same object, not by looking alike.</summary>
    private readonly struct Piece(object whole, int first, int count) : IEquatable<Piece>
    {
        private readonly object _whole = whole;
        private readonly int _first = first;
        private readonly int _count = count;

        public bool Equals(Piece other) => ReferenceEquals(_whole, other._whole) && _first == other._first && _count == other._count;

        public override bool Equals(object? obj) => obj is Piece other && Equals(other);

        public override int GetHashCode() => RuntimeHelpers.GetHashCode(_whole) ^ (_first * 397) ^ _count;
    }
}
