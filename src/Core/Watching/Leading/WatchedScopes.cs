namespace Watch.Core.Watching;

/// <summary>
/// Kept by the leader of a bucket: which silos watch which of its scopes, and what each of them has to be told of. It is changed in the
/// same step in which commits are applied, so that a registration answered at revision R is named in every later commit of its scope and
/// in none before. It is not replicated: a new leader starts empty, asks every silo, and is told again by its next question about progress.
/// Not thread-safe.
/// </summary>
public sealed class WatchedScopes : IWatchedScopes
{
    private static readonly IReadOnlyList<string> NoSilos = [];

    private readonly Dictionary<Scope, IScopeWatchers> _watchers = new(ScopeComparer.Instance);
    private readonly Dictionary<Scope, IScopeWatchers>.AlternateLookup<ScopeText> _byText;
    private readonly Dictionary<string, DirtyScopes> _silos = new(StringComparer.Ordinal);
    private long _lastAnswer;
    private int _prefixes;

    /// <summary>Nothing is watched yet.</summary>
    public WatchedScopes() => _byText = _watchers.GetAlternateLookup<ScopeText>();

    /// <inheritdoc/>
    public bool Any => _watchers.Count > 0;

    /// <inheritdoc/>
    public bool AnyPrefix => _prefixes > 0;

    /// <summary>How many scopes are watched by at least one silo.</summary>
    public int Count => _watchers.Count;

    /// <summary>The silos that watch anything, in the order in which they came.</summary>
    public IReadOnlyCollection<string> KnownSilos => _silos.Keys;

    /// <inheritdoc/>
    public bool IsWatched(Scope scope) => _watchers.ContainsKey(scope);

    /// <summary>Whether the scope with this text is watched: nothing is allocated, so a key's prefixes can be asked for in place.</summary>
    public bool IsWatched(ScopeKind kind, ReadOnlySpan<byte> text) => _byText.ContainsKey(new ScopeText(kind, text));

    /// <summary>Whether a silo watches anything.</summary>
    public bool IsKnown(string silo) => _silos.ContainsKey(silo);

    /// <summary>The silos to tell of a change of this scope, in ordinal order; the same list for every event until a registration changes it.</summary>
    public IReadOnlyList<string> Silos(Scope scope) => _watchers.TryGetValue(scope, out var watchers) ? watchers.Silos : NoSilos;

    /// <summary>The scopes that a silo watches.</summary>
    public IReadOnlyCollection<Scope> ScopesOf(string silo) => _silos.TryGetValue(silo, out var scopes) ? [.. scopes.Scopes.Keys] : [];

    /// <summary>How many scopes a silo watches, and their <see cref="ScopesHash"/>.</summary>
    public (int Scopes, ulong Hash) Of(string silo) => _silos.TryGetValue(silo, out var scopes) ? (scopes.Scopes.Count, scopes.Hash) : default;

    /// <summary>From now on the silo is told of changes of this scope; and, once, of the last one. Returns whether that is new.</summary>
    /// <param name="scope">The scope.</param>
    /// <param name="silo">The silo.</param>
    /// <param name="head">The scope's last change.</param>
    public bool Register(Scope scope, string silo, Revision head)
    {
        ArgumentException.ThrowIfNullOrEmpty(silo);
        if (!_silos.TryGetValue(silo, out var scopes))
            _silos.Add(silo, scopes = new DirtyScopes(silo));
        if (scopes.Add(scope, head) is not { } registration)
            return false;

        if (_watchers.TryGetValue(scope, out var watchers))
        {
            _watchers[scope] = watchers.With(registration);
            return true;
        }

        _watchers.Add(scope, registration);
        _prefixes += scope.Kind == ScopeKind.Prefix ? 1 : 0;
        return true;
    }

    /// <summary>The silo is no longer told of changes of this scope. Returns whether it was.</summary>
    public bool Unregister(Scope scope, string silo)
    {
        ArgumentNullException.ThrowIfNull(silo);
        if (!_silos.TryGetValue(silo, out var scopes) || scopes.Remove(scope) is null)
            return false;
        if (scopes.Scopes.Count == 0)
            _silos.Remove(silo);
        Drop(scope, silo);
        return true;
    }

    /// <summary>The silo is gone, or asks to be forgotten: it is told of nothing any more. Returns how many scopes it watched.</summary>
    public int ForgetSilo(string silo)
    {
        ArgumentNullException.ThrowIfNull(silo);
        if (!_silos.Remove(silo, out var scopes))
            return 0;
        foreach (var scope in scopes.Scopes.Keys)
            Drop(scope, silo);
        return scopes.Scopes.Count;
    }

    /// <summary>The scope changed: those silos are to be told, and whichever loses the event is told in the answer to its next question.</summary>
    /// <param name="scope">The scope.</param>
    /// <param name="head">The revision of the change. Called once for each, in order, whether or not anybody publishes it.</param>
    public IReadOnlyList<string> Named(Scope scope, Revision head)
    {
        if (!_watchers.TryGetValue(scope, out var watchers))
            return NoSilos;
        watchers.Mark(head);
        return watchers.Silos;
    }

    /// <summary>The answer to a silo's question, at a cost that depends on what changed and not on what is watched (I-P2 of the list it keeps).</summary>
    /// <param name="silo">Who asks.</param>
    /// <param name="acknowledged">The number of the last answer that it took in, if that was one of this leader's term; else 0.</param>
    /// <param name="headsMax">How many scopes an answer names at most, 1 or more.</param>
    /// <param name="textBytesMax">How many bytes of scopes' texts an answer has at most; one scope is always named.</param>
    public DirtyAnswer Answer(string silo, long acknowledged, int headsMax, long textBytesMax = long.MaxValue)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(headsMax, 1);
        var number = ++_lastAnswer;
        if (!_silos.TryGetValue(silo, out var scopes))
            return new DirtyAnswer([], More: false, IsAll: false, number);
        if (acknowledged > 0)
            scopes.Acknowledge(acknowledged);
        return scopes.Tell(number, headsMax, textBytesMax);
    }

    /// <summary>All scopes that are registered for a silo, with their last changes: what reconciles two that do not agree.</summary>
    /// <param name="silo">Who asks.</param>
    /// <param name="headsMax">
    /// How many scopes an answer names at most. Where there are more the silo is forgotten, and so it is told that there are none: then it
    /// registers what it watches anew, a bounded number at a time, and each is to be told as one that came.
    /// </param>
    /// <param name="textBytesMax">How many bytes of scopes' texts an answer has at most; likewise.</param>
    public DirtyAnswer AnswerAll(string silo, int headsMax = int.MaxValue, long textBytesMax = long.MaxValue)
    {
        var number = ++_lastAnswer;
        if (_silos.TryGetValue(silo, out var scopes) && scopes.Scopes.Count <= headsMax && scopes.TextBytes <= textBytesMax)
            return scopes.TellAll(number);
        ForgetSilo(silo);
        return new DirtyAnswer([], More: false, IsAll: true, number);
    }

    private void Drop(Scope scope, string silo)
    {
        if (_watchers[scope].Without(silo) is { } left)
            _watchers[scope] = left;
        else if (_watchers.Remove(scope) && scope.Kind == ScopeKind.Prefix)
            _prefixes--;
    }
}
