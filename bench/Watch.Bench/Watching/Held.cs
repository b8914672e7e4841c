using System.Globalization;
using System.Reflection;

namespace Watch.Bench.Watching;

/// <summary>
/// What one object holds that no other of its kind does, by type: found by following every field, and stopping at what is the silo's or the
/// client's. Sizes are those of the fields, so a little less than the truth.
/// </summary>
internal static class Held
{
    private static readonly string[] s_ends =
        ["WatchDispatcher", "WatchTable", "HostedWatchClient", "RemoteWatchClient", "GrainWatchClient", "ClientSession", "BucketFeeds", "Followers", "TimeProvider", "TaskScheduler", "Logger", "GrainFactory", "Thread", "ServiceProvider", "ThreadPool", "ExecutionContext", "SynchronizationContext", "Run"];

    /// <summary>The types, largest share first, as lines.</summary>
    public static IEnumerable<string> ByType(object first, object second)
    {
        var shared = Reach(second);
        var own = Reach(first);
        own.ExceptWith(shared);
        var all = own.Where(each => each is not ValueType).GroupBy(each => each.GetType()).Select(group => (Type: group.Key, Count: group.Count(), Bytes: group.Sum(SizeOf))).OrderByDescending(each => each.Bytes).ToList();
        yield return string.Create(CultureInfo.InvariantCulture, $"one watch holds {all.Sum(each => each.Count)} objects of its own, {all.Sum(each => each.Bytes)} bytes:");
        foreach (var (type, count, bytes) in all)
            yield return string.Create(CultureInfo.InvariantCulture, $"{bytes,7}  {count,3} x {Name(type)}");
    }

    private static HashSet<object> Reach(object root)
    {
        var (seen, waiting) = (new HashSet<object>(ReferenceEqualityComparer.Instance), new Queue<object>([root]));
        while (waiting.TryDequeue(out var each))
        {
            if (IsEnd(each.GetType()) || !seen.Add(each))
                continue;
            if (each is Array { Rank: 1 } array && !array.GetType().GetElementType()!.IsPrimitive)
                foreach (var item in array)
                    Follow(item);
            for (var type = each.GetType(); type is not null && type != typeof(object); type = type.BaseType)
                foreach (var field in type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
                    if (!field.FieldType.IsPrimitive && !field.FieldType.IsPointer && !field.FieldType.IsByRefLike)
                        Follow(field.GetValue(each));
        }

        return seen;

        void Follow(object? value)
        {
            if (value is not null and not Type and not MemberInfo and not Assembly and not Pointer)
                waiting.Enqueue(value);
        }
    }

    private static bool IsEnd(Type type) => s_ends.Any(end => type.Name.Contains(end, StringComparison.Ordinal)) && !type.Name.Contains('<', StringComparison.Ordinal) && !typeof(Delegate).IsAssignableFrom(type);

    /// <summary>Values are part of what has them.</summary>
    private static long SizeOf(object each)
    {
        var type = each.GetType();
        if (type.IsValueType)
            return 0;
        var bytes = each switch
        {
            string text => 22 + (2L * text.Length),
            Array array => 24 + (array.LongLength * InlineSize(type.GetElementType()!)),
            _ => 16 + FieldsOf(type),
        };
        return (bytes + 7) / 8 * 8;
    }

    private static long FieldsOf(Type type)
    {
        var bytes = 0L;
        for (var at = type; at is not null && at != typeof(object); at = at.BaseType)
            foreach (var field in at.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
                bytes += InlineSize(field.FieldType);
        return bytes;
    }

    private static long InlineSize(Type type) => type switch
    {
        { IsPrimitive: true } => type == typeof(bool) || type == typeof(byte) || type == typeof(sbyte) ? 1 : type == typeof(char) || type == typeof(short) || type == typeof(ushort) ? 2 : type == typeof(int) || type == typeof(uint) || type == typeof(float) ? 4 : 8,
        { IsEnum: true } => InlineSize(type.GetEnumUnderlyingType()),
        { IsValueType: true } => FieldsOf(type),
        _ => 8,
    };

    private static string Name(Type type) => $"{(type.DeclaringType is { } outer ? outer.Name + "." : "")}{type.Name}{(type.IsGenericType ? "<" + string.Join(", ", type.GetGenericArguments().Select(Name)) + ">" : "")}";
}
