namespace Watch.Core.Watching;

/// <summary>
/// A checksum of a set of scopes, the same in every process and for every order: the wrapping sum of a hash of each. A silo and a leader
/// compare it, and the count, at every question; who adds or removes a scope adds or subtracts its hash and walks nothing.
/// </summary>
/// <remarks>The hash is FNV-1a over kind and text, mixed once more, since sums of plain FNV hashes of similar texts are too alike.</remarks>
public static class ScopesHash
{
    private const ulong OffsetBasis = 14695981039346656037;
    private const ulong Prime = 1099511628211;

    /// <summary>What one scope adds to the sum.</summary>
    public static ulong Of(Scope scope)
    {
        var hash = (OffsetBasis ^ (byte)scope.Kind) * Prime;
        foreach (var each in scope.Text.Span)
            hash = (hash ^ each) * Prime;
        hash = (hash ^ (hash >> 30)) * 0xBF58476D1CE4E5B9;
        hash = (hash ^ (hash >> 27)) * 0x94D049BB133111EB;
        return hash ^ (hash >> 31);
    }

    /// <summary>The sum over a whole set, from scratch.</summary>
    public static ulong Of(IEnumerable<Scope> scopes)
    {
        ArgumentNullException.ThrowIfNull(scopes);
        var sum = 0UL;
        foreach (var scope in scopes)
            sum = unchecked(sum + Of(scope));
        return sum;
    }
}
