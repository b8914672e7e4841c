using System.Diagnostics.CodeAnalysis;
using Watch.Core;
using Watch.Core.Watching;
using Watch.Interfaces;

namespace Watch.Grains.Watching;

/// <inheritdoc cref="ILocalWatch"/>
internal sealed class LocalWatch(WatchDispatcher dispatcher, Subscription subscription, WatchRegistration registration) : ILocalWatch
{
    public WatchRegistration Registration => registration;

    public Action? Ready
    {
        set => subscription.Ready = value;
    }

    public bool HasEvents => subscription.QueuedEvents > 0;

    public bool TryTake(int eventsMax, long bytesMax, [NotNullWhen(true)] out WatchItems? items) => subscription.TryTake(eventsMax, bytesMax, out items);

    public Revision Retarget(WatchTarget target, long version) => throw NotServed.Yet("Changing the target of a watch");

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
