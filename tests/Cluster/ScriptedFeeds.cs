using Orleans;
using Watch.Client;
using Watch.Core;
using Watch.Core.Watching;
using Watch.Interfaces;

namespace Watch.Cluster.Tests;

/// <summary>A client whose watches are served by the feeds that a test has put ready, in order.</summary>
internal sealed class ScriptedFeeds(IGrainFactory grains, TimeProvider time)
    : GrainWatchClient(grains, new WatchClientOptions { BackoffFirst = TimeSpan.FromMilliseconds(1), BackoffMax = TimeSpan.FromMilliseconds(1) }, time, new SystemWatchRandom(), isOutside: true)
{
    private readonly Queue<ScriptedFeed> _ready = [];

    /// <summary>What was asked for, registration by registration.</summary>
    public List<WatchRequest> Requests { get; } = [];

    public ScriptedFeed Next(long start)
    {
        var feed = new ScriptedFeed(new Revision(start));
        _ready.Enqueue(feed);
        return feed;
    }

    private protected override Task<IWatchFeed> OpenFeedAsync(WatchRequest request, CancellationToken cancellationToken)
    {
        Requests.Add(request);
        return Task.FromResult<IWatchFeed>(_ready.Dequeue());
    }
}

/// <summary>One registration: it delivers what a test gives it, and answers changes of target as the test says.</summary>
internal sealed class ScriptedFeed(Revision start) : IWatchFeed
{
    private readonly Queue<WatchBatch> _batches = [];
    private IWatchConsumer? _consumer;
    private Revision _cursor = start;
    private bool _isLost;

    public WatchRegistration Registration { get; } = new(1, start, "here");

    /// <summary>The changes of target that it was told of.</summary>
    public List<long> Told { get; } = [];

    public TaskCompletionSource<RetargetReply> Answer { get; } = new();

    public IWatchConsumer? Consumer
    {
        set
        {
            _consumer = value;
            value?.Wake();
        }
    }

    /// <summary>One more step, up to that revision.</summary>
    public void Deliver(long revision, params WatchEvent[] events)
    {
        _batches.Enqueue(new WatchBatch(1, _cursor, new Revision(revision), [.. events]));
        _cursor = new Revision(revision);
        _consumer?.Wake();
    }

    public void Lose()
    {
        _isLost = true;
        _consumer?.Wake();
    }

    public bool TryNext(out WatchBatch? batch) => _batches.TryDequeue(out batch) || _isLost;

    public Task<RetargetReply> RetargetAsync(WatchTarget target, long version, CancellationToken cancellationToken)
    {
        Told.Add(version);
        return Answer.Task.WaitAsync(cancellationToken);
    }

    public Task SetPolicyAsync(SlowPolicy policy, int? eventsMax, long? bytesMax, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task AskProgressAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public ValueTask DisposeAsync() => default;
}
