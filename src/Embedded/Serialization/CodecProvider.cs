using System.Collections.Concurrent;
using System.Reflection;
using Orleans;
using Orleans.Runtime;
using Orleans.Serialization;

namespace Watch.Embedded.Serialization;

/// <summary>
/// Finds the codec of a type, or makes it: once per type, then from a table. Only types that were
/// offered get one: marked [GenerateSerializer], converted by a [RegisterConverter] class, enums of the
/// application, or on the closed list of the platform's types.
/// </summary>
internal sealed class CodecProvider
{
    private readonly ConcurrentDictionary<Type, Codec> _codecs;
    private readonly HashSet<Type> _simple;
    private readonly ConcurrentDictionary<Type, Codec> _copiers = new();
    private readonly ConcurrentDictionary<Type, Codec> _slots = new();
    private readonly ConcurrentDictionary<Type, IMembersCodec> _members = new();
    private readonly ExceptionCodec _exceptions;
    private readonly ReferenceTextCodec _references;

    public CodecProvider(TypeManifest manifest, SerializerLimits limits)
    {
        Manifest = manifest;
        Limits = limits;
        _codecs = new(PlatformTypes.CreateSimpleCodecs(manifest));
        _simple = [.. _codecs.Where(pair => pair.Value.IsShared).Select(pair => pair.Key)];
        _exceptions = new(this);
        _references = new(this);
        foreach (var converter in manifest.Converters)
            manifest.Admit(ValueOf(InterfaceOf(converter)));
    }

    public TypeManifest Manifest { get; }

    public SerializerLimits Limits { get; }

    public IReferenceCodec? References { get; set; }

    public Codec Get(Type type)
    {
        if (_codecs.TryGetValue(type, out var known))
            return known;
        return TryCreate(type) is { } created ? _codecs.GetOrAdd(type, created) : throw NotFound(type);
    }

    /// <summary>The codec of a value, which may be a reference: those have types of the runtime's own making.</summary>
    public Codec Get(Type type, object value)
    {
        if (_codecs.TryGetValue(type, out var known))
            return known;
        if (TryCreate(type) is { } created)
            return _codecs.GetOrAdd(type, created);
        return References is { } references && references.TryWrite(value, out _)
            ? _codecs.GetOrAdd(type, _references)
            : throw NotFound(type);
    }

    /// <summary>
    /// What copies a value. Immutable types need no codec for that, and references are immutable
    /// although their types, made by the runtime, do not say so.
    /// </summary>
    public Codec GetForCopy(object value)
    {
        var type = value.GetType();
        if (_copiers.TryGetValue(type, out var known))
            return known;
        return _copiers.GetOrAdd(type, value is GrainReference || IsImmutable(type) ? _references : Get(type, value));
    }

    /// <summary>The codec of a place of a declared type: it deals with null and with derived types.</summary>
    public Codec<T> Slot<T>()
    {
        if (_slots.TryGetValue(typeof(T), out var known))
            return (Codec<T>)known;
        var slot = typeof(T).IsValueType || typeof(T) == typeof(string)
            ? Get(typeof(T))
            : (Codec)Activator.CreateInstance(typeof(SlotCodec<>).MakeGenericType(typeof(T)), this)!;
        return (Codec<T>)_slots.GetOrAdd(typeof(T), slot);
    }

    public Codec Slot(Type type) => _slots.TryGetValue(type, out var known) ? known : Invoke(nameof(Slot), type);

    /// <summary>What writes and fills the numbered members of an exception type.</summary>
    public IMembersCodec MembersOf(Type type) =>
        _members.GetOrAdd(type, t => (IMembersCodec)Activator.CreateInstance(typeof(ObjectCodec<>).MakeGenericType(t), this)!);

    /// <summary>The type itself says that its values never change.</summary>
    public bool IsImmutable(Type type) =>
        type.IsDefined(typeof(ImmutableAttribute), inherit: false)
        || _simple.Contains(type);

    public string FormatReference(object value) => References is { } references && references.TryWrite(value, out var text)
        ? text
        : throw NotFound(value.GetType());

