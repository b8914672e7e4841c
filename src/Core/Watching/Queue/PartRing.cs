namespace Watch.Core.Watching;

/// <summary>Parts in order, in a ring that grows as needed: taken at the head, added and given up at the tail. Not thread-safe.</summary>
internal sealed class PartRing
{
    private WatchPart[] _parts = new WatchPart[4];
    private int _head;

    public int Count { get; private set; }

    public int Capacity => _parts.Length;

    /// <summary>How many parts were taken at the head: a part's index and this make a place that stays its own.</summary>
    public long TakenCount { get; private set; }

    public WatchPart this[int index]
    {
        get => _parts[Place(index)];
        set => _parts[Place(index)] = value;
    }

    public void Add(WatchPart part)
    {
        if (Count == _parts.Length)
            Grow();
        _parts[Place(Count++)] = part;
    }

    public WatchPart TakeFirst()
    {
        var part = _parts[_head];
        _parts[_head] = null!;
        _head = Place(1);
        Count--;
        TakenCount++;
        return part;
    }

    public WatchPart RemoveLast()
    {
        var place = Place(--Count);
        var part = _parts[place];
        _parts[place] = null!;
        return part;
    }

    /// <summary>Removes a part that is near the head: those before it move up.</summary>
    public void RemoveNearHead(int index)
    {
        for (var i = index; i > 0; i--)
            this[i] = this[i - 1];
        TakeFirst();
    }

    private int Place(int index)
    {
        var place = _head + index;
        return place < _parts.Length ? place : place - _parts.Length;
    }

    private void Grow()
    {
        var grown = new WatchPart[2 * _parts.Length];
        for (var i = 0; i < Count; i++)
            grown[i] = this[i];
        (_parts, _head) = (grown, 0);
    }
}
