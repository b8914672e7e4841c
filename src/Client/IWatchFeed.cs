using Watch.Core.Watching;
using Watch.Interfaces;

namespace Watch.Client;

/// <summary>One attempt at a watch: what one silo delivers of it until it ends or the way to it is lost.</summary>
internal interface IWatchFeed : IAsyncDisposable
{
    /// <summary>The answer to the registration.</summary>
    WatchRegistration Registration { get; }

    /// <summary>Who is woken when there is something to take after there was nothing; at once if that is so when it is set.</summary>
    IWatchConsumer? Consumer { set; }

    /// <summary>
    /// The next batch; null when the feed ended without a last event, which is a loss. False where there is none yet: then the consumer
    /// is woken when there is. One at a time.
    /// </summary>
    bool TryNext(out WatchBatch? batch);

    /// <summary>Follows something else from the revision on that is answered.</summary>
    /// <exception cref="WatchException">It was refused, or the feed has ended or is lost.</exception>
    Task<RetargetReply> RetargetAsync(WatchTarget target, long version, CancellationToken cancellationToken);

    /// <summary>Changes what happens when the reader is slow.</summary>
    /// <exception cref="WatchException">It was refused, or the feed has ended or is lost.</exception>
    Task SetPolicyAsync(SlowPolicy policy, int? eventsMax, long? bytesMax, CancellationToken cancellationToken);

    /// <summary>Asks how far the watch is; the answer comes in a batch.</summary>
    /// <exception cref="WatchException">It was refused, or the feed has ended or is lost.</exception>
    Task AskProgressAsync(CancellationToken cancellationToken);
}
