namespace Watch;

/// <summary>Receives a pushed watch. Calls come one at a time; the next batch comes after this one's task has ended.</summary>
public interface IWatchObserver
{
    /// <summary>
    /// A batch. Throwing ends the watch with the reason CallbackFailed, taking longer than <see cref="CallbackSeconds"/> with
    /// CallbackTimedOut; nothing is called after that. A batch at or below the last one's <see cref="WatchBatch.Revision"/> does not come.
    /// </summary>
    Task OnBatch(WatchBatch batch);

    /// <summary>How many seconds a call may take.</summary>
    public const int CallbackSeconds = 5;
}
