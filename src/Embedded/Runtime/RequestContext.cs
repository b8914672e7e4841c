// Values that travel with every call made from here on, to whoever it reaches.
using System.Collections.Immutable;

namespace Orleans.Runtime;

public static class RequestContext
{
    private static readonly AsyncLocal<ImmutableDictionary<string, object>?> Values = new();

    public static IEnumerable<string> Keys => Values.Value?.Keys ?? [];

    public static IEnumerable<KeyValuePair<string, object>> Entries => Values.Value ?? [];

    public static object? Get(string key) => Values.Value?.GetValueOrDefault(key);

    public static void Set(string key, object value) =>
        Values.Value = (Values.Value ?? ImmutableDictionary<string, object>.Empty).SetItem(key, value);

    public static bool Remove(string key)
    {
        if (Values.Value is not { } values || !values.ContainsKey(key))
            return false;
        Values.Value = values.Count == 1 ? null : values.Remove(key);
        return true;
    }

    public static void Clear() => Values.Value = null;

    internal static IReadOnlyDictionary<string, object>? Export() => Values.Value;

    internal static void Import(IReadOnlyDictionary<string, object>? values)
    {
        if (values is not null)
            Values.Value = values as ImmutableDictionary<string, object> ?? values.ToImmutableDictionary();
    }
}
