using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans;
using Watch.Client;
using Watch.Core;
using Watch.Grains.Consensus;

namespace Watch.Grains.Watching;

/// <summary>
/// The client of a service hosted in a silo: reads and writes go through the same grains, watches come straight from the silo's own
/// dispatcher, through the subscription's queue, without any call. So do reads of a key that the silo's own replica may answer.
/// </summary>
internal sealed partial class HostedWatchClient(IGrainFactory grains, WatchDispatcher dispatcher, OwnReplica own, IOptions<WatchSiloOptions> limits, IOptions<WatchClientOptions> options, TimeProvider time, IWatchRandom random, ILogger<HostedWatchClient> logger)
    : GrainWatchClient(grains, options.Value, time, random, isOutside: false)
{
    public override async Task<IWatchSubscription> SubscribeAsync(WatchTarget target, IWatchObserver observer, WatchOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(observer);
        var stream = await WatchAsync(target, options, cancellationToken);
        var push = new Push(stream, observer, Time, logger);
        push.Begin();
        return push;
    }

    // What the grain would refuse is left to it.
    private protected override bool TryGetHere(Key key, ReadPolicy policy, [NotNullWhen(true)] out GetResult? result)
    {
        result = null;
        return policy.Kind is ReadKind.Lease or ReadKind.Eventual or ReadKind.AtLeast && !key.IsEmpty && key.Length <= limits.Value.KeyBytesMax
            && own.TryGet(BucketId.Default, key, policy, out result);
    }

    private protected override async Task<IWatchFeed> OpenFeedAsync(WatchRequest request, CancellationToken cancellationToken) =>
        await dispatcher.SubscribeAsync(request, cancellationToken);

    /// <summary>Reads a stream and calls an observer, one call at a time.</summary>
    private sealed partial class Push(IWatchStream stream, IWatchObserver observer, TimeProvider time, ILogger logger) : IWatchSubscription
    {
        private readonly TaskCompletionSource<WatchEndReason> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Revision Start => stream.Start;

        public Revision Cursor => stream.Cursor;

        public Task<WatchEndReason> Completion => _completion.Task;

        /// <summary>Starts the calls; they end with the stream, and <see cref="Completion"/> tells how.</summary>
        public void Begin() => _ = RunAsync();

        public ValueTask DisposeAsync() => stream.DisposeAsync();

        private async Task RunAsync()
        {
            try
            {
                await foreach (var batch in stream.ReadBatchesAsync())
                {
                    if (await ObserverCall.ReturnsInTimeAsync(observer, batch, time))
                        continue;
                    _completion.TrySetResult(WatchEndReason.CallbackTimedOut);
                    return;
                }

                _completion.TrySetResult(await stream.Completion);
            }
            catch (Exception error)
            {
                // The observer's own failure ends its watch and nothing else.
                LogObserverFailed(logger, error);
                _completion.TrySetResult(WatchEndReason.CallbackFailed);
            }
        }

        [LoggerMessage(Level = LogLevel.Warning, Message = "An observer failed, and its watch ended")]
        private static partial void LogObserverFailed(ILogger logger, Exception error);
    }
}
