// The marker interfaces of grains, observers and services, and how references to them are obtained.
using Orleans.Runtime;

namespace Orleans.Runtime
{
    /// <summary>Something that can be called through a reference.</summary>
    public interface IAddressable;

    /// <summary>An interface that the runtime itself adds to every activation.</summary>
    public interface IGrainExtension : IAddressable;
}

namespace Orleans
{
    public interface IGrain : IAddressable;

    public interface IGrainWithStringKey : IGrain;

    public interface IGrainObserver : IAddressable;

    public interface ISystemTarget : IAddressable;

    public interface IGrainFactory
    {
        TGrainInterface GetGrain<TGrainInterface>(string primaryKey, string? grainClassNamePrefix = null)
            where TGrainInterface : IGrainWithStringKey;

        TGrainInterface GetGrain<TGrainInterface>(GrainId grainId)
            where TGrainInterface : IAddressable;

        IGrain GetGrain(Type grainInterfaceType, string grainPrimaryKey);

        TGrainObserverInterface CreateObjectReference<TGrainObserverInterface>(IGrainObserver obj)
            where TGrainObserverInterface : IGrainObserver;

        void DeleteObjectReference<TGrainObserverInterface>(IGrainObserver obj)
            where TGrainObserverInterface : IGrainObserver;
    }

    public interface IClusterClient : IGrainFactory
    {
        IServiceProvider ServiceProvider { get; }
    }

    /// <summary>Asked when connecting to the cluster failed: true tries again.</summary>
    public interface IClientConnectionRetryFilter
    {
        Task<bool> ShouldRetryConnectionAttempt(Exception exception, CancellationToken cancellationToken);
    }
}

namespace Orleans.Services
{
    public interface IGrainService : ISystemTarget;

    public interface IGrainServiceClient<TGrainService>
        where TGrainService : IGrainService;
}
