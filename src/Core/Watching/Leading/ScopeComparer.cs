using System.Diagnostics.CodeAnalysis;

namespace Watch.Core.Watching;

/// <summary>A scope's kind and text, where no scope was made of them yet.</summary>
internal readonly ref struct ScopeText(ScopeKind kind, ReadOnlySpan<byte> text)
{
    public readonly ScopeKind Kind = kind;
    public readonly ReadOnlySpan<byte> Text = text;
}

/// <summary>Compares scopes by kind and bytes, and lets a key's prefixes be looked up in place.</summary>
internal sealed class ScopeComparer : IEqualityComparer<Scope>, IAlternateEqualityComparer<ScopeText, Scope>
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
