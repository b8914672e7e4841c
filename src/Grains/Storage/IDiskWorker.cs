namespace Watch.Grains.Storage;

/// <summary>
/// Where a node's disk work is done: one job at a time, in the order in which they were given. The real one is a thread
/// (<see cref="DiskThread"/>); a simulator does the job at a moment of its own choosing.
/// </summary>
public interface IDiskWorker
{
    /// <summary>
    /// Gives a job to the disk. What awaits the result goes on on its own scheduler, after the job has ended, and gets its exception.
    /// At most one job waits or runs at a time; await the one before.
    /// </summary>
    ValueTask Run(Action job);
}
