namespace Watch.Core.Keyspace;

/// <summary>What the state remembers of a scope: its name, the segment around it, and the revision of its last change.</summary>
internal abstract class ScopeEntry(Key text, Segment? parent, Revision head)
{
    /// <summary>The key, or the segment.</summary>
    public Key Text { get; } = text;

    /// <summary>The deepest segment around it; null for the whole bucket.</summary>
    public Segment? Parent { get; } = parent;

    /// <summary>
    /// The revision of its last change. Of a scope that was unknown before: the revision through which scopes were forgotten,
    /// which is no earlier than the change that was forgotten.
    /// </summary>
    public Revision Head { get; set; } = head;

    /// <summary>The number of the snapshot that needs nothing of it any more: it has what it needs, or the scope is younger.</summary>
    public int DoneForSnapshot { get; set; }

    /// <summary>Whether it holds no key and no change above the compaction point, so that only its head is left of it.</summary>
    public abstract bool IsEmpty { get; }
}

/// <summary>A prefix segment. The one without a parent is the whole bucket, whose changes are the <see cref="ChangeLog"/> itself.</summary>
internal sealed class Segment(Key text, Segment? parent, Revision head) : ScopeEntry(text, parent, head)
{
    private CompactQueue<uint> _ordinals;

    /// <summary>How many keys exist in it.</summary>
    public long LiveKeys { get; set; }

    public int ChangeCount => _ordinals.Count;

    public override bool IsEmpty => LiveKeys == 0 && _ordinals.Count == 0;

    public uint Ordinal(int position) => _ordinals[position];

    public void Append(uint ordinal) => _ordinals.Append(ordinal);

    public void DropOldest() => _ordinals.DropOldest(1);
}

/// <summary>The changes of a segment, which knows only their ordinals.</summary>
internal sealed class SegmentChanges(Segment segment, ChangeLog log) : IChangeSequence
{
    public int Count => segment.ChangeCount;

    public Change this[int position] => log.ByOrdinal(segment.Ordinal(position));
}
