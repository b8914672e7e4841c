namespace Watch.Core.Keyspace;

/// <summary>Changes of something in revision order, reached by position.</summary>
internal interface IChangeSequence
{
    /// <summary>How many there are.</summary>
    int Count { get; }

    /// <summary>The change at a position, 0 for the oldest.</summary>
    Change this[int position] { get; }
}

/// <summary>
/// Every change above the compaction point, in the order in which they were applied: the history of the whole bucket. Each has an
/// <em>ordinal</em>, its number in that order, by which segments remember it in four bytes. Ordinals wrap; what counts is
/// their distance from the oldest one kept. They are this replica's own and part of no answer and no digest.
/// </summary>
internal sealed class ChangeLog : IChangeSequence
{
    private const int ChunkBits = 10;
    private const int ChunkSize = 1 << ChunkBits;

    private readonly List<Change?[]> _chunks = [];
    private int _front;
    private uint _first;
    private bool _shared;

    public int Count { get; private set; }

    /// <summary>What the changes kept here count as, by <see cref="PageBytes.Kept"/>.</summary>
    public long Bytes { get; private set; }

    public Change this[int position]
    {
        get
        {
            var at = _front + position;
            return _chunks[at >> ChunkBits][at & (ChunkSize - 1)]!;
        }
    }

    public Change ByOrdinal(uint ordinal) => this[(int)(ordinal - _first)];

    /// <summary>Adds the newest change and returns its ordinal.</summary>
    public uint Append(Change change)
    {
        var at = _front + Count;
        if (at >> ChunkBits == _chunks.Count)
            _chunks.Add(new Change?[ChunkSize]);
        _chunks[at >> ChunkBits][at & (ChunkSize - 1)] = change;
        Bytes += PageBytes.Kept(change);
        return _first + (uint)Count++;
    }

    /// <summary>
    /// What the log holds now, for a snapshot. Changes are appended behind it, and until <see cref="Unshare"/> the places of dropped
    /// ones are left as they are, so only the list of chunks is copied.
    /// </summary>
    public SharedChanges Share()
    {
        _shared = true;
        return new SharedChanges([.. _chunks], _front, Count, ChunkBits);
    }

    /// <summary>The snapshot is done: dropped changes may go.</summary>
    public void Unshare()
    {
        _shared = false;
        if (_chunks.Count > 0)
            Array.Clear(_chunks[0], 0, _front);
    }

    /// <summary>Removes the oldest change and returns it.</summary>
    public Change DropOldest()
    {
        var change = this[0];
        if (!_shared)
            _chunks[0][_front] = null;
        Bytes -= PageBytes.Kept(change);
        _first++;
        Count--;
        if (++_front == ChunkSize)
        {
            _chunks.RemoveAt(0);
            _front = 0;
        }

        return change;
    }
}

/// <summary>The changes that a log held at one moment; those that the log drops later stay here.</summary>
internal sealed class SharedChanges(Change?[]?[] chunks, int front, int count, int chunkBits)
{
    private int _next;

    public bool IsAtEnd => _next == count;

    /// <summary>The next change, which is handed out once.</summary>
    public Change Take()
    {
        var at = front + _next++;
        var change = chunks[at >> chunkBits]![at & ((1 << chunkBits) - 1)]!;
        if (((at + 1) & ((1 << chunkBits) - 1)) == 0)
            chunks[at >> chunkBits] = null;
        return change;
    }
}

/// <summary>A first-in-first-out list that costs nothing while empty and little while short: one array, doubled when full.</summary>
internal struct CompactQueue<T>
{
    private const int CapacityMin = 2;

    private T[]? _items;
    private int _start;

    public int Count { get; private set; }

    public readonly T this[int position] => _items![_start + position];

    public void Append(T item)
    {
        if (_items is null)
            _items = new T[CapacityMin];
        else if (_start + Count == _items.Length)
            MakeRoom();
        _items[_start + Count++] = item;
    }

    public void Replace(int position, T item) => _items![_start + position] = item;

    /// <summary>Removes the oldest items; an array that has become mostly empty is given back.</summary>
    public void DropOldest(int count)
    {
        Invariant.That(count <= Count, "no more is dropped than there is");
        if (count == 0)
            return;
        Array.Clear(_items!, _start, count);
        _start += count;
        Count -= count;
        if (Count == 0)
            (_items, _start) = (null, 0);
        else if (Count <= _items!.Length / 4)
            Move(Math.Max(CapacityMin, Count * 2));
    }

    // A queue whose front half is free slides down; any other doubles. Either way an append costs O(1) over time.
    private void MakeRoom()
    {
        if (_start > _items!.Length / 2)
        {
            Array.Copy(_items, _start, _items, 0, Count);
            Array.Clear(_items, Count, _items.Length - Count);
            _start = 0;
        }
        else
        {
            Move(_items.Length * 2);
        }
    }

    private void Move(int capacity)
    {
        var moved = new T[capacity];
        Array.Copy(_items!, _start, moved, 0, Count);
        (_items, _start) = (moved, 0);
    }
}
