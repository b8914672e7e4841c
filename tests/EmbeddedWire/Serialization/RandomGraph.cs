using System.Collections;
using System.Globalization;

namespace Watch.EmbeddedWire.Tests.Serialization;

/// <summary>Random values of every kind that tests know, and a text by which two can be compared.</summary>
internal static class RandomGraph
{
    public static object? Create(Random random, int depth) => random.Next(depth > 0 ? 14 : 6) switch
    {
        0 => null,
        1 => random.NextInt64(),
        2 => random.Next(-100, 100),
        3 => Text(random),
        4 => random.NextDouble(),
        5 => new Point(random.Next(), random.Next(2) == 0 ? null : random.NextInt64()),
        6 => Bytes(random),
        7 => Many(random, depth).ToList(),
        8 => Many(random, depth).ToArray(),
        9 => Many(random, depth).Select((v, i) => (v, i)).ToDictionary(p => $"{p.i}", p => p.v),
        10 => new Node { Any = Create(random, depth - 1), Next = new Node { Any = Create(random, depth - 1) } },
        11 => new Below(Text(random), random.Next(), Guid.NewGuid()) { Bytes = Bytes(random) },
        12 => (Create(random, depth - 1), Text(random)),
        _ => new Wrapped<object?>(Create(random, depth - 1)),
    };

    public static string Print(object? value) => value switch
    {
        null => "null",
        string text => $"'{text}'",
        byte[] bytes => Convert.ToHexString(bytes),
        Node node => $"node({Print(node.Any)},{(node.Next is null ? "" : Print(node.Next))})",
        Below below => $"below({below.Name},{below.Count},{below.Mark},{Print(below.Bytes)})",
        Wrapped<object?> wrapped => $"wrapped({Print(wrapped.Value)})",
        ValueTuple<object?, string> pair => $"({Print(pair.Item1)},{pair.Item2})",
        KeyValuePair<string, object?> pair => $"{pair.Key}={Print(pair.Value)}",
        Dictionary<string, object?> map => $"map({string.Join(',', map.Select(p => Print(p)))})",
        IEnumerable items => $"{value.GetType().Name}({string.Join(',', items.Cast<object?>().Select(Print))})",
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };

    private static IEnumerable<object?> Many(Random random, int depth) =>
        Enumerable.Range(0, random.Next(5)).Select(_ => Create(random, depth - 1)).ToArray();

    private static string Text(Random random) =>
        new([.. Enumerable.Range(0, random.Next(20)).Select(_ => (char)random.Next(0x20, 0x2000))]);

    private static byte[] Bytes(Random random)
    {
        var bytes = new byte[random.Next(40)];
        random.NextBytes(bytes);
        return bytes;
    }
}
