using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Text;
using Orleans;
using Orleans.Serialization;

namespace Watch.Embedded.Serialization;

/// <summary>
/// The types that messages may name, and their names: an [Alias], else the full name. Types come from
/// the assemblies that reference this one (nobody else can have meant them for messages) and from a
/// closed list of the platform's. A name outside this list is refused before anything is created, so
/// bytes from a socket cannot reach for types that nobody offered.
///
/// Names are text: <c>name&lt;argument,argument&gt;[]</c>. To name is not yet to create: which types
/// have a codec is decided by <see cref="CodecProvider"/>.
/// </summary>
internal sealed class TypeManifest
{
    private const int NameBytesMax = 2048;

    private readonly Lock _gate = new();
    private readonly int _constructedMax;
    private readonly HashSet<Assembly> _scanned = [];
    private readonly ConcurrentDictionary<string, Type> _byName = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<Type, string> _names = new();
    private readonly ConcurrentDictionary<string, string> _ambiguous = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<Type, byte[]> _encoded = new();
    private readonly ConcurrentDictionary<byte[], Type> _resolved = new(BytesComparer.Instance);
    private readonly ConcurrentDictionary<byte[], Type>.AlternateLookup<ReadOnlySpan<byte>> _resolvedBySpan;
    private readonly List<Type> _converters = [];

    public TypeManifest(int constructedMax)
    {
        _constructedMax = constructedMax;
        _resolvedBySpan = _resolved.GetAlternateLookup<ReadOnlySpan<byte>>();
        foreach (var (name, type) in PlatformTypes.All)
        {
            _byName[name] = type;
            _names[type] = name;
        }

        ScanNewAssemblies();
    }

    /// <summary>Classes marked [RegisterConverter].</summary>
    public Type[] Converters
    {
        get
        {
            lock (_gate)
                return [.. _converters];
        }
    }

    /// <summary>Makes a foreign type nameable, because a converter exists for it.</summary>
    public void Admit(Type foreign)
    {
        if (!_names.ContainsKey(foreign))
            Register(foreign);
    }

    public byte[] EncodedNameOf(Type type) =>
        _encoded.TryGetValue(type, out var known) ? known : _encoded.GetOrAdd(type, t => Encoding.UTF8.GetBytes(NameOf(t)));

    public string NameOf(Type type)
    {
        if (type.IsSZArray)
            return NameOf(type.GetElementType()!) + "[]";
        if (type.IsConstructedGenericType)
            return $"{NameOf(type.GetGenericTypeDefinition())}<{string.Join(',', type.GetGenericArguments().Select(NameOf))}>";
        if (!TryFindName(type, out var name))
            throw new IllegalTypeException($"{type} may not be named in a message: its assembly does not reference {OwnName}.");
        if (_ambiguous.TryGetValue(name, out var others))
            throw new IllegalTypeException($"The name '{name}' is claimed by several types: {others}.");
        return name;
    }

    public Type Resolve(ReadOnlySpan<byte> name)
    {
        if (_resolvedBySpan.TryGetValue(name, out var known))
            return known;
        if (name.Length > NameBytesMax)
            throw WireReader.Malformed($"a type name of {name.Length} bytes");

        var type = TypeNames.Parse(Encoding.UTF8.GetString(name), FindByName);
        if (_resolved.Count >= _constructedMax + _byName.Count)
            throw WireReader.Malformed($"messages have named more than {_constructedMax} constructed types");
        _resolved.TryAdd(name.ToArray(), type);
        return type;
    }

    public string ExceptionNameOf(Type type) =>
        !type.IsGenericType && TryFindName(type, out var name) && !_ambiguous.ContainsKey(name) ? name : type.FullName ?? type.Name;

