using System.Diagnostics.CodeAnalysis;
using Watch.Core;
using Watch.Core.Watching;
using Watch.Interfaces;

namespace Watch.Grains.Watching;

/// <inheritdoc cref="ILocalWatch"/>
internal class LocalWatch(WatchDispatcher dispatcher, Subscription subscription, ulong filterHash) : ILocalWatch
{
    private readonly long _begunMs = dispatcher.Metrics.WallMs;

    // Made for each who asks: there may be a million watches here that are idle.
    public WatchRegistration Registration => new(subscription.Id.Value, Start, dispatcher.Incarnation, filterHash);

    public Action? Ready
    {
        set => subscription.Ready = value;
    }

    public IWatchConsumer? Consumer
    {
        set => subscription.Consumer = value;
    }

    public bool HasEvents => subscription.QueuedEvents > 0;

    /// <summary>Its number here.</summary>
    protected long Id => subscription.Id.Value;

    /// <summary>The revision after which everything arrives.</summary>
    protected Revision Start => (subscription.StartAt?.Previous ?? subscription.RegisteredAt)!.Value;

    public bool TryTake(int eventsMax, long bytesMax, [NotNullWhen(true)] out WatchItems? items)
    {
        if (!subscription.TryTake(eventsMax, bytesMax, out items))
            return false;
        subscription.NoteTaken(dispatcher.NowMs);
        dispatcher.Metrics.Delivered(items, _begunMs, isInProcess: subscription.Session is null);
        return true;
    }

    public RetargetReply Retarget(WatchTarget target, long version) => dispatcher.Retarget(subscription, target, version);

    public void SetPolicy(SlowPolicy policy, int? eventsMax, long? bytesMax) =>
        dispatcher.SetPolicy(subscription.Id, policy, eventsMax, bytesMax);

    public void AskProgress() => dispatcher.AskProgress(subscription.Id);

    public void End(WatchEndReason reason) => dispatcher.Unsubscribe(subscription.Id, (EndReason)reason);

    public ValueTask DisposeAsync()
    {
        dispatcher.Unsubscribe(subscription.Id, EndReason.Disposed);
        return default;
    }
}
