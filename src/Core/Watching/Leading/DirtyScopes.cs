namespace Watch.Core.Watching;

/// <summary>What a leader answers to a silo's question about progress: the scopes that changed since the silo last said what it knows.</summary>
/// <param name="Heads">The scopes with their last changes.</param>
/// <param name="More">Whether there are more than an answer holds; the next one has them.</param>
/// <param name="IsAll">Whether these are all scopes that the leader has for the silo, changed or not.</param>
/// <param name="Number">The answer's number, by which it is acknowledged; it means nothing in another term.</param>
public sealed record DirtyAnswer(IReadOnlyList<ScopeHead> Heads, bool More, bool IsAll, long Number);

/// <summary>One silo that watches one scope: an entry of the leader's, and its place among those that the silo has to be told of.</summary>
internal sealed class Registration(DirtyScopes silo, Scope scope) : IScopeWatchers
{
    public DirtyScopes Silo => silo;

    public Scope Scope => scope;

    /// <summary>The scope's last change.</summary>
    public Revision Head { get; set; }

    /// <summary>The last answer that named it with that head; 0 where none has.</summary>
    public long ToldIn { get; set; }

    /// <summary>Whether the silo has to be told of it, or of its acknowledgement nothing is known yet.</summary>
    public bool IsDirty { get; set; }

    public Registration? Before { get; set; }

    public Registration? Behind { get; set; }

    public string[] Silos => silo.Alone;

    public void Mark(Revision head) => silo.Mark(this, head);

    public IScopeWatchers With(Registration registration) => SeveralWatchers.Of([this, registration]);

    public IScopeWatchers? Without(string name) => null;
}

/// <summary>
/// What a leader still has to tell one silo: the scopes that changed, or that came, since the silo acknowledged that it was told.
/// </summary>
/// <remarks>
/// <para>The problem: an event on its way to a silo may be lost, and if it was the last of its scope nothing that follows shows it. The
/// silo asks; but to answer with the last change of every scope costs the leader as much as there are watches, each second, though
/// hardly any scope changed. So the leader keeps, per silo, a list of those that did, in the order in which they did.</para>
/// <list type="bullet">
/// <item>I-P2: a scope is in the list from the commit, or the registration, that put it there, until an answer that named it with that
/// head or a later one is acknowledged, by its number and of the same term.</item>
/// </list>
/// <para>An answer names the first of the list, acknowledged or not told alike, and stamps each with its number. What was told stays where
/// it is, so the told ones are always the front of the list, and the last answer is the only one whose acknowledgement can find
/// anything: an earlier answer's scopes carry the number of the later answer that named them again. What changes after it was told goes to
/// the back, so that few busy scopes do not keep the others out of answers that are full.</para>
/// <para>It dies with the leadership: the next leader hears of the scopes anew, and each of them is to be told as one that came.</para>
/// </remarks>
internal sealed class DirtyScopes(string name)
{
    private readonly Dictionary<Scope, Registration> _scopes = new(ScopeComparer.Instance);
    private Registration? _first;
    private Registration? _last;

    /// <summary>The silo.</summary>
    public string Name => name;

    /// <summary>The silo as the only one that watches a scope.</summary>
    public string[] Alone { get; } = [name];

    /// <summary>The scopes that the silo watches.</summary>
    public IReadOnlyDictionary<Scope, Registration> Scopes => _scopes;

    /// <summary>The checksum of them.</summary>
    public ulong Hash { get; private set; }

    /// <summary>How many bytes their texts have.</summary>
    public long TextBytes { get; private set; }

    /// <summary>How many of them the silo has to be told of.</summary>
    public int Dirty { get; private set; }

    /// <summary>Enters a scope; null where it is there already.</summary>
    public Registration? Add(Scope scope, Revision head)
    {
        var registration = new Registration(this, scope);
        if (!_scopes.TryAdd(scope, registration))
            return null;
        Hash = unchecked(Hash + ScopesHash.Of(scope));
        TextBytes += scope.Text.Length;
        Mark(registration, head);
        return registration;
    }

    /// <summary>Takes a scope out.</summary>
    public Registration? Remove(Scope scope)
    {
        if (!_scopes.Remove(scope, out var registration))
            return null;
        Hash = unchecked(Hash - ScopesHash.Of(scope));
        TextBytes -= scope.Text.Length;
        if (registration.IsDirty)
            Unlink(registration);
        return registration;
    }

    /// <summary>The scope changed, or came: the silo has to be told.</summary>
    public void Mark(Registration registration, Revision head)
    {
        registration.Head = head;
        if (registration is { IsDirty: true, ToldIn: 0 })
            return;
        if (registration.IsDirty)
            Unlink(registration);
        registration.ToldIn = 0;
        Append(registration);
    }

    /// <summary>The silo has taken in an answer of this leader.</summary>
    public void Acknowledge(long number)
    {
        while (_first is { } told && told.ToldIn == number)
            Unlink(told);
    }

    /// <summary>The first of the list, now told in this answer.</summary>
    public DirtyAnswer Tell(long number, int headsMax, long textBytesMax)
    {
        var bytes = 0L;
        var heads = new List<ScopeHead>(Math.Min(headsMax, Dirty));
        for (var each = _first; each is not null && heads.Count < headsMax; each = each.Behind)
        {
            bytes += each.Scope.Text.Length;
            if (bytes > textBytesMax && heads.Count > 0)
                break;
            each.ToldIn = number;
            heads.Add(new ScopeHead(each.Scope, each.Head));
        }

        return new DirtyAnswer(heads, More: Dirty > heads.Count, IsAll: false, number);
    }

    /// <summary>All scopes of the silo, and those of the list are told with them.</summary>
    public DirtyAnswer TellAll(long number)
    {
        for (var each = _first; each is not null; each = each.Behind)
            each.ToldIn = number;
        return new DirtyAnswer([.. _scopes.Values.Select(each => new ScopeHead(each.Scope, each.Head))], More: false, IsAll: true, number);
    }

    private void Append(Registration registration)
    {
        (registration.IsDirty, registration.Before) = (true, _last);
        if (_last is null)
            _first = registration;
        else
            _last.Behind = registration;
        _last = registration;
        Dirty++;
    }

    private void Unlink(Registration registration)
    {
        if (registration.Before is { } before)
            before.Behind = registration.Behind;
        else
            _first = registration.Behind;
        if (registration.Behind is { } behind)
            behind.Before = registration.Before;
        else
            _last = registration.Before;
        (registration.IsDirty, registration.Before, registration.Behind) = (false, null, null);
        Dirty--;
    }
}