    /// <summary>
    /// The exception type of a name, or null: marked ones and our own from the manifest, and those of
    /// the platform's own namespaces in assemblies that are loaded already.
    /// </summary>
    public Type? TryResolveException(string name)
    {
        if (TryFindType(name, out var type))
            return type.IsAssignableTo(typeof(Exception)) && !type.IsAbstract && MayArrive(type) ? type : null;
        if (!name.StartsWith("System.", StringComparison.Ordinal) && !name.StartsWith("Microsoft.", StringComparison.Ordinal))
            return null;
        foreach (var assembly in AppDomain.CurrentDomain.GetAssemblies())
        {
            if (IsPlatform(assembly.GetName().Name) && assembly.GetType(name, throwOnError: false) is { } found)
                return found.IsPublic && !found.IsAbstract && !found.IsGenericType && found.IsAssignableTo(typeof(Exception)) ? found : null;
        }

        return null;
    }

    private static string OwnName => typeof(TypeManifest).Assembly.GetName().Name!;

    private static bool MayArrive(Type exception) =>
        exception.IsDefined(typeof(GenerateSerializerAttribute), inherit: false) || exception.Assembly == typeof(TypeManifest).Assembly;

    private Type FindByName(string name)
    {
        if (!TryFindType(name, out var type))
            throw new IllegalTypeException($"A message names the type '{name}', which is none of this application's message types.");
        if (_ambiguous.TryGetValue(name, out var others))
            throw new IllegalTypeException($"The name '{name}' is claimed by several types: {others}.");
        return type;
    }

    private bool TryFindType(string name, [NotNullWhen(true)] out Type? type)
    {
        if (_byName.TryGetValue(name, out type))
            return true;
        ScanNewAssemblies();
        return _byName.TryGetValue(name, out type);
    }

    private bool TryFindName(Type type, [NotNullWhen(true)] out string? name)
    {
        if (_names.TryGetValue(type, out name))
            return true;
        ScanNewAssemblies();
        return _names.TryGetValue(type, out name);
    }

    private void ScanNewAssemblies()
    {
        lock (_gate)
        {
            foreach (var assembly in ApplicationAssemblies.Find(_scanned))
            {
                foreach (var type in assembly.GetTypes())
                    Scan(type);
            }
        }
    }

    private void Scan(Type type)
    {
        if (type.FullName!.Contains('<', StringComparison.Ordinal))
            return;
        Register(type);
        if (type.IsDefined(typeof(RegisterConverterAttribute), inherit: false))
            _converters.Add(type);
    }

    private void Register(Type type)
    {
        var aliases = type.GetCustomAttributes<AliasAttribute>(inherit: false).Select(a => a.Alias).ToArray();
        foreach (var name in aliases.Length > 0 ? aliases : [type.FullName!])
        {
            if (name.AsSpan().IndexOfAny("<>[],") >= 0)
                throw new IllegalTypeException($"The alias '{name}' of {type} holds one of the characters < > [ ] and comma.");
            if (!_byName.TryAdd(name, type) && _byName[name] != type)
                _ambiguous[name] = $"{_byName[name].AssemblyQualifiedName} and {type.AssemblyQualifiedName}";
            _names.TryAdd(type, name);
        }
    }

    private static bool IsPlatform(string? assembly) => assembly is not null
        && (assembly.StartsWith("System.", StringComparison.Ordinal) || assembly.StartsWith("Microsoft.", StringComparison.Ordinal));

    private sealed class BytesComparer : IEqualityComparer<byte[]>, IAlternateEqualityComparer<ReadOnlySpan<byte>, byte[]>
    {
        public static BytesComparer Instance { get; } = new();

        public bool Equals(byte[]? x, byte[]? y) => x.AsSpan().SequenceEqual(y);

        public int GetHashCode(byte[] obj) => GetHashCode(obj.AsSpan());

        public byte[] Create(ReadOnlySpan<byte> alternate) => alternate.ToArray();

        public bool Equals(ReadOnlySpan<byte> alternate, byte[] other) => alternate.SequenceEqual(other);

        public int GetHashCode(ReadOnlySpan<byte> alternate)
        {
            var hash = default(HashCode);
            hash.AddBytes(alternate);
            return hash.ToHashCode();
        }
    }
}
