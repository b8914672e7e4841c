namespace Watch.Cluster.Tests;

/// <summary>Keeps what it is told.</summary>
internal sealed class RecordingObserver : IWatchObserver
{
    private readonly Lock _gate = new();
    private readonly List<WatchEvent> _events = [];
    private TaskCompletionSource _more = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public bool Fails { get; init; }

    public Task OnBatch(WatchBatch batch)
    {
        if (Fails)
            throw new InvalidOperationException("The observer fails on purpose.");
        lock (_gate)
        {
            _events.AddRange(batch.Events);
            _more.TrySetResult();
            _more = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        return Task.CompletedTask;
    }

    public async Task<List<WatchEvent>> WaitForAsync(int count)
    {
        while (true)
        {
            Task more;
            lock (_gate)
            {
                if (_events.Count >= count)
                    return [.. _events];
                more = _more.Task;
            }

            await more.WaitAsync(WatchCluster.Patience);
        }
    }
}
