using Watch.Core;

namespace Watch.ClientApp.Demo;

/// <summary>A change that the server acknowledged.</summary>
internal sealed record Acknowledged(Revision Revision, Key Key, ReadOnlyMemory<byte>? Value, long SentAt, long AcknowledgedAt)
{
    public bool IsPut => Value is not null;
}

/// <summary>
/// What the writer knows: every change that was acknowledged, by revision. It is made from the answers to writes alone, and so is what
/// all watchers are measured against. Thread-safe.
/// </summary>
internal sealed class Ledger
{
    private readonly Lock _gate = new();
    private readonly SortedDictionary<long, Acknowledged> _changes = [];
    private readonly List<string> _duplicates = [];
    private readonly List<(int Count, TaskCompletionSource Reached)> _waiting = [];

    public int Count
    {
        get
        {
            lock (_gate)
                return _changes.Count;
        }
    }

    /// <summary>Which revisions were acknowledged more than once, which must not be.</summary>
    public IReadOnlyList<string> Duplicates
    {
        get
        {
            lock (_gate)
                return [.. _duplicates];
        }
    }

    public void Add(Acknowledged change)
    {
        lock (_gate)
        {
            if (!_changes.TryAdd(change.Revision.Value, change))
                _duplicates.Add($"revision {change.Revision} was acknowledged twice, for {_changes[change.Revision.Value].Key} and for {change.Key}");
            foreach (var (_, reached) in _waiting.Where(each => each.Count <= _changes.Count))
                reached.TrySetResult();
            _waiting.RemoveAll(each => each.Count <= _changes.Count);
        }
    }

    public IReadOnlyList<Acknowledged> All()
    {
        lock (_gate)
            return [.. _changes.Values];
    }

    public Task WhenCountAsync(int count, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (_changes.Count >= count)
                return Task.CompletedTask;
            var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Add((count, reached));
            return reached.Task.WaitAsync(cancellationToken);
        }
    }
}
