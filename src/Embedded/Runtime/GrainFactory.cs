// Gives out references on behalf of a node: the IGrainFactory and IClusterClient of that node.
using Orleans;
using Orleans.Runtime;

namespace Watch.Embedded.Runtime;

internal class GrainFactory(Node node) : IGrainFactory
{
    public TGrainInterface GetGrain<TGrainInterface>(string primaryKey, string? grainClassNamePrefix = null)
        where TGrainInterface : IGrainWithStringKey
    {
        if (grainClassNamePrefix is not null)
            throw new NotSupportedException("This host does not choose a grain class by prefix.");
        return (TGrainInterface)(object)Get(InterfaceOf<TGrainInterface>.Descriptor, primaryKey);
    }

    public TGrainInterface GetGrain<TGrainInterface>(GrainId grainId)
        where TGrainInterface : IAddressable =>
        (TGrainInterface)(object)node.CreateReference(grainId, InterfaceOf<TGrainInterface>.Descriptor);

    public IGrain GetGrain(Type grainInterfaceType, string grainPrimaryKey) =>
        (IGrain)Get(InterfaceCatalog.Shared.Get(grainInterfaceType), grainPrimaryKey);

    public TGrainObserverInterface CreateObjectReference<TGrainObserverInterface>(IGrainObserver obj)
        where TGrainObserverInterface : IGrainObserver
    {
        if (obj is GrainReference)
            throw new ArgumentException("The argument is a reference already.", nameof(obj));
        return (TGrainObserverInterface)(object)node.Observers.Add(obj, typeof(TGrainObserverInterface));
    }

    public void DeleteObjectReference<TGrainObserverInterface>(IGrainObserver obj)
        where TGrainObserverInterface : IGrainObserver
    {
        if (obj is not GrainReference reference)
            throw new ArgumentException("The argument is not a reference made by CreateObjectReference.", nameof(obj));
        node.Observers.Remove(reference);
    }

    private GrainReference Get(InterfaceDescriptor descriptor, string key)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        return node.CreateReference(GrainId.Create(node.GrainTypeFor(descriptor.Type), key), descriptor);
    }

    private static class InterfaceOf<T>
    {
        public static readonly InterfaceDescriptor Descriptor = InterfaceCatalog.Shared.Get(typeof(T));
    }
}

internal sealed class ClusterClient(Node node, IServiceProvider services) : GrainFactory(node), IClusterClient
{
    public IServiceProvider ServiceProvider { get; } = services;
}
