using System.Collections.Concurrent;
using Orleans;
using Orleans.Runtime;
using Watch.Core;

namespace Watch.Grains.Consensus;

/// <summary>
/// Asks who leads: the own silo first, then every active one at once, and the first that says "I do" is believed. All of this silo that
/// look for the same leader share one search. A search ends after a short time though some have not answered, and who has not answered is
/// not asked again meanwhile: a silo that is dead, and not declared so, holds up no search.
/// </summary>
internal sealed class LeaderSearch(IReplicaServiceClient replicas, IClusterMembershipService membership, ILocalSiloDetails local, TimeProvider time)
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(100);

    private readonly ConcurrentDictionary<BucketId, Search> _searches = new();
    private readonly ConcurrentDictionary<(SiloAddress Silo, BucketId Bucket), Search> _asked = new();

    /// <summary>Who leads a bucket's group, as far as anybody says so; null where nobody does.</summary>
    public async ValueTask<SiloAddress?> FindAsync(BucketId bucket)
    {
        // The own silo first and alone: with one voter, or when this silo leads, nobody else is disturbed.
        if (await LeadsAsync(local.SiloAddress, bucket))
            return local.SiloAddress;
        var mine = new Search();
        var shared = _searches.GetOrAdd(bucket, mine);
        // Owned by whoever awaits the search: it ends by telling them.
        if (ReferenceEquals(shared, mine))
            _ = SearchAsync(bucket, mine);
        return await shared.Found.Task;
    }

    private async Task SearchAsync(BucketId bucket, Search search)
    {
        try
        {
            var others = membership.CurrentSnapshot.Members.Values
                .Where(each => each.Status == SiloStatus.Active && !each.SiloAddress.Equals(local.SiloAddress))
                .Select(each => each.SiloAddress)
                .Order()
                .ToList();
            search.Begin(others.Count);
            foreach (var silo in others)
                _ = AskAsync(silo, bucket, search);
            using var patience = time.CreateTimer(_ => search.Found.TrySetResult(null), null, s_patience, Timeout.InfiniteTimeSpan);
            await search.Found.Task;
        }
        finally
        {
            _searches.TryRemove(new KeyValuePair<BucketId, Search>(bucket, search));
            search.Found.TrySetResult(null);
        }
    }

    /// <summary>Asks one silo; the answer goes to the search that wants it by then.</summary>
    private async Task AskAsync(SiloAddress silo, BucketId bucket, Search search)
    {
        if (!_asked.TryAdd((silo, bucket), search))
            return;
        var leads = await LeadsAsync(silo, bucket);
        _asked.TryRemove((silo, bucket), out _);
        search.Answered(silo, leads);
        if (leads && _searches.TryGetValue(bucket, out var current))
            current.Found.TrySetResult(silo);
    }

    private async Task<bool> LeadsAsync(SiloAddress silo, BucketId bucket)
    {
        try
        {
            return (await replicas.At(silo).Describe(bucket)).Leads;
        }
        catch (Exception error) when (error is TimeoutException or OrleansException)
        {
            return false;
        }
    }

    /// <summary>One search that any number wait for.</summary>
    private sealed class Search
    {
        private int _missing;

        public TaskCompletionSource<SiloAddress?> Found { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Begin(int silos)
        {
            _missing = silos;
            if (silos == 0)
                Found.TrySetResult(null);
        }

        public void Answered(SiloAddress silo, bool leads)
        {
            if (leads)
                Found.TrySetResult(silo);
            else if (Interlocked.Decrement(ref _missing) == 0)
                Found.TrySetResult(null);
        }
    }
}
