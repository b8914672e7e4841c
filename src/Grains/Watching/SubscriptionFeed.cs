using System.Collections.Immutable;
using System.Threading.Channels;
using Watch.Client;
using Watch.Core;
using Watch.Core.Watching;

namespace Watch.Grains.Watching;

/// <summary>
/// The consumer's end of a subscription: waits for the queue, takes whole revisions from it and gives them the form in which they
/// travel. What is not taken stays in the bounded queue, so a slow consumer is the subscription's affair alone.
/// </summary>
internal sealed class SubscriptionFeed : IWatchFeed
{
    private const int BatchEventsMax = 256;
    private const long BatchBytesMax = 1 << 20;

    private readonly WatchDispatcher _dispatcher;
    private readonly Subscription _subscription;

    // One token: "look again". Writing it never blocks and never piles up.
    private readonly Channel<bool> _ready = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });

    public SubscriptionFeed(WatchDispatcher dispatcher, Subscription subscription, WatchRegistration registration)
    {
        _dispatcher = dispatcher;
        _subscription = subscription;
        Registration = registration;
        subscription.Ready = () => _ready.Writer.TryWrite(true);
    }

    public WatchRegistration Registration { get; }

    public async ValueTask<WatchBatch?> NextAsync(CancellationToken cancellationToken)
    {
        WatchItems? items;
        while (!_subscription.TryTake(BatchEventsMax, long.MaxValue, out items))
        {
            await _ready.Reader.WaitToReadAsync(cancellationToken);
            _ready.Reader.TryRead(out _);
        }

        return ToBatch(items);
    }

    /// <summary>Ends the subscription for a reason that is not the reader's own wish.</summary>
    public void End(WatchEndReason reason) => _dispatcher.Unsubscribe(_subscription.Id, (EndReason)reason);

    public ValueTask DisposeAsync()
    {
        _dispatcher.Unsubscribe(_subscription.Id, EndReason.Disposed);
        return default;
    }

    private WatchBatch ToBatch(WatchItems items)
    {
        var previous = items.Previous ?? Registration.Start;
        if (items.End is { } end)
            return new WatchBatch(_subscription.Id.Value, previous, end.Cursor ?? previous, [ToEvent(end, previous)]);

        var events = ImmutableArray.CreateBuilder<WatchEvent>();
        foreach (var part in items.Parts)
            if (part is WatchPart.Events { Commit: var commit })
                foreach (var change in commit.Changes)
                    events.Add(ToEvent(change, commit.Form.ValueOf(change), commit.Form.PreviousOf(change)));
            else
                throw new InvariantViolationException($"{part.GetType().Name} is not asked for by anybody yet.");
        return new WatchBatch(_subscription.Id.Value, previous, items.Revision ?? previous, events.DrainToImmutable());
    }

    private static WatchEvent ToEvent(Change change, ReadOnlyMemory<byte> value, PreviousValue previous) => new()
    {
        Type = change.Kind == ChangeKind.Put ? WatchEventType.Put : WatchEventType.Delete,
        Key = change.Key,
        Value = value,
        PreviousState = (Watch.PreviousState)(int)previous.State,
        PreviousValue = previous.Value,
        Revision = change.Revision,
        CreateRevision = change.CreateRevision,
        Version = change.Version,
        CommitTimeMs = change.CommitTimeMs,
        Cause = (WatchEventCause)change.Cause,
        Position = change.Position,
        Writer = change.Writer,
    };

    private static WatchEvent ToEvent(EndNotice end, Revision previous) => new()
    {
        Type = WatchEventType.Canceled,
        Key = end.Key,
        Revision = end.Cursor ?? previous,
        Reason = (WatchEndReason)(int)end.Reason,
        Message = end.Message,
        FirstAvailable = end.FirstAvailable ?? default,
    };
}
