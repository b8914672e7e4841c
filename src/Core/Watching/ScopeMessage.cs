namespace Watch.Core.Watching;

/// <summary>
/// What a silo is told of one scope and one revision. <see cref="Previous"/> makes it a link of a chain: whoever is complete up
/// to there misses nothing by taking this message next.
/// </summary>
/// <param name="Scope">The scope.</param>
/// <param name="Previous">The scope's change before this one, or a revision up to which it is known to have none after that.</param>
/// <param name="Revision">The revision of these changes.</param>
/// <param name="Changes">All changes of this revision in this scope; null where they are too large to travel and are to be read from history.</param>
/// <param name="Silos">The silos to tell.</param>
public sealed record ScopeMessage(Scope Scope, Revision Previous, Revision Revision, IReadOnlyList<Change>? Changes, IReadOnlyList<string> Silos);

/// <summary>The revision of a scope's last change.</summary>
/// <param name="Scope">The scope.</param>
/// <param name="Head">Its last change.</param>
public readonly record struct ScopeHead(Scope Scope, Revision Head);
