// What is known of each grain interface: its name on the wire, its methods, and for each method how
// it is called, how long its caller waits and with what it may interleave. Read once by reflection.
using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using Orleans;
using Orleans.Concurrency;
using Orleans.Runtime;

namespace Watch.Embedded.Runtime;

internal enum ReturnKind
{
    Void,
    Task,
    TaskOfT,
    ValueTask,
    ValueTaskOfT,
    AsyncEnumerable,
}

internal sealed class InterfaceCatalog
{
    private readonly ConcurrentDictionary<Type, InterfaceDescriptor> _byType = new();
    private readonly ConcurrentDictionary<string, InterfaceDescriptor> _byAlias = new(StringComparer.Ordinal);

    /// <summary>Interfaces are facts of the process, so there is one catalogue of them.</summary>
    public static InterfaceCatalog Shared { get; } = new();

    public InterfaceDescriptor Get(Type interfaceType) =>
        _byType.TryGetValue(interfaceType, out var known) ? known : Add(interfaceType);

    /// <summary>Finds an interface by its name on the wire, looking through the loaded assemblies if need be.</summary>
    public bool TryGet(string alias, [NotNullWhen(true)] out InterfaceDescriptor? descriptor)
    {
        if (_byAlias.TryGetValue(alias, out descriptor))
            return true;
        foreach (var type in ApplicationParts.Types())
        {
            if (type.IsInterface && !type.ContainsGenericParameters && typeof(IAddressable).IsAssignableFrom(type)
                && InterfaceDescriptor.AliasOf(type) == alias)
                Get(type);
        }

        return _byAlias.TryGetValue(alias, out descriptor);
    }

    private InterfaceDescriptor Add(Type interfaceType)
    {
        if (!interfaceType.IsInterface || !typeof(IAddressable).IsAssignableFrom(interfaceType))
            throw new ArgumentException($"{interfaceType} is not a grain interface.", nameof(interfaceType));
        var descriptor = _byType.GetOrAdd(interfaceType, static type => new InterfaceDescriptor(type));
        _byAlias.TryAdd(descriptor.Alias, descriptor);
        return descriptor;
    }
}

internal sealed class InterfaceDescriptor
{
    private readonly Dictionary<string, MethodDescriptor> _byId = new(StringComparer.Ordinal);
    private readonly Lazy<Type> _proxyType;

    public InterfaceDescriptor(Type type)
    {
        Type = type;
        Alias = AliasOf(type);
        var methods = type.GetInterfaces().Append(type)
            .SelectMany(i => i.GetMethods(BindingFlags.Public | BindingFlags.Instance))
            .OrderBy(m => m.DeclaringType!.FullName, StringComparer.Ordinal).ThenBy(m => m.MetadataToken);
        foreach (var method in methods)
        {
            var id = method.GetCustomAttribute<AliasAttribute>()?.Alias ?? method.Name;
            if (_byId.ContainsKey(id))
                id = $"{id}({string.Join(',', method.GetParameters().Select(p => p.ParameterType.Name))})";
            _byId.Add(id, new MethodDescriptor(this, method, id));
        }

        Methods = [.. _byId.Values];
        _proxyType = new(() => Calls.ProxyBuilder.Build(this));
    }

    public Type Type { get; }

    /// <summary>What an application's silos say to each other is internal to it; of this host's own extensions clients use internal ones, too.</summary>
    public void CheckIsForClients()
    {
        if (!Type.IsVisible && Type.Assembly != typeof(InterfaceDescriptor).Assembly)
            throw new Orleans.Runtime.OrleansException($"Interface '{Alias}' is not for clients.");
    }

    /// <summary>The interface's name on the wire: its [Alias], or its full name.</summary>
    public string Alias { get; }

    public IReadOnlyList<MethodDescriptor> Methods { get; }

    public Type ProxyType => _proxyType.Value;

    public MethodDescriptor Find(string id) => _byId.TryGetValue(id, out var method)
        ? method
        : throw new OrleansException($"{Type} has no method '{id}'.");

    public static string AliasOf(Type type) => type.GetCustomAttribute<AliasAttribute>()?.Alias ?? type.FullName!;
}

