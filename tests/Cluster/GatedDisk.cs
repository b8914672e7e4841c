using Watch.Grains.Storage;

namespace Watch.Cluster.Tests;

/// <summary>A disk that a test stops for a while: nothing on it becomes durable until the test lets it go on.</summary>
internal sealed class GatedDisk(IDiskWorker disk) : IDiskWorker, IDisposable
{
    private volatile TaskCompletionSource? _closed;

    public void Close() => _closed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Open()
    {
        var closed = _closed;
        _closed = null;
        closed?.SetResult();
    }

    public async ValueTask Run(Action job)
    {
        if (_closed is { } closed)
            await closed.Task;
        await disk.Run(job);
    }

    public void Dispose()
    {
        // A test that fails while it holds the disk must end, too.
        Open();
        (disk as IDisposable)?.Dispose();
    }
}
