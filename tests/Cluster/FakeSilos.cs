using System.Collections.Immutable;
using System.Net;
using Orleans.Runtime;
using Watch.Core;
using Watch.Core.Consensus;
using Watch.Grains.Consensus;
using Watch.Grains.Publishing;
using Watch.Grains.Watching;

namespace Watch.Cluster.Tests;

/// <summary>Silos that exist in name only: their replica services do what a test says.</summary>
internal sealed class FakeSilos : IReplicaServiceClient, IWatchDispatcherClient, IClusterMembershipService, ILocalSiloDetails
{
    private readonly Dictionary<SiloAddress, FakeReplicaService> _services = [];

    public SiloAddress SiloAddress { get; } = Address(1);

    public SiloAddress GatewayAddress => SiloAddress;

    public string Name => "own";

    public string ClusterId => "fake";

    public string DnsHostName => "localhost";

    public ClusterMembershipSnapshot CurrentSnapshot => new(
        _services.Keys.Append(SiloAddress).ToImmutableDictionary(silo => silo, silo => new ClusterMember(silo, SiloStatus.Active, silo.ToParsableString())),
        new MembershipVersion(1));

    public IAsyncEnumerable<ClusterMembershipSnapshot> MembershipUpdates => throw new NotSupportedException();

    public static SiloAddress Address(int number) => SiloAddress.New(new IPEndPoint(IPAddress.Loopback, number), 1);

    public FakeReplicaService Add(int number) => _services[Address(number)] = new FakeReplicaService(new NodeId((UInt128)number));

    IWatchDispatcherService IWatchDispatcherClient.At(SiloAddress silo) => new FakeDispatcherService();

    public IReplicaService At(SiloAddress silo) => _services[silo];

    public ValueTask Refresh(MembershipVersion minimumVersion = default, CancellationToken cancellationToken = default) => ValueTask.CompletedTask;

    public Task<bool> TryKill(SiloAddress siloAddress) => Task.FromResult(false);
}

/// <summary>A replica service of which only what tests need answers.</summary>
internal sealed class FakeReplicaService(NodeId node) : IReplicaService
{
    /// <summary>The calls that were delivered, with the parcels in them.</summary>
    public List<ImmutableArray<ReadOnlyMemory<byte>>> Delivered { get; } = [];

    /// <summary>What becomes of a delivery; at first all arrive at once.</summary>
    public Func<Task> OnDeliver { get; set; } = () => Task.CompletedTask;

    /// <summary>What becomes of the question who it is; at first it answers at once.</summary>
    public Func<Task> OnDescribe { get; set; } = () => Task.CompletedTask;

    public async Task<NodeDescription> Describe(BucketId bucket)
    {
        await OnDescribe();
        return new NodeDescription("fake", "", false, node);
    }

    public Task Deliver(SiloAddress silo, ImmutableArray<ReadOnlyMemory<byte>> parcels)
    {
        Delivered.Add(parcels);
        return OnDeliver();
    }

    public Task<MembershipReply> ChangeMembers(GroupId group, MembershipChange change) => throw new NotSupportedException();

    public Task<GroupDescription> DescribeGroup(GroupId group) => throw new NotSupportedException();

    public Task Begin() => throw new NotSupportedException();

    public Task End() => throw new NotSupportedException();

    public Task<ProposeReply> Propose(ProposeRequest request) => throw new NotSupportedException();

    public Task<KeysReply> GetMany(BucketId bucket, ImmutableArray<Key> keys, ReadPolicy policy) => throw new NotSupportedException();

    public Task<RevisionReply> Confirm(BucketId bucket) => throw new NotSupportedException();

    public Task<ScanReply> Scan(BucketId bucket, ScanRequest request) => throw new NotSupportedException();

    public Task<HistoryReply> History(HistoryRequest request) => throw new NotSupportedException();

    public Task<HeadsReply> Register(BucketId bucket, string silo, ImmutableArray<Scope> scopes) => throw new NotSupportedException();

    public Task<ProgressReply> Progress(BucketId bucket, string silo) => throw new NotSupportedException();

    public Task<LeaderReply> Unregister(BucketId bucket, string silo, ImmutableArray<Scope> scopes) => throw new NotSupportedException();

    public Task<LeaderReply> Forget(BucketId bucket, string silo) => throw new NotSupportedException();

    public Task BeginNodes() => throw new NotSupportedException();

    public Task<NodeReport> DescribeNode() => throw new NotSupportedException();

    public Task<NodeWishReply> WishNode(NodeWishRequest request) => throw new NotSupportedException();

    public Task<LeaderReply> HandOver(GroupId group, NodeId to) => throw new NotSupportedException();

    public Task HearRemoved(NodeId node) => throw new NotSupportedException();

    public Task<BucketStatusReply> DescribeBucket(BucketId bucket) => throw new NotSupportedException();
}

/// <summary>A dispatcher that watches nothing.</summary>
internal sealed class FakeDispatcherService : IWatchDispatcherService
{
    public Task Deliver(ImmutableArray<ScopeEvent> events) => Task.CompletedTask;

    public Task<ImmutableArray<BucketScopes>> ScopesOf(ImmutableArray<BucketId> buckets) => Task.FromResult(ImmutableArray<BucketScopes>.Empty);
}
