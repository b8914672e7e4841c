using Orleans.Serialization;

namespace Watch.Embedded.Serialization;

/// <summary>The objects of one deep copy and their copies, so that sharing and cycles survive. One per thread, reused.</summary>
internal sealed class CopyContext
{
    [ThreadStatic]
    private static CopyContext? t_spare;

    private readonly ReferenceTable _originals = new();
    private readonly List<object> _copies = [];
    private int _depth;

    public static CopyContext Rent()
    {
        var context = t_spare ?? new CopyContext();
        t_spare = null;
        return context;
    }

    public void Return()
    {
        _originals.Clear();
        _copies.Clear();
        _depth = 0;
        t_spare = this;
    }

    public bool TryFind(object original, out object? copy)
    {
        var found = _originals.TryFind(original, out var number);
        copy = found ? _copies[number] : null;
        return found;
    }

    /// <summary>Called as soon as the copy exists, before its members are copied.</summary>
    public void Remember(object original, object copy)
    {
        _originals.Add(original, _copies.Count);
        _copies.Add(copy);
    }

    /// <summary>For copies that exist only after their elements: a cycle through one makes two of it.</summary>
    public void RememberIfNew(object original, object copy)
    {
        if (!_originals.TryFind(original, out _))
            Remember(original, copy);
    }

    public void Enter(int depthMax)
    {
        if (++_depth > depthMax)
            throw new SerializerException($"Objects are nested deeper than {depthMax} levels.");
    }

    public void Leave() => _depth--;
}
