using Watch.Client;
using Watch.Core.Watching;
using Watch.Interfaces;

namespace Watch.Grains.Watching;

/// <summary>The feed of a reader in this process: straight from the watch's queue, without a call and without bytes.</summary>
internal sealed class HostedFeed(ILocalWatch watch) : IWatchFeed
{
    // Without a bound in bytes: here nothing is copied, and a revision never comes in pieces.
    private const int BatchEventsMax = 256;

    public WatchRegistration Registration => watch.Registration;

    public IWatchConsumer? Consumer
    {
        set => watch.Consumer = value;
    }

    public bool TryNext(out WatchBatch? batch)
    {
        var hasAny = watch.TryTake(BatchEventsMax, long.MaxValue, out var items);
        batch = hasAny ? LocalEvents.ToBatch(items!, Registration) : null;
        return hasAny;
    }

    public Task<RetargetReply> RetargetAsync(WatchTarget target, long version, CancellationToken cancellationToken) => Task.FromResult(watch.Retarget(target, version));

    public Task SetPolicyAsync(SlowPolicy policy, int? eventsMax, long? bytesMax, CancellationToken cancellationToken)
    {
        watch.SetPolicy(policy, eventsMax, bytesMax);
        return Task.CompletedTask;
    }

    public Task AskProgressAsync(CancellationToken cancellationToken)
    {
        watch.AskProgress();
        return Task.CompletedTask;
    }

    public ValueTask DisposeAsync() => watch.DisposeAsync();
}
