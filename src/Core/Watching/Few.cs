namespace Watch.Core.Watching;

/// <summary>
/// A list that has one item nearly always: then it is that item and no array. A silo has one of these or more per watched scope, and
/// may have a million scopes. The order of the items means nothing: one that is removed leaves its place to the last.
/// </summary>
internal struct Few<T>
    where T : class
{
    private object? _items;

    /// <summary>How many items there are.</summary>
    public int Count { get; private set; }

    public readonly T this[int index] => _items is T[] items ? items[index] : (T)_items!;

    public void Add(T item)
    {
        if (_items is T[] items)
        {
            if (Count == items.Length)
                Array.Resize(ref items, 2 * Count);
            items[Count] = item;
            _items = items;
        }
        else
            _items = Count == 0 ? item : new T[4] { (T)_items!, item, null!, null! };

        Count++;
    }

    /// <summary>Removes an item; the last one takes its place. Returns the one that did.</summary>
    public T RemoveAt(int index)
    {
        Count--;
        if (_items is not T[] items)
        {
            var only = (T)_items!;
            _items = null;
            return only;
        }

        var last = items[Count];
        items[index] = last;
        items[Count] = null!;
        if (Count == 0)
            _items = null;
        return last;
    }
}
