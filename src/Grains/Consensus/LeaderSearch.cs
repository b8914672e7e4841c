using System.Collections.Concurrent;
using Orleans;
using Orleans.Runtime;
using Watch.Core;

namespace Watch.Grains.Consensus;

/// <summary>
/// Asks who leads: the own silo first, then every active one at once, and the first that says "I do" is believed. All of this silo that
/// look for the same leader share one search. A search ends after a short time though some have not answered, and who has not answered is
/// not asked again meanwhile: a silo that is dead, and not declared so, holds up no search.
///
/// Only silos of the own cluster are believed: those whose incarnation is that of the own data folder. A silo whose folder is new belongs to
/// the cluster of which it heard first, and never to a second one.
/// </summary>
internal sealed class LeaderSearch(IReplicaServiceClient replicas, IClusterMembershipService membership, ILocalSiloDetails local, TimeProvider time)
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(100);

    private readonly ConcurrentDictionary<BucketId, Search> _searches = new();
    private readonly ConcurrentDictionary<(SiloAddress Silo, BucketId Bucket), Search> _asked = new();

    // Any thread: which silos were seen to be of the own cluster, and which cluster a silo without one holds to.
    private readonly ConcurrentDictionary<SiloAddress, bool> _own = new();
    private string? _heardFirst;

    /// <summary>Whether a silo is known, or says, to be of the own cluster.</summary>
    public async ValueTask<bool> IsOwnAsync(SiloAddress silo)
    {
        if (_own.ContainsKey(silo))
            return true;
        return await DescribeAsync(local.SiloAddress, BucketId.Default) is { } here
            && await DescribeAsync(silo, BucketId.Default) is { } there && IsOwn(silo, here.Incarnation, there.Incarnation);
    }

    /// <summary>Who leads a bucket's group, as far as anybody says so; null where nobody does.</summary>
    public async ValueTask<SiloAddress?> FindAsync(BucketId bucket)
    {
        // The own silo first and alone: with one voter, or when this silo leads, nobody else is disturbed.
        if (await DescribeAsync(local.SiloAddress, bucket) is not { } here)
            return null;
        if (here.Leads)
            return local.SiloAddress;
        var mine = new Search();
        var shared = _searches.GetOrAdd(bucket, mine);
        // Owned by whoever awaits the search: it ends by telling them.
        if (ReferenceEquals(shared, mine))
            _ = SearchAsync(bucket, here.Incarnation, mine);
        return await shared.Found.Task;
    }

    private async Task SearchAsync(BucketId bucket, string incarnation, Search search)
    {
        try
        {
            var others = membership.CurrentSnapshot.Members.Values
                .Where(each => each.Status == SiloStatus.Active && !each.SiloAddress.Equals(local.SiloAddress))
                .Select(each => each.SiloAddress)
                .Order()
                .ToList();
            foreach (var gone in _own.Keys.Where(silo => membership.CurrentSnapshot.GetSiloStatus(silo) == SiloStatus.Dead).ToList())
                _own.TryRemove(gone, out _);
            search.Begin(others.Count);
            foreach (var silo in others)
                _ = AskAsync(silo, bucket, incarnation, search);
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
    private async Task AskAsync(SiloAddress silo, BucketId bucket, string incarnation, Search search)
    {
        if (!_asked.TryAdd((silo, bucket), search))
            return;
        var leads = false;
        try
        {
            leads = await DescribeAsync(silo, bucket) is { Leads: true } there && IsOwn(silo, incarnation, there.Incarnation);
        }
        finally
        {
            // However it ended: who stays among the asked is asked never again.
            _asked.TryRemove((silo, bucket), out _);
            search.Answered(silo, leads);
        }

        if (leads && _searches.TryGetValue(bucket, out var current))
            current.Found.TrySetResult(silo);
    }

    private bool IsOwn(SiloAddress silo, string own, string theirs)
    {
        if (theirs.Length == 0)
            return false;
        if (own.Length == 0)
            own = Interlocked.CompareExchange(ref _heardFirst, theirs, null) ?? theirs;
        if (!string.Equals(own, theirs, StringComparison.Ordinal))
            return false;
        _own[silo] = true;
        return true;
    }

    /// <summary>What a silo says of itself; null where it says nothing.</summary>
    private async Task<NodeDescription?> DescribeAsync(SiloAddress silo, BucketId bucket)
    {
        try
        {
            return await replicas.At(silo).Describe(bucket);
        }
        catch (Exception error) when (error is TimeoutException or OrleansException)
        {
            return null;
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
