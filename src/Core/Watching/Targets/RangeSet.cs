namespace Watch.Core.Watching;

/// <summary>The algebra of key ranges that targets need: merging them, and finding what all their keys have in common.</summary>
internal static class RangeSet
{
    /// <summary>The same keys as sorted, disjoint ranges, as few as possible.</summary>
    public static KeyRange[] Merge(IEnumerable<KeyRange> ranges)
    {
        var merged = new List<KeyRange>();
        foreach (var range in ranges.OrderBy(each => each.Start))
        {
            if (merged.Count > 0 && Touches(merged[^1], range))
                merged[^1] = merged[^1] with { End = Later(merged[^1].End, range.End) };
            else
                merged.Add(range);
        }

        return [.. merged];
    }

    /// <summary>Whether one of sorted, disjoint ranges contains the key.</summary>
    public static bool Contains(KeyRange[] ranges, Key key)
    {
        // The last range that begins at or before the key is the only one that can hold it.
        var (low, high) = (0, ranges.Length - 1);
        while (low <= high)
        {
            var middle = (low + high) / 2;
            if (ranges[middle].Start <= key)
                low = middle + 1;
            else
                high = middle - 1;
        }

        return high >= 0 && ranges[high].Contains(key);
    }

    /// <summary>The longest prefix that all keys of the range have.</summary>
    public static Key CommonPrefix(KeyRange range)
    {
        var start = range.Start.Span;
        if (range.End is not { } last)
            return Core.Key.Of(start[..WithHighBytes(start, 0)]);

        // A range may end at the successor of a prefix of its start: then that prefix is common to all, though its end lacks it.
        var end = last.Span;
        if (end.Length > 0 && end.Length <= start.Length && end[^1] > 0 && start[..(end.Length - 1)].SequenceEqual(end[..^1]) && start[end.Length - 1] == end[^1] - 1)
            return Core.Key.Of(start[..WithHighBytes(start, end.Length)]);
        return Core.Key.Of(start[..start.CommonPrefixLength(end)]);
    }

    /// <summary>The longest prefix that two prefixes have in common.</summary>
    public static Key CommonPrefix(Key a, Key b) => Core.Key.Of(a.Span[..a.Span.CommonPrefixLength(b.Span)]);

    /// <summary>The key, if the range can hold just this one.</summary>
    public static Key? OnlyKey(KeyRange range) =>
        range.End is { } end && end.Length == range.Start.Length + 1 && end.Span[^1] == 0 && end.StartsWith(range.Start) ? range.Start : null;

    // Bytes of 0xFF behind the prefix belong to it, too: nothing lies between them and its successor.
    private static int WithHighBytes(ReadOnlySpan<byte> start, int length)
    {
        while (length < start.Length && start[length] == 0xFF)
            length++;
        return length;
    }

    private static bool Touches(KeyRange before, KeyRange range) => before.End is not { } end || range.Start <= end;

    private static Key? Later(Key? a, Key? b) => a is { } one && b is { } other ? (one >= other ? one : other) : null;
}
