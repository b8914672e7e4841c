using Orleans;

namespace Watch;

/// <summary>Receives a pushed watch. Calls come one at a time; the next batch comes after this one's task has ended.</summary>
[Alias("watch.IWatchObserver")]
public interface IWatchObserver : IGrainObserver
{
    /// <summary>
    /// A batch. Throwing ends the watch with the reason CallbackFailed, taking longer than <see cref="CallbackSeconds"/> with
    /// CallbackTimedOut; nothing is called after that. A batch at or below the last one's <see cref="WatchBatch.Revision"/> does not
    /// come; an observer that is registered with a session grain directly, without <see cref="IWatchClient"/>, has to drop such itself.
    /// </summary>
    [Alias("OnBatch"), ResponseTimeout("00:00:10")]
    Task OnBatch(WatchBatch batch);

    /// <summary>How many seconds a call may take.</summary>
    public const int CallbackSeconds = 5;
}
