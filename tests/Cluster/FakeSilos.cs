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
        _services.Keys.Append(SiloAddress).Distinct().ToImmutableDictionary(silo => silo, silo => new ClusterMember(silo, Dead.Contains(silo) ? SiloStatus.Dead : SiloStatus.Active, silo.ToParsableString())),
        new MembershipVersion(1));

    /// <summary>The silos that membership has declared dead.</summary>
    public HashSet<SiloAddress> Dead { get; } = [];

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

    /// <summary>The cluster that it says it belongs to.</summary>
    public string Incarnation { get; set; } = "";

    /// <summary>Whether it says that it leads.</summary>
    public bool Leads { get; set; }

    public async Task<NodeDescription> Describe(BucketId bucket)
    {
        await OnDescribe();
        return new NodeDescription("fake", Incarnation, Leads, node);
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

    /// <summary>What it answers to a read; at first that it does not lead.</summary>
    public Func<KeysReply> OnGetMany { get; set; } = () => new KeysReply { Refusal = new Refusal(RefusalKind.NotLeader, "It does not lead.") };

    public Task<KeysReply> GetMany(BucketId bucket, ImmutableArray<Key> keys, ReadPolicy policy) => Task.FromResult(OnGetMany());

    public Task<RevisionReply> Confirm(BucketId bucket) => Task.FromResult(new RevisionReply { Refusal = new Refusal(RefusalKind.NotLeader, "It does not lead.") });

    /// <summary>What it answers to a scan.</summary>
    public Func<ScanRequest, ScanReply> OnScan { get; set; } = _ => throw new NotSupportedException();

    public Task<ScanReply> Scan(BucketId bucket, ScanRequest request) => Task.FromResult(OnScan(request));

    /// <summary>What it answers to a question for history, as the leader.</summary>
    public Func<Task<HistoryReply>> OnHistory { get; set; } = () => throw new NotSupportedException();

    /// <summary>What it answers to a question for history, as one that follows.</summary>
    public Func<Task<HistoryReply>> OnHistoryAt { get; set; } = () => throw new NotSupportedException();

    public Task<HistoryReply> History(HistoryRequest request) => OnHistory();

    public Task<HistoryReply> HistoryAt(HistoryRequest request) => OnHistoryAt();

    public Task<SnapshotPageReply> Snapshot(SnapshotPageRequest request) => throw new NotSupportedException();

    public Task<SnapshotPageReply> SnapshotAt(SnapshotPageRequest request) => throw new NotSupportedException();

    /// <summary>What it answers to a compaction.</summary>
    public Func<RevisionReply> OnCompact { get; set; } = () => throw new NotSupportedException();

    public Task<RevisionReply> Compact(BucketId bucket, Revision through) => Task.FromResult(OnCompact());

    /// <summary>What it answers to a registration of these scopes.</summary>
    public Func<ImmutableArray<Scope>, Task<HeadsReply>> OnRegister { get; set; } = _ => throw new NotSupportedException();

    public Task<HeadsReply> Register(BucketId bucket, string silo, ImmutableArray<Scope> scopes) => OnRegister(scopes);

    public Task<ProgressReply> Progress(ProgressQuestion question) => throw new NotSupportedException();

    public Task<LeaderReply> Unregister(BucketId bucket, string silo, ImmutableArray<Scope> scopes) => throw new NotSupportedException();

    public Task<LeaderReply> Forget(BucketId bucket, string silo) => throw new NotSupportedException();

    public Task BeginNodes() => throw new NotSupportedException();

    /// <summary>What it says of its node; at first it belongs to no cluster.</summary>
    public Func<NodeReport> OnDescribeNode { get; set; } = () => new NodeReport { Node = node, Name = "fake" };

    public Task<NodeReport> DescribeNode() => Task.FromResult(OnDescribeNode());

    public Task<NodeWishReply> WishNode(NodeWishRequest request) => throw new NotSupportedException();

    public Task<LeaderReply> HandOver(GroupId group, NodeId to) => throw new NotSupportedException();

    /// <summary>The nodes of which it was told that they were removed.</summary>
    public List<NodeId> ToldRemoved { get; } = [];

    /// <summary>What becomes of the call that tells it.</summary>
    public Func<Task> OnHearRemoved { get; set; } = () => Task.CompletedTask;

    public Task HearRemoved(NodeId removed)
    {
        ToldRemoved.Add(removed);
        return OnHearRemoved();
    }

    public Task<BucketStatusReply> DescribeBucket(BucketId bucket) => throw new NotSupportedException();
}

/// <summary>A dispatcher that watches nothing.</summary>
internal sealed class FakeDispatcherService : IWatchDispatcherService
{
    public Task<ImmutableArray<WatcherInfo>> Describe(WatchersQuestion question) => throw new NotSupportedException();

    public Task<bool> EndWatch(long id) => throw new NotSupportedException();

    public Task Deliver(ImmutableArray<ScopeEvent> events) => Task.CompletedTask;

    public Task<ImmutableArray<BucketScopes>> ScopesOf(ImmutableArray<BucketId> buckets) => Task.FromResult(ImmutableArray<BucketScopes>.Empty);
}
