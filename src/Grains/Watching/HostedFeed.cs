using Watch.Client;
using Watch.Core.Watching;
using Watch.Interfaces;

namespace Watch.Grains.Watching;

/// <summary>The feed of a reader in this process: the watch's own queue, without a call and without bytes.</summary>
internal sealed class HostedFeed(WatchDispatcher dispatcher, Subscription subscription, ulong filterHash) : LocalWatch(dispatcher, subscription, filterHash), IWatchFeed
{
    // Without a bound in bytes: here nothing is copied, and a revision never comes in pieces.
    private const int BatchEventsMax = 256;

    public bool TryNext(out WatchBatch? batch)
    {
        var hasAny = TryTake(BatchEventsMax, long.MaxValue, out var items);
        batch = hasAny ? LocalEvents.ToBatch(items!, Id, Start) : null;
        return hasAny;
    }

    public Task<RetargetReply> RetargetAsync(WatchTarget target, long version, CancellationToken cancellationToken) => Task.FromResult(Retarget(target, version));

    public Task SetPolicyAsync(SlowPolicy policy, int? eventsMax, long? bytesMax, CancellationToken cancellationToken)
    {
        SetPolicy(policy, eventsMax, bytesMax);
        return Task.CompletedTask;
    }

    public Task AskProgressAsync(CancellationToken cancellationToken)
    {
        AskProgress();
        return Task.CompletedTask;
    }
}
