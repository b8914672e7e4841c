using Orleans;

namespace Watch;

/// <summary>Receives a pushed watch. Calls come one at a time; the next batch comes after this one's task has ended.</summary>
[Alias("watch.IWatchObserver")]
public interface IWatchObserver : IGrainObserver
{
    /// <summary>
    /// A batch. Throwing ends the watch with the reason CallbackFailed, taking longer than five seconds with ClientLost. A batch whose
    /// <see cref="WatchBatch.Revision"/> is at or below the last one's is a repetition, to be ignored.
    /// </summary>
    [Alias("OnBatch"), ResponseTimeout("00:00:05")]
    Task OnBatch(WatchBatch batch);
}
