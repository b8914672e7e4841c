namespace Watch.Client;

/// <summary>One attempt at a watch: what one silo delivers of it until it ends or the way to it is lost.</summary>
internal interface IWatchFeed : IAsyncDisposable
{
    /// <summary>The answer to the registration.</summary>
    WatchRegistration Registration { get; }

    /// <summary>The next batch; null when the feed ended without a last event, which is a loss.</summary>
    ValueTask<WatchBatch?> NextAsync(CancellationToken cancellationToken);
}
