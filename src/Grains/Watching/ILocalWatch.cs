using System.Diagnostics.CodeAnalysis;
using Watch.Core.Watching;
using Watch.Interfaces;

namespace Watch.Grains.Watching;

/// <summary>Who a watch is for.</summary>
/// <param name="Client">The client's name for people.</param>
/// <param name="Session">Its session's id; null for a reader in this process.</param>
internal readonly record struct WatchOwner(string Client, string? Session);

/// <summary>
/// A watch where it is served: what sessions and readers of this process take from. What is not taken stays in the bounded queue, so a
/// slow consumer is the watch's affair alone.
/// </summary>
internal interface ILocalWatch : IAsyncDisposable
{
    /// <summary>The answer to the registration.</summary>
    WatchRegistration Registration { get; }

    /// <summary>
    /// Is called when there is something to take after there was nothing, and when the watch ends; at once if that is so when it is set.
    /// It runs on the dispatcher's thread: it wakes the consumer and returns.
    /// </summary>
    Action? Ready { set; }

    /// <summary>As <see cref="Ready"/>, in place of it: who is woken.</summary>
    IWatchConsumer? Consumer { set; }

    /// <summary>Whether events wait: without, only what needs no room at the consumer does.</summary>
    bool HasEvents { get; }

    /// <summary>Takes what waits. One consumer at a time.</summary>
    bool TryTake(int eventsMax, long bytesMax, [NotNullWhen(true)] out WatchItems? items);

    /// <summary>Follows something else from the revision on that is answered.</summary>
    /// <exception cref="WatchException">The target is not valid, or the watch has ended.</exception>
    RetargetReply Retarget(WatchTarget target, long version);

    /// <summary>Changes what happens when the consumer is slow.</summary>
    /// <exception cref="WatchException">An option is out of its range, or the watch has ended.</exception>
    void SetPolicy(SlowPolicy policy, int? eventsMax, long? bytesMax);

    /// <summary>Asks how far the watch is.</summary>
    void AskProgress();

    /// <summary>Ends the watch for a reason that is not its consumer's own wish.</summary>
    void End(WatchEndReason reason);
}
