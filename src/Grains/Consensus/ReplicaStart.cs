using Orleans;
using Orleans.Runtime;

namespace Watch.Grains.Consensus;

/// <summary>
/// Lets the node take part once its silo is active: by then every other silo can be asked, and can ask. When the silo stops, the node hands
/// over first of all, while everything else still runs.
/// </summary>
internal sealed class ReplicaStart(IReplicaServiceClient replicas, ILocalSiloDetails silo) : ILifecycleParticipant<ISiloLifecycle>
{
    public void Participate(ISiloLifecycle observer) =>
        observer.Subscribe(nameof(ReplicaStart), ServiceLifecycleStage.Active + 1, _ => BeginAsync(replicas.At(silo.SiloAddress)), hurried => hurried.IsCancellationRequested ? Task.CompletedTask : replicas.At(silo.SiloAddress).End());

    private static async Task BeginAsync(IReplicaService replica)
    {
        await replica.Begin();
        await replica.BeginNodes();
    }
}
