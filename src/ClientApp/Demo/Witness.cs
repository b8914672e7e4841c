using Watch.ClientApp.Output;
using Watch.Core;

namespace Watch.ClientApp.Demo;

/// <summary>A watcher that remembers what it was told and when.</summary>
internal sealed class Witness(string name, WatchTarget target, WatchOptions options, TimeProvider time)
{
    private readonly Lock _gate = new();
    private readonly List<(WatchEvent Event, long At)> _seen = [];
    private Revision? _awaited;
    private readonly TaskCompletionSource _registered = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public string Name { get; } = name;

    public WatchTarget Target { get; } = target;

    /// <summary>The keys that the target, a key or a prefix, has.</summary>
    public Scope Scope { get; } = target.Kind == WatchTargetKind.Key ? Scope.OfKey(target.Text) : Scope.OfPrefix(target.Text);

    public bool PreviousValues { get; } = options.PreviousValues;

    /// <summary>Whether it was told what was long ago, so that it says nothing of how fast events come.</summary>
    public bool IsHistory { get; } = options.StartAt is not null;

    public Revision Start { get; private set; }

    /// <summary>Done when everything after <see cref="Start"/> is sure to arrive.</summary>
    public Task Registered => _registered.Task;

    public int Count
    {
        get
        {
            lock (_gate)
                return _seen.Count;
        }
    }

    /// <summary>The last event, where it ended the watch.</summary>
    public WatchEvent? End { get; private set; }

    public IReadOnlyList<(WatchEvent Event, long At)> Seen
    {
        get
        {
            lock (_gate)
                return [.. _seen];
        }
    }

    /// <summary>Watches until canceled, or until the watch ends.</summary>
    /// <param name="client">The client.</param>
    /// <param name="readAfter">What the reader waits for before it reads anything: makes it slow.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task RunAsync(IWatchClient client, Func<Task>? readAfter, CancellationToken cancellationToken)
    {
        try
        {
            await using var stream = await client.WatchAsync(Target, options, cancellationToken);
            Start = stream.Start;
            _registered.TrySetResult();
            if (readAfter is not null)
                await readAfter();
            await foreach (var each in stream.WithCancellation(cancellationToken))
                Take(each);
        }
        catch (Exception error)
        {
            _registered.TrySetException(error);
            _done.TrySetException(error);
            throw;
        }
    }

    /// <summary>Waits until the events up to this revision are here, or the watch has ended.</summary>
    public Task WhenSeenAsync(Revision revision, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            _awaited = revision;
            if (End is not null || (_seen is [.., var (last, _)] && last.Revision >= revision))
                _done.TrySetResult();
        }

        return _done.Task.WaitAsync(cancellationToken);
    }

    public override string ToString() => End is { } end ? $"{Name}: {Count} events, ended ({Words.Of(end.Reason)})" : $"{Name}: {Count} events";

    private void Take(WatchEvent each)
    {
        lock (_gate)
        {
            if (each.Type == WatchEventType.Canceled)
                End = each;
            else
                _seen.Add((each, time.GetTimestamp()));
            if (End is not null || each.Revision >= _awaited)
                _done.TrySetResult();
        }
    }
}
