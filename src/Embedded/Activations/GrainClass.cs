// What is known of a grain class: its name, where and how it is activated, what may interleave, and
// which streams it hears. Read once from its attributes.
using System.Collections.Concurrent;
using System.Reflection;
using Microsoft.Extensions.DependencyInjection;
using Orleans;
using Orleans.Concurrency;
using Orleans.Configuration;
using Orleans.Placement;
using Orleans.Runtime;
using Watch.Embedded.Runtime;

namespace Watch.Embedded.Activations;

internal sealed class GrainClass
{
    private readonly Lazy<ObjectFactory> _factory;

    private GrainClass(Type type, GrainType grainType, bool reentrant)
    {
        Type = type;
        GrainType = grainType;
        Reentrant = reentrant || type.GetCustomAttribute<ReentrantAttribute>() != null;
        var placement = type.GetCustomAttribute<PlacementAttribute>();
        Placement = placement?.Kind ?? PlacementKind.Random;
        MaxLocalWorkers = placement is StatelessWorkerAttribute { MaxLocalWorkers: > 0 } worker
            ? worker.MaxLocalWorkers
            : Environment.ProcessorCount;
        CollectionAge = type.GetCustomAttribute<KeepAliveAttribute>() != null
            ? TimeSpan.MaxValue
            : type.GetCustomAttribute<CollectionAgeLimitAttribute>()?.AgeLimit;
        StreamNamespaces = [.. type.GetCustomAttributes<ImplicitStreamSubscriptionAttribute>().Select(a => a.Namespace)];
        _factory = new(() => ActivatorUtilities.CreateFactory(type, Type.EmptyTypes));
    }

    public Type Type { get; }

    public GrainType GrainType { get; }

    public bool Reentrant { get; }

    public PlacementKind Placement { get; }

    public int MaxLocalWorkers { get; }

    /// <summary>Null: as the silo's options say. MaxValue: never collected.</summary>
    public TimeSpan? CollectionAge { get; }

    /// <summary>The namespaces of the streams that this class hears; null stands for any.</summary>
    public string?[] StreamNamespaces { get; }

    public static GrainClass OfGrain(Type type) =>
        new(type, type.GetCustomAttribute<GrainTypeAttribute>()?.GrainType ?? GrainType.Create(DefaultName(type)), reentrant: false);

    public static GrainClass OfService(Type type, GrainType grainType) => new(type, grainType, reentrant: true);

    public IGrainBase Create(IServiceProvider services) => (IGrainBase)_factory.Value(services, null);

    private static string DefaultName(Type type)
    {
        var name = type.Name.ToLowerInvariant();
        return name.Length > 5 && name.EndsWith("grain", StringComparison.Ordinal) ? name[..^5] : name;
    }
}

/// <summary>The grain classes of the application, found by their type name and by their interfaces.</summary>
internal sealed class GrainClasses
{
    private readonly ConcurrentDictionary<Type, GrainType> _byInterface = new();
    private volatile Dictionary<GrainType, GrainClass> _byType = [];

    public static GrainClasses Shared { get; } = new();

    /// <summary>In the order of their type names.</summary>
    public IEnumerable<GrainClass> All
    {
        get
        {
            if (_byType.Count == 0)
                Scan();
            return _byType.Values.OrderBy(c => c.GrainType);
        }
    }

    public GrainClass Get(GrainType type)
    {
        if (_byType.TryGetValue(type, out var known) || Scan().TryGetValue(type, out known))
            return known;
        throw new ArgumentException($"No grain class has the type '{type}'.", nameof(type));
    }

    public GrainType TypeFor(Type interfaceType) =>
        _byInterface.TryGetValue(interfaceType, out var known) ? known : _byInterface.GetOrAdd(interfaceType, Resolve);

    /// <summary>Interface alias -> grain type, for clients that do not have the classes.</summary>
    public IReadOnlyDictionary<string, string> Manifest()
    {
        var manifest = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var type in All.SelectMany(c => c.Type.GetInterfaces()).Where(IsGrainInterface).Distinct())
        {
            if (TryResolve(type) is { } found)
                manifest.TryAdd(InterfaceDescriptor.AliasOf(type), found.GrainType.ToString());
        }

        return manifest;
    }

    private static bool IsGrainInterface(Type type) => type.IsInterface && typeof(IGrain).IsAssignableFrom(type)
        && type != typeof(IGrain) && type != typeof(IGrainWithStringKey) && !type.ContainsGenericParameters;

    private GrainType Resolve(Type interfaceType)
    {
        if (TryResolve(interfaceType) is { } known)
            return known.GrainType;
        Scan();
        return TryResolve(interfaceType)?.GrainType
            ?? throw new ArgumentException($"No single grain class implements {interfaceType}.", nameof(interfaceType));
    }

    private GrainClass? TryResolve(Type interfaceType)
    {
        var found = All.Where(c => interfaceType.IsAssignableFrom(c.Type)).ToList();
        return found.Count == 1 ? found[0] : found.Find(c => "I" + c.Type.Name == interfaceType.Name);
    }

    private Dictionary<GrainType, GrainClass> Scan()
    {
        var found = new Dictionary<GrainType, GrainClass>();
        foreach (var type in ApplicationParts.Types())
        {
            if (!type.IsClass || type.IsAbstract || type.ContainsGenericParameters
                || !typeof(IGrainBase).IsAssignableFrom(type) || !typeof(IGrain).IsAssignableFrom(type))
                continue;
            var grainClass = GrainClass.OfGrain(type);
            if (!found.TryAdd(grainClass.GrainType, grainClass))
                throw new InvalidOperationException(
                    $"{type} and {found[grainClass.GrainType].Type} both have the grain type '{grainClass.GrainType}'.");
        }

        return _byType = found;
    }
}
