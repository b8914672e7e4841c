using Orleans;
using Watch.Client;
using Watch.Core;
using Watch.Core.Watching;
using Watch.Interfaces;

namespace Watch.Cluster.Tests;

/// <summary>A client whose server is the test. To be used in turns (<see cref="TwoNodes.InTurnsAsync"/>), by the test's own clock.</summary>
internal sealed class ScriptedClient(TimeProvider time, bool isOutside = true, WatchClientOptions? options = null)
    : GrainWatchClient(null!, options ?? new WatchClientOptions { CallTimeout = TimeSpan.FromHours(1) }, time, new SystemWatchRandom(), isOutside)
{
    /// <summary>What was asked, one registration after the other.</summary>
    public List<WatchRequest> Requests { get; } = [];

    /// <summary>The registrations that were answered.</summary>
    public List<ScriptedFeed> Feeds { get; } = [];

    /// <summary>Answers a registration; unless set, each is taken, at the revision before its start.</summary>
    public Func<WatchRequest, Task<ScriptedFeed>> OnOpen { get; set; } = request => Task.FromResult(new ScriptedFeed(request.StartAt?.Previous ?? Revision.None));

    /// <summary>Canceled when the test has the client disposed of.</summary>
    public CancellationTokenSource End { get; } = new();

    internal override CancellationToken Gone => End.Token;

    private protected override async Task<IWatchFeed> OpenFeedAsync(WatchRequest request, CancellationToken cancellationToken)
    {
        Requests.Add(request);
        var answer = OnOpen(request);
        var feed = await answer.WaitAsync(cancellationToken);
        Feeds.Add(feed);
        return feed;
    }
}

/// <summary>One registration, which delivers what the test says.</summary>
internal sealed class ScriptedFeed(Revision start, ulong filterHash = 1) : IWatchFeed
{
    private readonly Queue<WatchBatch> _batches = [];
    private IWatchConsumer? _consumer;
    private Revision _at = start;
    private bool _isLost;

    public WatchRegistration Registration { get; } = new(1, start, "00000000000000000000000000000001", filterHash);

    /// <summary>Answers a change of target.</summary>
    public Func<WatchTarget, long, Task<RetargetReply>> OnRetarget { get; set; } = (_, _) => throw new NotSupportedException();

    /// <summary>How often it was asked how far it is.</summary>
    public int Asked { get; private set; }

    public bool IsDisposed { get; private set; }

    public IWatchConsumer? Consumer
    {
        set
        {
            _consumer = value;
            _consumer?.Wake();
        }
    }

    public void Send(long revision, params WatchEvent[] events)
    {
        _batches.Enqueue(new WatchBatch(1, _at, new Revision(revision), [.. events]));
        _at = new Revision(revision);
        _consumer?.Wake();
    }

    public void Put(string key, long revision) => Send(revision, new WatchEvent { Type = WatchEventType.Put, Key = Key.Of(key), Revision = new Revision(revision) });

    public void Progress(long revision) => Send(revision, new WatchEvent { Type = WatchEventType.Progress, Revision = new Revision(revision) });

    public void End(WatchEndReason reason) => Send(_at.Value, new WatchEvent { Type = WatchEventType.Canceled, Reason = reason, Revision = _at });

    /// <summary>The way to it is lost.</summary>
    public void Lose()
    {
        _isLost = true;
        _consumer?.Wake();
    }

    public bool TryNext(out WatchBatch? batch) => _batches.TryDequeue(out batch) || _isLost;

    public Task<RetargetReply> RetargetAsync(WatchTarget target, long version, CancellationToken cancellationToken) => OnRetarget(target, version).WaitAsync(cancellationToken);

    /// <summary>The policies that it was told, in order.</summary>
    public List<SlowPolicy> Policies { get; } = [];

    /// <summary>Answers a change of policy.</summary>
    public Func<Task> OnSetPolicy { get; set; } = () => Task.CompletedTask;

    /// <summary>What becomes of leaving it.</summary>
    public Action OnDispose { get; set; } = () => { };

    public Task SetPolicyAsync(SlowPolicy policy, int? eventsMax, long? bytesMax, CancellationToken cancellationToken)
    {
        Policies.Add(policy);
        return OnSetPolicy();
    }

    public Task AskProgressAsync(CancellationToken cancellationToken)
    {
        Asked++;
        return Task.CompletedTask;
    }

    public ValueTask DisposeAsync()
    {
        IsDisposed = true;
        OnDispose();
        return default;
    }
}
