#if ENGINE_ORLEANS
using Orleans.Streams;

namespace Watch.Grains.Engine.PushStreams;

/// <summary>
/// Reads one queue for its agent. It holds the question until there is something: the agent's timer only starts it again after a pause, so
/// that no event waits for a tick.
/// </summary>
internal sealed class PushReceiver(PushQueue queue) : IQueueAdapterReceiver
{
    /// <summary>How many publishings one answer holds at most.</summary>
    public const int TakeMax = 256;

    public Task Initialize(TimeSpan timeout) => Task.CompletedTask;

    public Task<IList<IBatchContainer>> GetQueueMessagesAsync(int maxCount) => GetQueueMessagesAsync(maxCount, CancellationToken.None);

    public async Task<IList<IBatchContainer>> GetQueueMessagesAsync(int maxCount, CancellationToken cancellationToken)
    {
        var work = queue.WaitAsync(PushQueue.PatienceMax);
        // Registered behind the wait's beginning: a token that was used before ends it at once. An exception would have the agent read
        // again only seconds later.
        await using (cancellationToken.UnsafeRegister(static queue => ((PushQueue)queue!).EndWait(), queue))
        {
            if (!await work)
                return [];
        }

        return [.. queue.Take(maxCount == QueueAdapterConstants.UNLIMITED_GET_QUEUE_MSG ? TakeMax : Math.Min(maxCount, TakeMax))];
    }

    // What was taken is the agent's; nobody keeps account of it (I-Q2).
    public Task MessagesDeliveredAsync(IList<IBatchContainer> messages) => Task.CompletedTask;

    public Task Shutdown(TimeSpan timeout)
    {
        queue.EndWait();
        return Task.CompletedTask;
    }
}
#endif
