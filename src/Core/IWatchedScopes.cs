namespace Watch.Core;

/// <summary>Which scopes of one bucket somebody watches, as far as applying a commit has to know it. No watcher, no work.</summary>
public interface IWatchedScopes
{
    /// <summary>Whether any scope of the bucket is watched.</summary>
    bool Any { get; }

    /// <summary>Whether this scope is watched.</summary>
    bool IsWatched(Scope scope);
}
