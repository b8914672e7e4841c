namespace Watch.Core.Keyspace;

/// <summary>
/// The keys in byte order: blocks of up to 256 keys in one list. Finding a place is two binary searches, putting a key there moves
/// part of one block, walking on from there is walking arrays. The list of blocks is a few thousand long for a million keys,
/// so inserting a block into it, once in 128 keys, costs less than the levels of a tree would.
/// </summary>
internal sealed class KeyIndex
{
    private const int BlockMax = 256;

    private readonly List<Block> _blocks = [];

    public int Count { get; private set; }

    /// <summary>Adds a key that is not in the index.</summary>
    public void Add(KeyEntry entry)
    {
        Count++;
        if (_blocks.Count == 0)
            _blocks.Add(new Block());

        var at = BlockOf(entry.Text);
        var block = _blocks[at];
        if (block.Count == BlockMax)
        {
            var upper = block.Split(appending: at == _blocks.Count - 1 && entry.Text > block.Last);
            _blocks.Insert(at + 1, upper);
            if (upper.Count == 0 || entry.Text > upper.First)
                block = upper;
        }

        block.Insert(entry);
    }

    /// <summary>Removes a key that is in the index.</summary>
    public void Remove(KeyEntry entry)
    {
        Count--;
        var at = BlockOf(entry.Text);
        var block = _blocks[at];
        block.Remove(entry);
        if (block.Count == 0)
            _blocks.RemoveAt(at);
        else if (at + 1 < _blocks.Count && block.Count + _blocks[at + 1].Count <= BlockMax / 2)
            Merge(at);
    }

    /// <summary>The keys of a range, in order. The index must not change while this is walked.</summary>
    public IEnumerable<KeyEntry> Walk(KeyRange range)
    {
        if (_blocks.Count == 0)
            yield break;

        var at = BlockOf(range.Start);
        var position = _blocks[at].FirstFrom(range.Start);
        for (; at < _blocks.Count; at++, position = 0)
        {
            var block = _blocks[at];
            for (; position < block.Count; position++)
            {
                var entry = block[position];
                if (range.End is { } end && entry.Text >= end)
                    yield break;
                yield return entry;
            }
        }
    }

    private void Merge(int at)
    {
        _blocks[at].TakeAll(_blocks[at + 1]);
        _blocks.RemoveAt(at + 1);
    }

    // The last block whose first key is not behind this one; the first block for a key before them all.
    private int BlockOf(Key key)
    {
        var (low, high) = (0, _blocks.Count - 1);
        while (low < high)
        {
            var middle = (low + high + 1) / 2;
            if (_blocks[middle].First <= key)
                low = middle;
            else
                high = middle - 1;
        }

        return low;
    }

    private sealed class Block
    {
        private KeyEntry?[] _entries = new KeyEntry?[8];

        public int Count { get; private set; }

        public Key First => _entries[0]!.Text;

        public Key Last => _entries[Count - 1]!.Text;

        public KeyEntry this[int position] => _entries[position]!;

        public int FirstFrom(Key key)
        {
            var (low, high) = (0, Count);
            while (low < high)
            {
                var middle = (low + high) / 2;
                if (_entries[middle]!.Text < key)
                    low = middle + 1;
                else
                    high = middle;
            }

            return low;
        }

        public void Insert(KeyEntry entry)
        {
            var at = FirstFrom(entry.Text);
            Invariant.That(at == Count || _entries[at]!.Text != entry.Text, "a key is in the index once");
            if (Count == _entries.Length)
                Array.Resize(ref _entries, Math.Min(BlockMax, Count * 2));
            Array.Copy(_entries, at, _entries, at + 1, Count - at);
            _entries[at] = entry;
            Count++;
        }

        public void Remove(KeyEntry entry)
        {
            var at = FirstFrom(entry.Text);
            Invariant.That(at < Count && ReferenceEquals(_entries[at], entry), "a key that is removed is in the index");
            Array.Copy(_entries, at + 1, _entries, at, Count - at - 1);
            _entries[--Count] = null;
        }

        // Keys that arrive in order would leave every block half full: the last block then keeps what it has.
        public Block Split(bool appending)
        {
            var upper = new Block();
            if (appending)
                return upper;
            var half = Count / 2;
            upper._entries = new KeyEntry?[BlockMax];
            upper.Count = Count - half;
            Array.Copy(_entries, half, upper._entries, 0, upper.Count);
            Array.Clear(_entries, half, upper.Count);
            Count = half;
            return upper;
        }

        public void TakeAll(Block next)
        {
            if (_entries.Length < Count + next.Count)
                Array.Resize(ref _entries, BlockMax);
            Array.Copy(next._entries, 0, _entries, Count, next.Count);
            Count += next.Count;
        }
    }
}
