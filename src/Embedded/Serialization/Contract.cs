using System.Reflection;
using System.Runtime.CompilerServices;
using Orleans;
using Orleans.Serialization;

namespace Watch.Embedded.Serialization;

/// <summary>A member as it travels: its key within its level, and where its value lives.</summary>
internal sealed record ContractMember(uint Key, MemberInfo Read, MemberInfo Write, Type Type, bool IsImmutable);

/// <summary>
/// Which members of a type travel, by Orleans' rules:
/// each level of inheritance that is marked [GenerateSerializer] numbers its members for itself;
/// fields and properties take part by [Id]; the positional parameters of a record take part without
/// it, numbered from 0 in a number space of their own (so a record may have both a first parameter
/// and a member with [Id(0)]), unless IncludePrimaryConstructorParameters is false.
/// </summary>
internal static class Contract
{
    private const BindingFlags Declared =
        BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;

    /// <summary>The levels of a type, from the base down.</summary>
    public static ContractMember[][] LevelsOf(Type type)
    {
        if (type.IsAssignableTo(typeof(ITuple)))
            return [PartsOf(type)];

        var levels = new List<ContractMember[]>();
        for (var level = type; level is not null; level = level.BaseType)
        {
            if (level.IsDefined(typeof(GenerateSerializerAttribute), inherit: false))
                levels.Add(MembersOf(level));
        }

        levels.Reverse();
        return [.. levels];
    }

    private static ContractMember[] PartsOf(Type tuple) => tuple.GetFields(Declared)
        .OrderBy(field => field.Name.Contains("Rest", StringComparison.Ordinal)).ThenBy(field => field.Name, StringComparer.Ordinal)
        .Select((field, index) => new ContractMember((uint)index << 1, field, field, field.FieldType, IsImmutable: false))
        .ToArray();

    private static ContractMember[] MembersOf(Type level)
    {
        var positional = PositionalParametersOf(level);
        var members = new SortedDictionary<uint, ContractMember>();
        foreach (var field in level.GetFields(Declared))
        {
            if (field.GetCustomAttribute<IdAttribute>() is { } id)
                Add(members, level, Explicit(id.Id), field, field, field.FieldType);
        }

        foreach (var property in level.GetProperties(Declared))
        {
            if (property.GetIndexParameters().Length == 0 && KeyOf(property, positional) is { } key)
                Add(members, level, key, property, WritableOf(level, property), property.PropertyType);
        }

        return [.. members.Values];
    }

    private static void Add(
        SortedDictionary<uint, ContractMember> members, Type level, uint key, MemberInfo read, MemberInfo write, Type type)
    {
        var immutable = read.IsDefined(typeof(ImmutableAttribute), inherit: false);
        if (!members.TryAdd(key, new ContractMember(key, read, write, type, immutable)))
            throw new SerializerException($"{level} gives {members[key].Read.Name} and {read.Name} the same id {key >> 1}.");
    }

    private static uint Explicit(uint id) => id << 1;

    private static uint Positional(uint id) => (id << 1) | 1;

    private static uint? KeyOf(PropertyInfo property, ParameterInfo[] positional)
    {
        if (property.GetCustomAttribute<IdAttribute>() is { } id)
            return Explicit(id.Id);
        var index = Array.FindIndex(positional, p => p.Name == property.Name && p.ParameterType.GetElementTypeOrSelf() == property.PropertyType);
        if (index < 0)
            return null;
        return Positional(positional[index].GetCustomAttribute<IdAttribute>()?.Id ?? (uint)index);
    }

    /// <summary>A property is set through its setter, else through the field behind it.</summary>
    private static MemberInfo WritableOf(Type level, PropertyInfo property)
    {
        if (property.GetSetMethod(nonPublic: true) is not null)
            return property;
        return level.GetField($"<{property.Name}>k__BackingField", Declared)
            ?? throw new SerializerException($"{level}.{property.Name} has an id, but neither a setter nor a field of its own.");
    }

    /// <summary>The parameters of a record's primary constructor: those that its Deconstruct gives back.</summary>
    private static ParameterInfo[] PositionalParametersOf(Type level)
    {
        var attribute = level.GetCustomAttributesData().First(a => a.AttributeType == typeof(GenerateSerializerAttribute));
        var named = attribute.NamedArguments.FirstOrDefault(
            a => a.MemberName == nameof(GenerateSerializerAttribute.IncludePrimaryConstructorParameters));
        if (named.TypedValue.Value is false)
            return [];

        var properties = level.GetProperties(Declared);
        var deconstruct = level.GetMethods(Declared).FirstOrDefault(m => m.Name == "Deconstruct" && IsGenerated(m));
        var wanted = deconstruct?.GetParameters();
        return level.GetConstructors(Declared)
            .Select(c => c.GetParameters())
            .Where(p => p.Length > 0 && (wanted is not null
                ? p.Select(x => (x.Name, x.ParameterType)).SequenceEqual(wanted.Select(x => (x.Name, x.ParameterType.GetElementTypeOrSelf())))
                : IsRecordLike(p, properties)))
            .FirstOrDefault([]);
    }

    private static bool IsRecordLike(ParameterInfo[] parameters, PropertyInfo[] properties) => Array.TrueForAll(
        parameters, p => Array.Exists(properties, q => q.Name == p.Name && q.GetMethod is { } get && IsGenerated(get) && IsGenerated(q)));

    private static bool IsGenerated(MemberInfo member) => member.IsDefined(typeof(CompilerGeneratedAttribute), inherit: false);

    private static Type GetElementTypeOrSelf(this Type type) => type.IsByRef ? type.GetElementType()! : type;
}
