using Watch.Client;
using Watch.Core;

namespace Watch.Grains.Watching;

/// <summary>The feed of a reader in this process: straight from the watch's queue, without a call and without bytes.</summary>
internal sealed class HostedFeed : IWatchFeed
{
    // Without a bound in bytes: here nothing is copied, and a revision never comes in pieces.
    private const int BatchEventsMax = 256;

    private readonly ILocalWatch _watch;
    private readonly ReadySignal _ready = new();
    private long _number;

    public HostedFeed(ILocalWatch watch)
    {
        _watch = watch;
        watch.Ready = _ready.Set;
    }

    public WatchRegistration Registration => _watch.Registration;

    public async ValueTask<WatchBatch?> NextAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            if (_watch.TryTake(BatchEventsMax, long.MaxValue, out var items))
                return LocalEvents.ToBatch(items, Registration, ++_number);
            cancellationToken.ThrowIfCancellationRequested();
            await _ready.WaitAsync(cancellationToken);
        }
    }

    public Task<Revision> RetargetAsync(WatchTarget target, long version, CancellationToken cancellationToken) => Task.FromResult(_watch.Retarget(target, version));

    public Task SetPolicyAsync(SlowPolicy policy, int? eventsMax, long? bytesMax, CancellationToken cancellationToken)
    {
        _watch.SetPolicy(policy, eventsMax, bytesMax);
        return Task.CompletedTask;
    }

    public Task AskProgressAsync(CancellationToken cancellationToken)
    {
        _watch.AskProgress();
        return Task.CompletedTask;
    }

    public ValueTask DisposeAsync() => _watch.DisposeAsync();
}
