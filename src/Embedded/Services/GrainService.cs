// Grain services: one instance per silo, addressed by the silo. Init runs before the silo takes
// calls, Start when it is active, Stop when it is about to end. All its calls interleave.
using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Orleans;
using Orleans.Runtime;
using Orleans.Services;
using Watch.Embedded.Activations;
using Watch.Embedded.Calls;
using Watch.Embedded.Runtime;

namespace Orleans.Runtime
{
    /// <summary>The silo, as its services see it.</summary>
    public sealed class Silo
    {
        internal Silo(SiloNode node) => Node = node;

        public SiloAddress SiloAddress => Node.Address;

        internal SiloNode Node { get; }
    }

    public abstract class GrainService : IGrainService
    {
        private readonly SiloNode _node;

        protected GrainService(GrainId grainId, Silo silo, ILoggerFactory loggerFactory)
        {
            ArgumentNullException.ThrowIfNull(silo);
            ArgumentNullException.ThrowIfNull(loggerFactory);
            GrainId = grainId;
            _node = silo.Node;
        }

        protected enum GrainServiceStatus
        {
            Booting = 0,
            Started = 1,
            Stopped = 2,
        }

        public GrainId GrainId { get; }

        public GrainReference GrainReference => _node.CreateReference(GrainId, InterfaceCatalog.Shared.Get(typeof(IGrainService)));

        public SiloAddress Silo => _node.Address;

        protected GrainServiceStatus Status { get; set; }

        protected CancellationTokenSource StoppedCancellationTokenSource { get; } = new();

        public virtual Task Init(IServiceProvider serviceProvider) => Task.CompletedTask;

        public virtual Task Start()
        {
            Status = GrainServiceStatus.Started;
            return StartInBackground();
        }

        public virtual Task Stop()
        {
            StoppedCancellationTokenSource.Cancel();
            Status = GrainServiceStatus.Stopped;
            return Task.CompletedTask;
        }

        protected virtual Task StartInBackground() => Task.CompletedTask;
    }
}

namespace Orleans.Runtime.Services
{
    /// <summary>Base of a class that calls a grain service on a silo of its choice.</summary>
    public abstract class GrainServiceClient<TGrainService> : IGrainServiceClient<TGrainService>
        where TGrainService : IGrainService
    {
        private readonly SiloNode _node;
        private readonly ConcurrentDictionary<SiloAddress, TGrainService> _references = new();

        protected GrainServiceClient(IServiceProvider serviceProvider) => _node = serviceProvider.GetRequiredService<SiloNode>();

        /// <summary>The service on that silo. Calls fail with SiloUnavailableException when the silo is gone.</summary>
        protected TGrainService GetGrainService(SiloAddress destination) => _references.GetOrAdd(destination, address =>
            (TGrainService)(object)_node.CreateReference(
                TargetKinds.Service(typeof(TGrainService), address), InterfaceCatalog.Shared.Get(typeof(TGrainService))));
    }
}

namespace Watch.Embedded.Services
{
    /// <summary>A class registered with AddGrainService.</summary>
    internal sealed record GrainServiceRegistration(Type Type);

    /// <summary>The grain services of one silo.</summary>
    internal sealed class GrainServiceTable(SiloNode silo)
    {
        private readonly ConcurrentDictionary<GrainId, Activation> _byId = new();
        private readonly List<Activation> _all = [];

        /// <summary>Makes the services and has them initialized; from then on they can be called.</summary>
        public async Task InitAsync(CancellationToken cancellationToken)
        {
            foreach (var type in silo.Services.GetServices<GrainServiceRegistration>().Select(r => r.Type).Distinct())
            {
                var ids = type.GetInterfaces()
                    .Where(i => typeof(IGrainService).IsAssignableFrom(i) && i != typeof(IGrainService))
                    .Select(i => TargetKinds.Service(i, silo.Address)).OrderBy(id => id).ToList();
                if (ids.Count == 0)
                    throw new InvalidOperationException($"{type} implements no interface that derives from IGrainService.");
                var activation = new Activation(silo, ids[0], GrainClass.OfService(type, ids[0].Type));
                await activation.Work.Post(() => InitAsync(activation, ids)).WaitAsync(cancellationToken);
            }
        }

        public Task StartAsync(CancellationToken cancellationToken) =>
            Task.WhenAll(_all.Select(a => a.Work.Post(((GrainService)a.Instance!).Start))).WaitAsync(cancellationToken);

        public Task StopAsync(CancellationToken cancellationToken) =>
            Task.WhenAll(_all.Select(a => a.Work.Post(((GrainService)a.Instance!).Stop))).WaitAsync(cancellationToken);

        public void Deliver(Call call)
        {
            if (!_byId.TryGetValue(call.To.GrainId, out var activation) || !activation.TryReceive(call))
                throw new OrleansException($"Silo {silo.Address} has no grain service for '{call}'.");
        }

        private async Task InitAsync(Activation activation, List<GrainId> ids)
        {
            var service = (GrainService)ActivatorUtilities.CreateInstance(silo.Services, activation.Class.Type, activation.Id);
            activation.Adopt(service);
            _all.Add(activation);
            foreach (var id in ids)
                _byId[id] = activation;
            await service.Init(silo.Services);
        }
    }
}
