using Watch.ClientApp.Trees;
using Watch.Core;

namespace Watch.ClientApp.Demo;

/// <summary>How far the mirror is.</summary>
internal sealed class MirrorProgress : IMirrorReport
{
    private readonly Lock _gate = new();
    private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Revision _at;
    private Revision? _goal;
    private long _count;

    public long Count => Interlocked.Read(ref _count);

    public Task WhenAppliedAsync(Revision revision, CancellationToken cancellationToken)
    {
        lock (_gate)
            _goal = revision;
        Reach(_at);
        return _reached.Task.WaitAsync(cancellationToken);
    }

    public void Synchronized(int files, Revision revision) => Reach(revision);

    public void Following(Revision revision) => Reach(revision);

    public void Applied(WatchEvent change)
    {
        Interlocked.Increment(ref _count);
        Reach(change.Revision);
    }

    public void StartingOver(string why)
    {
        // A new scan follows, which says how far it is.
    }

    private void Reach(Revision revision)
    {
        lock (_gate)
        {
            _at = Revision.Max(_at, revision);
            if (_goal is { } goal && _at >= goal)
                _reached.TrySetResult();
        }
    }
}
