using Watch.Core.Watching;

namespace Watch.Grains.Watching;

/// <summary>Where a silo's watches read what messages did not bring them.</summary>
internal interface IHistorySource
{
    /// <summary>A piece of a scope's history.</summary>
    /// <exception cref="WatchException">Compacted, with the first revision that there is; or nobody could be asked.</exception>
    Task<HistoryPiece> ReadAsync(WatchEffect.Fetch fetch, CancellationToken cancellationToken);

    /// <summary>A page of keys.</summary>
    /// <exception cref="WatchException">Compacted, with the first revision that keys can be read at; or nobody could be asked.</exception>
    Task<SnapshotPiece> ReadAsync(WatchEffect.ReadSnapshot read, CancellationToken cancellationToken);
}