internal sealed class MethodDescriptor
{
    private readonly Lazy<Calls.Invoker> _invoke;
    private readonly bool[] _shared;

    public MethodDescriptor(InterfaceDescriptor owner, MethodInfo method, string id)
    {
        Interface = owner;
        Method = method;
        Id = id;
        var parameters = method.GetParameters();
        ParameterTypes = [.. parameters.Select(p => p.ParameterType)];
        TokenIndex = Array.IndexOf(ParameterTypes, typeof(CancellationToken));
        _shared = [.. parameters.Select(p => p.GetCustomAttribute<ImmutableAttribute>() != null
            || p.ParameterType == typeof(CancellationToken) || Immutability.IsShareable(p.ParameterType))];
        NeedsNoCopy = _shared.All(shared => shared);
        (Kind, ResultType) = Classify(method.ReturnType);
        ResultNeedsNoCopy = method.ReturnParameter.GetCustomAttribute<ImmutableAttribute>() != null
            || ResultType == typeof(void) || Immutability.IsShareable(ResultType);
        AlwaysInterleave = method.GetCustomAttribute<AlwaysInterleaveAttribute>() != null;
        ReadOnly = method.GetCustomAttribute<ReadOnlyAttribute>() != null;
        OneWay = Kind == ReturnKind.Void || method.GetCustomAttribute<OneWayAttribute>() != null;
        ResponseTimeout = method.GetCustomAttribute<ResponseTimeoutAttribute>()?.Timeout;
        _invoke = new(() => Calls.InvokerBuilder.Build(this));
    }

    public InterfaceDescriptor Interface { get; }

    public MethodInfo Method { get; }

    /// <summary>The method's name on the wire: its [Alias] or name, with parameter types when overloaded.</summary>
    public string Id { get; }

    public Type[] ParameterTypes { get; }

    /// <summary>What the call gives back; void when nothing, the element type for IAsyncEnumerable.</summary>
    public Type ResultType { get; }

    public ReturnKind Kind { get; }

    /// <summary>Index of the CancellationToken parameter, or -1.</summary>
    public int TokenIndex { get; }

    public bool AlwaysInterleave { get; }

    public bool ReadOnly { get; }

    public bool OneWay { get; }

    public TimeSpan? ResponseTimeout { get; }

    /// <summary>All arguments may be shared between caller and callee.</summary>
    public bool NeedsNoCopy { get; }

    public bool ResultNeedsNoCopy { get; }

    /// <summary>Calls the method. The result of an IAsyncEnumerable method is the sequence itself, not begun.</summary>
    public ValueTask<object?> Invoke(object target, object?[] arguments) => _invoke.Value(target, arguments);

    /// <summary>The arguments as the callee may have them.</summary>
    public object?[] CopyArguments(object?[] arguments, IMessageCopier copier)
    {
        if (NeedsNoCopy)
            return arguments;
        var copies = new object?[arguments.Length];
        for (var i = 0; i < arguments.Length; i++)
            copies[i] = _shared[i] ? arguments[i] : copier.Copy(arguments[i]);
        return copies;
    }

    public override string ToString() => $"{Interface.Type.Name}.{Id}";

    private static (ReturnKind, Type) Classify(Type returned)
    {
        if (returned == typeof(void))
            return (ReturnKind.Void, typeof(void));
        if (returned == typeof(Task))
            return (ReturnKind.Task, typeof(void));
        if (returned == typeof(ValueTask))
            return (ReturnKind.ValueTask, typeof(void));
        if (returned.IsGenericType)
        {
            var definition = returned.GetGenericTypeDefinition();
            var argument = returned.GetGenericArguments()[0];
            if (definition == typeof(Task<>))
                return (ReturnKind.TaskOfT, argument);
            if (definition == typeof(ValueTask<>))
                return (ReturnKind.ValueTaskOfT, argument);
            if (definition == typeof(IAsyncEnumerable<>))
                return (ReturnKind.AsyncEnumerable, argument);
        }

        throw new NotSupportedException(
            $"A grain method returns Task, Task<T>, ValueTask, ValueTask<T>, IAsyncEnumerable<T> or void, not {returned}.");
    }
}
