using System.Diagnostics.CodeAnalysis;

namespace Watch.Core.Watching;

/// <summary>
/// Kept by the leader of a bucket: which silos watch which of its scopes. It is changed in the same step in which commits are
/// applied, so that a registration answered at revision R is named in every later commit of its scope and in none before.
/// It is not replicated: a new leader starts empty, and every silo's next progress question registers its scopes again.
/// Not thread-safe.
/// </summary>
public sealed class WatchedScopes : IWatchedScopes
{
    private static readonly IReadOnlyList<string> NoSilos = [];

    private readonly Dictionary<Scope, string[]> _silos = new(ScopeComparer.Instance);
    private readonly Dictionary<Scope, string[]>.AlternateLookup<ScopeText> _byText;
    private readonly Dictionary<string, HashSet<Scope>> _scopes = new(StringComparer.Ordinal);

    /// <summary>Nothing is watched yet.</summary>
    public WatchedScopes() => _byText = _silos.GetAlternateLookup<ScopeText>();

    /// <inheritdoc/>
    public bool Any => _silos.Count > 0;

    /// <summary>How many scopes are watched by at least one silo.</summary>
    public int Count => _silos.Count;

    /// <summary>The silos that watch anything, in the order in which they came.</summary>
    public IReadOnlyCollection<string> KnownSilos => _scopes.Keys;

    /// <inheritdoc/>
    public bool IsWatched(Scope scope) => _silos.ContainsKey(scope);

    /// <summary>Whether the scope with this text is watched: nothing is allocated, so a key's prefixes can be asked for in place.</summary>
    public bool IsWatched(ScopeKind kind, ReadOnlySpan<byte> text) => _byText.ContainsKey(new ScopeText(kind, text));

    /// <summary>The silos to tell of a change of this scope, in ordinal order; the same list for every event until a registration changes it.</summary>
    public IReadOnlyList<string> Silos(Scope scope) => _silos.TryGetValue(scope, out var silos) ? silos : NoSilos;

    /// <summary>The scopes that a silo watches: what the answer to its progress question gives the heads of.</summary>
    public IReadOnlyCollection<Scope> ScopesOf(string silo) => _scopes.TryGetValue(silo, out var scopes) ? scopes : [];

    /// <summary>From now on the silo is told of changes of this scope. Returns whether that is new.</summary>
    public bool Register(Scope scope, string silo)
    {
        ArgumentException.ThrowIfNullOrEmpty(silo);
        if (!_scopes.TryGetValue(silo, out var scopes))
            _scopes.Add(silo, scopes = new HashSet<Scope>(ScopeComparer.Instance));
        if (!scopes.Add(scope))
            return false;

        _silos[scope] = _silos.TryGetValue(scope, out var silos) ? With(silos, silo) : [silo];
        return true;
    }

    /// <summary>The silo is no longer told of changes of this scope. Returns whether it was.</summary>
    public bool Unregister(Scope scope, string silo)
    {
        ArgumentNullException.ThrowIfNull(silo);
        if (!_scopes.TryGetValue(silo, out var scopes) || !scopes.Remove(scope))
            return false;
        if (scopes.Count == 0)
            _scopes.Remove(silo);
        Drop(scope, silo);
        return true;
    }

    /// <summary>The silo is gone, or asks to be forgotten: it is told of nothing any more. Returns how many scopes it watched.</summary>
    public int ForgetSilo(string silo)
    {
        ArgumentNullException.ThrowIfNull(silo);
        if (!_scopes.Remove(silo, out var scopes))
            return 0;
        foreach (var scope in scopes)
            Drop(scope, silo);
        return scopes.Count;
    }

    /// <summary>Forgets everything: leadership was lost, or the bucket deleted.</summary>
    public void Clear()
    {
        _silos.Clear();
        _scopes.Clear();
    }

    private void Drop(Scope scope, string silo)
    {
        var silos = _silos[scope];
        if (silos.Length == 1)
            _silos.Remove(scope);
        else
            _silos[scope] = Array.FindAll(silos, each => !string.Equals(each, silo, StringComparison.Ordinal));
    }

    // The arrays are never changed in place: events that name them may still be on their way.
    private static string[] With(string[] silos, string silo)
    {
        string[] all = [.. silos, silo];
        Array.Sort(all, StringComparer.Ordinal);
        return all;
    }

    private readonly ref struct ScopeText(ScopeKind kind, ReadOnlySpan<byte> text)
    {
        public readonly ScopeKind Kind = kind;
        public readonly ReadOnlySpan<byte> Text = text;
    }

    private sealed class ScopeComparer : IEqualityComparer<Scope>, IAlternateEqualityComparer<ScopeText, Scope>
    {
        public static readonly ScopeComparer Instance = new();

        public bool Equals(Scope x, Scope y) => x == y;

        public int GetHashCode([DisallowNull] Scope obj) => Hash(obj.Kind, obj.Text.Span);

        public bool Equals(ScopeText alternate, Scope other) => alternate.Kind == other.Kind && alternate.Text.SequenceEqual(other.Text.Span);

        public int GetHashCode(ScopeText alternate) => Hash(alternate.Kind, alternate.Text);

        public Scope Create(ScopeText alternate) => new(alternate.Kind, Key.Of(alternate.Text));

        private static int Hash(ScopeKind kind, ReadOnlySpan<byte> text)
        {
            var hash = default(HashCode);
            hash.Add((byte)kind);
            hash.AddBytes(text);
            return hash.ToHashCode();
        }
    }
}
