namespace Watch.Core.Watching;

/// <summary>Whoever takes what waits for a watch.</summary>
public interface IWatchConsumer
{
    /// <summary>
    /// There is something to take after there was nothing, or the watch has ended. It is called by whoever brought that, perhaps under
    /// locks: it has the consumer look again, elsewhere, and returns. Any thread.
    /// </summary>
    void Wake();
}
