namespace Watch.Embedded.Serialization;

/// <summary>
/// Which objects were met already, by identity, and a number for each. Most messages hold a handful:
/// those are searched one by one, which is cheaper than hashing.
/// </summary>
internal sealed class ReferenceTable
{
    private const int Few = 8;

    private readonly object?[] _keys = new object?[Few];
    private readonly int[] _numbers = new int[Few];
    private readonly Dictionary<object, int> _more = new(ReferenceEqualityComparer.Instance);
    private int _count;

    public bool TryFind(object key, out int number)
    {
        var few = Math.Min(_count, Few);
        for (var i = 0; i < few; i++)
        {
            if (ReferenceEquals(_keys[i], key))
            {
                number = _numbers[i];
                return true;
            }
        }

        number = 0;
        return _count > Few && _more.TryGetValue(key, out number);
    }

    public void Add(object key, int number)
    {
        if (_count < Few)
        {
            _keys[_count] = key;
            _numbers[_count] = number;
        }
        else
        {
            _more.Add(key, number);
        }

        _count++;
    }

    public void Clear()
    {
        Array.Clear(_keys, 0, Math.Min(_count, Few));
        if (_count > Few)
            _more.Clear();
        _count = 0;
    }
}
