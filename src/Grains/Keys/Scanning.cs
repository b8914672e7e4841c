using System.Collections.Immutable;
using Watch.Core;
using Watch.Grains.Consensus;
using Watch.Grains.Watching;

namespace Watch.Grains.Keys;

/// <summary>
/// A page of a scan, put together from as many parts as it takes. A replica looks at so many keys in one turn and no more
/// (<see cref="HistorySource.VisitsMax"/>), for what is gone costs it as much as what is found, and nothing is applied meanwhile. All parts are
/// of the first one's revision, so whoever asked sees one page as if it had been read at once.
/// </summary>
internal static class Scanning
{
    public static async Task<ScanResult> ReadAsync(LeaderLocator leaders, BucketId bucket, ScanRequest request, CancellationToken cancellationToken)
    {
        var (part, keys, bytes) = (request, ImmutableArray<KeyValue>.Empty, 0L);
        while (true)
        {
            ScanReply reply;
            try
            {
                var asked = part;
                reply = await leaders.ReadAsync(bucket, asked.Policy, replica => replica.Scan(bucket, asked), cancellationToken);
            }
            catch (WatchException error) when (error.Code == WatchErrorCode.Compacted && request.At is null && part.At is not null)
            {
                // Nobody named a revision, and the one that it began with cannot be read on: it begins anew.
                (part, keys, bytes) = (request, [], 0);
                continue;
            }

            var page = reply.Page!;
            keys = keys.IsEmpty ? page.Keys : keys.AddRange(page.Keys);
            bytes += page.Keys.Sum(static each => (long)each.Key.Length + each.Value.Length);
            if (reply.GoOn is not { } last || keys.Length == request.KeysMax || bytes >= ReplicaService.PageBytesMax)
                return page with { Keys = keys };
            part = request with { After = last, At = page.Revision, KeysMax = request.KeysMax - keys.Length };
        }
    }
}
