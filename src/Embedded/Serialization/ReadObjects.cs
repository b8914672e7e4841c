namespace Watch.Embedded.Serialization;

/// <summary>The objects of a message being read, by where their bodies begin. One per thread, reused.</summary>
internal sealed class ReadObjects
{
    private const int DetoursMax = 1000;
    private const int RetainedMax = 4096;

    [ThreadStatic]
    private static ReadObjects? t_spare;

    private readonly List<object?> _objects = [];
    private readonly List<int> _offsets = [];
    private Dictionary<int, int>? _detoured;
    private int _detours;

    public bool HasDetours => _detours > 0;

    public static ReadObjects Rent()
    {
        var table = t_spare ?? new ReadObjects();
        t_spare = null;
        return table;
    }

    public void Return()
    {
        if (_objects.Capacity > RetainedMax)
            return;
        _objects.Clear();
        _offsets.Clear();
        _detoured = null;
        _detours = 0;
        t_spare = this;
    }

    public int Reserve(int offset)
    {
        // Reading goes forward, so offsets grow; only detours to skipped members break that order.
        if (_detours > 0)
            (_detoured ??= []).TryAdd(offset, _objects.Count);
        _objects.Add(null);
        _offsets.Add(_detours > 0 ? int.MaxValue : offset);
        return _objects.Count - 1;
    }

    public void Set(int slot, object value) => _objects[slot] = value;

    public bool TryFind(int offset, out object? value)
    {
        if (_detoured is not null && _detoured.TryGetValue(offset, out var slot))
        {
            value = _objects[slot];
            return true;
        }

        slot = _offsets.BinarySearch(offset);
        value = slot >= 0 ? _objects[slot] : null;
        return slot >= 0;
    }

    /// <summary>Hostile input could otherwise make a reader go over the same bytes again and again.</summary>
    public void CountDetour()
    {
        if (++_detours > DetoursMax)
            throw WireReader.Malformed($"more than {DetoursMax} references lead into members that are unknown here");
    }
}
