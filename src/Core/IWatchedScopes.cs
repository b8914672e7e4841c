namespace Watch.Core;

/// <summary>Which scopes of one bucket somebody watches, as far as applying a commit has to know it. No watcher, no work.</summary>
public interface IWatchedScopes
{
    /// <summary>Whether any scope of the bucket is watched.</summary>
    bool Any { get; }

    /// <summary>Whether any prefix segment may be watched: where none is, nobody need ask about those of a key.</summary>
    bool AnyPrefix => Any;

    /// <summary>Whether this scope is watched.</summary>
    bool IsWatched(Scope scope);
}
