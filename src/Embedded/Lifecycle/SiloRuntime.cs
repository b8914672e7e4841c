// Starts and stops a silo: enters the runtime's own steps among the stages of the lifecycle, beside
// those of the application.
//
//   stage                        starting                      stopping
//   AfterRuntimeInitialize       listens: known as Joining     Dead
//   RuntimeGrainServices         grain services: Init
//   GrainDeactivation            collector                     every activation ends
//   BecomeActive                 Active                        ShuttingDown: no new activations
//   Active                       grain services: Start         grain services: Stop
using Microsoft.Extensions.DependencyInjection;
using Orleans;
using Orleans.Runtime;
using Watch.Embedded.Runtime;

namespace Watch.Embedded.Lifecycle;

internal sealed class SiloRuntime
{
    private readonly SiloNode _node;
    private readonly SiloLifecycle _lifecycle;

    public SiloRuntime(SiloNode node, SiloLifecycle lifecycle)
    {
        _node = node;
        _lifecycle = lifecycle;
        AddOwnSteps();
        foreach (var participant in node.Services.GetServices<ILifecycleParticipant<ISiloLifecycle>>())
            participant.Participate(lifecycle);
    }

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (var validator in _node.Services.GetServices<IConfigurationValidator>())
            validator.ValidateConfiguration();
        try
        {
            await _lifecycle.StartAsync(cancellationToken);
        }
        catch
        {
            await _lifecycle.StopAsync(new CancellationToken(canceled: true));
            throw;
        }
    }

    public Task StopAsync(CancellationToken cancellationToken) => _lifecycle.StopAsync(cancellationToken);

    private void AddOwnSteps()
    {
        var cluster = _node.Cluster;
        Step("membership", ServiceLifecycleStage.RuntimeInitialize + 1,
            _ =>
            {
                cluster.Membership.Set(_node, SiloStatus.Joining);
                cluster.AddClient(_node.ClientId, _node);
                return Task.CompletedTask;
            },
            _ =>
            {
                cluster.Membership.Set(_node, SiloStatus.Dead);
                return Task.CompletedTask;
            });
        Step("grain services", ServiceLifecycleStage.RuntimeGrainServices, _node.GrainServices.InitAsync, null);
        Step("activations", ServiceLifecycleStage.GrainDeactivation,
            _ =>
            {
                _node.Activations.StartCollector();
                return Task.CompletedTask;
            },
            _node.Activations.DeactivateAllAsync);
        Step("active", ServiceLifecycleStage.BecomeActive,
            _ =>
            {
                cluster.Membership.Set(_node, SiloStatus.Active);
                return Task.CompletedTask;
            },
            _ =>
            {
                cluster.Membership.Set(_node, SiloStatus.ShuttingDown);
                return Task.CompletedTask;
            });
        Step("grain services", ServiceLifecycleStage.Active, _node.GrainServices.StartAsync, _node.GrainServices.StopAsync);
    }

    private void Step(string name, int stage, Func<CancellationToken, Task> onStart, Func<CancellationToken, Task>? onStop) =>
        _lifecycle.Subscribe("runtime: " + name, stage, onStart, onStop);
}
