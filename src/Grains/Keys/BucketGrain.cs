using System.Collections.Immutable;
using Microsoft.Extensions.Options;
using Orleans;
using Orleans.Concurrency;
using Orleans.Runtime;
using Watch.Core;
using Watch.Grains.Consensus;
using Watch.Grains.Watching;
using Watch.Interfaces;

namespace Watch.Grains.Keys;

/// <summary>The entry point of what concerns several keys of a bucket, and another way to each of them. It keeps nothing; one per silo and door.</summary>
[GrainType("watch.bucket")]
[StatelessWorker(1, false)]
[Reentrant]
internal sealed class BucketGrain(LeaderLocator leaders, OwnReplica own, WatchDispatcher dispatcher, IClusterMembershipService membership, IOptions<WatchSiloOptions> options)
    : Grain, IBucketGrain
{
    private BucketId _bucket;

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _bucket = GrainKeys.ParseBucket(this.GetPrimaryKeyString());
        return Task.CompletedTask;
    }

    public async Task<GetManyResult> GetMany(ImmutableArray<Key> keys, ReadPolicy policy, CancellationToken cancellationToken)
    {
        Limits.CheckPolicy(policy);
        if (keys.Length > ScanRequest.KeysMaxLimit)
            throw new WatchException(WatchErrorCode.InvalidOption, $"{keys.Length} keys were asked for at once; at most {ScanRequest.KeysMaxLimit} are allowed.");
        foreach (var key in keys)
            Limits.CheckKey(key, options.Value);
        if (own.TryGetMany(_bucket, keys, policy, out var result))
            return result;
        var reply = await leaders.ReadAsync(_bucket, policy, replica => replica.GetMany(_bucket, keys, policy), cancellationToken);
        return new GetManyResult(reply.Keys, reply.Revision);
    }

    public async Task<ScanResult> Scan(ScanRequest request, CancellationToken cancellationToken)
    {
        Limits.CheckPolicy(request.Policy);
        if (request.KeysMax is < 1 or > ScanRequest.KeysMaxLimit)
            throw new WatchException(WatchErrorCode.InvalidOption, $"A page of {request.KeysMax} keys was asked for; 1 to {ScanRequest.KeysMaxLimit} are allowed.");
        if (request.Prefix.Length > options.Value.KeyBytesMax)
            throw new WatchException(WatchErrorCode.InvalidPrefix, $"The prefix has {request.Prefix.Length} bytes; at most {options.Value.KeyBytesMax} are allowed.");
        return await Scanning.ReadAsync(leaders, _bucket, request, cancellationToken);
    }

    public async Task<StatusResult> Status(CancellationToken cancellationToken)
    {
        var reply = await leaders.ReadAsync(_bucket, leader => leader.DescribeBucket(_bucket), cancellationToken);
        var active = membership.CurrentSnapshot.Members.Values
            .Where(each => each.Status == SiloStatus.Active)
            .Select(each => each.Name)
            .Order(StringComparer.Ordinal);
        return reply.Status! with { Silos = [.. active], Engine = EngineInfo.Name, Watchers = dispatcher.Watchers };
    }

    public Task<WriteResult> Put(Key key, PutRequest request, CancellationToken cancellationToken) => KeyGrain(key).Put(request, cancellationToken);

    public Task<WriteResult> Delete(Key key, DeleteRequest request, CancellationToken cancellationToken) => KeyGrain(key).Delete(request, cancellationToken);

    public Task<GetResult> Get(Key key, ReadPolicy policy, CancellationToken cancellationToken) => KeyGrain(key).Get(policy, cancellationToken);

    public Task<Revision> Compact(Revision through, CancellationToken cancellationToken) => leaders.CompactAsync(_bucket, through, cancellationToken);

    public Task Feel() => Task.CompletedTask;

    // This silo's own: it checks, orders and publishes whichever way a call came.
    private IKvGrain KeyGrain(Key key)
    {
        Limits.CheckKey(key, options.Value);
        return GrainFactory.GetGrain<IKvGrain>(GrainKeys.OfKey(_bucket, key));
    }
}
