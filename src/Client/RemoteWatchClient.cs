using Orleans;
using Microsoft.Extensions.Options;
using Orleans.Runtime;
using Watch.Interfaces;

namespace Watch.Client;

/// <summary>The client of a program outside the cluster: each of its watches has a session grain, near the gateway it talks to.</summary>
internal sealed class RemoteWatchClient(IClusterClient cluster, IOptions<WatchClientOptions> options, TimeProvider time, IWatchRandom random)
    : GrainWatchClient(cluster, options.Value, time, random, isOutside: true)
{
    public override Task<IWatchSubscription> SubscribeAsync(WatchTarget target, IWatchObserver observer, WatchOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(target);
        ArgumentNullException.ThrowIfNull(observer);
        return PushedWatch.StartAsync(Grains, Sessions, Request(target, options), observer, options?.Resume ?? true, Options, Time, Random, cancellationToken);
    }

    private protected override async Task<IWatchFeed> OpenFeedAsync(WatchRequest request, CancellationToken cancellationToken)
    {
        // Every pulled watch has a session of its own: it needs no lease, since pulling is its sign of life, and after a loss the
        // next attempt lands wherever the client then is.
        while (true)
        {
            var feed = new PulledFeed(await Sessions.NewAsync(cancellationToken), Sessions, request, Options);
            try
            {
                await feed.RegisterAsync(cancellationToken);
                return feed;
            }
            catch (TimeoutException) when (!cancellationToken.IsCancellationRequested)
            {
                // Its server is silent: the next session is another's.
                await feed.DisposeAsync();
            }
            catch
            {
                await feed.DisposeAsync();
                throw;
            }
        }
    }

    /// <summary>A feed that is the session grain's sequence of batches.</summary>
    private sealed class PulledFeed : IWatchFeed
    {
        private readonly CancellationTokenSource _ended = new();
        private readonly IAsyncEnumerator<WatchBatch> _batches;
        private readonly IWatchSessionGrain _session;
        private readonly Sessions _sessions;
        private readonly WatchClientOptions _options;
        private readonly Lock _gate = new();
        private Task<bool>? _pending;
        private bool _closing;

        public PulledFeed(IWatchSessionGrain session, Sessions sessions, WatchRequest request, WatchClientOptions options)
        {
            _session = session;
            _sessions = sessions;
            _options = options;
            _batches = session.Watch(request, _ended.Token).WithBatchSize(1).GetAsyncEnumerator(_ended.Token);
        }

        public WatchRegistration Registration { get; private set; } = new(0, default, "");

        public async Task RegisterAsync(CancellationToken cancellationToken)
        {
            var first = await NextAsync(_options.HedgeAfter, cancellationToken);
            Registration = first?.Registration
                ?? throw new WatchException(WatchErrorCode.Unavailable, "The server ended the watch before it answered the registration.");
        }

        public ValueTask<WatchBatch?> NextAsync(CancellationToken cancellationToken) => NextAsync(_options.WatchQuiet, cancellationToken);

        private async ValueTask<WatchBatch?> NextAsync(TimeSpan quiet, CancellationToken cancellationToken)
        {
            // A reader that gives up waiting leaves the call under way behind; disposing of the feed ends it.
            Task<bool> pending;
            lock (_gate)
            {
                if (_closing)
                    return null;
                pending = _pending ??= _batches.MoveNextAsync().AsTask();
            }

            var more = await _sessions.WhileAliveAsync(pending, _session, quiet, cancellationToken);
            lock (_gate)
                _pending = _closing ? pending : null;
            return more ? _batches.Current : null;
        }

        public ValueTask DisposeAsync()
        {
            lock (_gate)
            {
                if (_closing)
                    return default;
                _closing = true;
            }

            _ended.Cancel();
            // Not awaited: on the way to a silo that does not answer this can take as long as a call may, and whoever leaves a watch,
            // or resumes it elsewhere, has nothing to gain from that. It handles its own failures.
            _ = CloseAsync(_pending ?? Task.CompletedTask);
            return default;
        }

        private async Task CloseAsync(Task pending)
        {
            // A sequence must not be disposed of while it moves. What the move comes to was, or is, its reader's affair.
            await pending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
            try
            {
                await _batches.DisposeAsync();
            }
            catch (Exception error) when (error is WatchException || TransportErrors.IsLost(error, default))
            {
                // The silo is gone, and the watch with it; where it is not, it ends the watch for want of a reader.
            }
        }
    }
}
