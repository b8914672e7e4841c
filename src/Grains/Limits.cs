using Watch.Core;

namespace Watch.Grains;

/// <summary>Checks what a caller gives against the silo's limits, and says what is allowed.</summary>
internal static class Limits
{
    public static void CheckKey(Key key, WatchSiloOptions options)
    {
        if (key.IsEmpty)
            throw new WatchException(WatchErrorCode.InvalidKey, $"The key is empty; a key has 1 to {options.KeyBytesMax} bytes.");
        if (key.Length > options.KeyBytesMax)
            throw new WatchException(WatchErrorCode.InvalidKey, $"The key has {key.Length} bytes; a key has 1 to {options.KeyBytesMax} bytes.");
    }

    public static void CheckPolicy(ReadPolicy policy)
    {
        if (!Enum.IsDefined(policy.Kind))
            throw new WatchException(WatchErrorCode.InvalidOption, $"The read policy is {(int)policy.Kind}; allowed are {string.Join(", ", Enum.GetNames<ReadKind>())}.");
    }

    public static void CheckValue(ReadOnlyMemory<byte> value, WatchSiloOptions options)
    {
        if (value.Length > options.ValueBytesMax)
            throw new WatchException(WatchErrorCode.ValueTooLarge, $"The value has {value.Length} bytes; at most {options.ValueBytesMax} are allowed.");
    }
}
