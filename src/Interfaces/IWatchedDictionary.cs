using System.Collections.Immutable;
using Watch.Core;

namespace Watch;

/// <summary>
/// What a target has, kept up to date in this process: at every moment exactly what the store had at one revision, which only grows.
/// Reading takes no lock and makes no call. Thread-safe.
/// </summary>
public interface IWatchedDictionary : IReadOnlyDictionary<Key, KeyValue>, IAsyncDisposable
{
    /// <summary>All of it, of one revision. The members of the dictionary itself each read the newest view; take this to read several things of one.</summary>
    DictionaryView Current { get; }

    /// <summary>Whether it is not known to be fresh: the watch under it is lost, or has not been confirmed for a while.</summary>
    bool IsStale { get; }

    /// <summary>
    /// The changes from this call on, one revision after the other, also where they are read later. Of a sequence that is read twice, the second
    /// reading begins when it does. A reader that is more than <see cref="WatchedDictionaryOptions.ChangesMax"/>
    /// behind ends with <see cref="InvalidOperationException"/>.
    /// </summary>
    IAsyncEnumerable<DictionaryChange> ChangesAsync(CancellationToken cancellationToken = default);

    /// <summary>Waits until <see cref="Current"/> is of this revision or a later one.</summary>
    /// <exception cref="WatchException">The watch ended before.</exception>
    Task WaitForAsync(Revision revision, CancellationToken cancellationToken = default);

    /// <summary>Done when it is not kept up to date any more, with the reason.</summary>
    Task<WatchEndReason> Completion { get; }
}

/// <summary>What a target had at a revision.</summary>
/// <param name="Items">Its keys, in order.</param>
/// <param name="Revision">The revision.</param>
public sealed record DictionaryView(ImmutableSortedDictionary<Key, KeyValue> Items, Revision Revision);

/// <summary>One change of a dictionary.</summary>
/// <param name="Key">The key.</param>
/// <param name="Before">What it had; null for nothing.</param>
/// <param name="After">What it has; null for nothing.</param>
/// <param name="Revision">The revision that changed it; of what was missed and is told as a difference, the revision of the view that shows it.</param>
public sealed record DictionaryChange(Key Key, KeyValue? Before, KeyValue? After, Revision Revision);

/// <summary>How a dictionary is to be.</summary>
public sealed record WatchedDictionaryOptions
{
    /// <summary>How often its watch says how far it is, 100 ms to 1 h. Default 5 s.</summary>
    public TimeSpan ProgressInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>After how long without a confirmation it is stale; null for never. Default 15 s.</summary>
    public TimeSpan? StaleAfter { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>How many changes wait for a slow reader of <see cref="IWatchedDictionary.ChangesAsync"/>, 1 to 1,000,000. Default 10,000.</summary>
    public int ChangesMax { get; init; } = 10_000;
}
