using Orleans.Runtime;
using Orleans.Runtime.Services;
using Orleans.Services;

namespace Watch.Grains.Consensus;

/// <summary>Reaches the replica service of a silo.</summary>
internal interface IReplicaServiceClient : IGrainServiceClient<IReplicaService>
{
    /// <summary>The replica service of this silo.</summary>
    IReplicaService At(SiloAddress silo);
}

/// <inheritdoc cref="IReplicaServiceClient"/>
internal sealed class ReplicaServiceClient(IServiceProvider services) : GrainServiceClient<IReplicaService>(services), IReplicaServiceClient
{
    public IReplicaService At(SiloAddress silo) => GetGrainService(silo);
}