    public object ResolveReference(string text, Type type) => References is { } references
        ? references.Resolve(text, type)
        : throw WireReader.Malformed("it holds a reference, and references mean nothing here");

    private static CodecNotFoundException NotFound(Type type) => new(
        $"{type} cannot travel in a message: it is neither marked [GenerateSerializer], nor converted by a [RegisterConverter] class, nor a type that the serializer knows.");

    private Codec? TryCreate(Type type)
    {
        if (type.ContainsGenericParameters || type.IsPointer || type.IsByRef || type.IsByRefLike)
            return null;
        if (type.IsEnum)
            return Make(typeof(EnumCodec<>), [type]);
        if (type.IsSZArray)
            return Make(typeof(ArrayCodec<>), [type.GetElementType()!], this);
        if (TryCreateConverter(type) is { } converter)
            return converter;
        if (type.IsAssignableTo(typeof(Exception)))
            return _exceptions;
        if (type.IsAssignableTo(typeof(Type)))
            return _codecs[typeof(Type)];
        if (type.IsDefined(typeof(GenerateSerializerAttribute), inherit: false))
            return type.IsAbstract ? null : Make(typeof(ObjectCodec<>), [type], this);
        return TryCreatePlatformCodec(type);
    }

    private Codec? TryCreatePlatformCodec(Type type)
    {
        // The parts of what was made in one piece by the platform: addresses have an internal read-only form.
        if (type.IsAssignableTo(typeof(System.Net.IPAddress)))
            return _codecs[typeof(System.Net.IPAddress)];
        if (type == typeof(ValueTuple))
            return Make(typeof(ObjectCodec<>), [type], this);
        if (!type.IsGenericType)
            return null;
        if (type.IsAssignableTo(typeof(System.Runtime.CompilerServices.ITuple)))
            return Make(typeof(ObjectCodec<>), [type], this);
        return PlatformTypes.GenericCodecs.TryGetValue(type.GetGenericTypeDefinition(), out var definition)
            ? Make(definition, type.GetGenericArguments(), this)
            : null;
    }

    private Codec? TryCreateConverter(Type type)
    {
        foreach (var candidate in Manifest.Converters)
        {
            var converter = candidate;
            if (candidate.IsGenericTypeDefinition)
            {
                var pattern = ValueOf(InterfaceOf(candidate));
                if (!type.IsConstructedGenericType || !pattern.IsGenericType
                    || pattern.GetGenericTypeDefinition() != type.GetGenericTypeDefinition())
                    continue;
                converter = candidate.MakeGenericType(type.GetGenericArguments());
            }

            var contract = InterfaceOf(converter);
            if (ValueOf(contract) == type)
                return Make(typeof(ConverterCodec<,>), contract.GetGenericArguments(), this, Activator.CreateInstance(converter, nonPublic: true)!);
        }

        return null;
    }

    private static Type InterfaceOf(Type converter) =>
        Array.Find(converter.GetInterfaces(), i => i.IsGenericType && i.GetGenericTypeDefinition() == typeof(IConverter<,>))
        ?? throw new SerializerException($"{converter} is marked [RegisterConverter] and does not implement IConverter<TValue, TSurrogate>.");

    private static Type ValueOf(Type contract)
    {
        var value = contract.GetGenericArguments()[0];
        return value.IsGenericType && value.ContainsGenericParameters ? value.GetGenericTypeDefinition() : value;
    }

    private static Codec Make(Type definition, Type[] arguments, params object[] parameters) =>
        Run(() => (Codec)Activator.CreateInstance(definition.MakeGenericType(arguments), parameters)!);

    private Codec Invoke(string method, Type argument) => Run(() => (Codec)GetType()
        .GetMethod(method, BindingFlags.Instance | BindingFlags.Public, Type.EmptyTypes)!
        .MakeGenericMethod(argument).Invoke(this, null)!);

    /// <summary>Reflection wraps what a constructor throws; the caller wants the cause.</summary>
    private static Codec Run(Func<Codec> create)
    {
        try
        {
            return create();
        }
        catch (TargetInvocationException e) when (e.InnerException is not null)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(e.InnerException);
            throw;
        }
    }
}
