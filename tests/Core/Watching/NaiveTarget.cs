using Watch.Core;
using Watch.Core.Watching;

namespace Watch.Core.Tests.Watching;

/// <summary>What a target matches, as plainly as it can be said: one line per kind, a recursive glob, and nothing shared with the code it judges.</summary>
internal static class NaiveTarget
{
    public static bool Matches(WatchTarget target, Key key) => target.Kind switch
    {
        TargetKind.Key => key.Span.SequenceEqual(target.Text.Span),
        TargetKind.Prefix or TargetKind.AnyPrefix => key.Span.StartsWith(target.Text.Span),
        TargetKind.Range => Compare(key, target.Text) >= 0 && (target.End is not { } end || Compare(key, end) < 0),
        TargetKind.Glob => Glob(target.Text.Span, key.Span),
        TargetKind.Bucket => true,
        TargetKind.Several => target.Parts.Any(part => Matches(part, key)),
        _ => throw new ArgumentOutOfRangeException(nameof(target), target.Kind, "An unknown kind."),
    };

    public static bool Takes(WatchTarget target, EventFilter filter, Change change)
    {
        var isPut = change.Kind == ChangeKind.Put;
        if (!Matches(target, change.Key) || (isPut ? (filter & EventFilter.NoPuts) != 0 : (filter & EventFilter.NoDeletes) != 0))
            return false;
        return !isPut || (filter & EventFilter.OnlyChangedValue) == 0 || change.PreviousValue is not { } before || !before.ToArray().SequenceEqual(change.Value.ToArray());
    }

    /// <summary>Tries every run of every star.</summary>
    public static bool Glob(ReadOnlySpan<byte> pattern, ReadOnlySpan<byte> key)
    {
        if (pattern.IsEmpty)
            return key.IsEmpty;
        if (pattern[0] == '*')
        {
            var stars = 1;
            while (stars < pattern.Length && pattern[stars] == '*')
                stars++;
            for (var run = 0; run <= key.Length; run++)
            {
                if (stars == 1 && key[..run].Contains((byte)'/'))
                    return false;
                if (Glob(pattern[stars..], key[run..]))
                    return true;
            }

            return false;
        }

        if (key.IsEmpty)
            return false;
        var end = pattern[0] == '[' ? Close(pattern) + 1 : pattern[0] == '\\' ? 2 : 1;
        return One(pattern[..end], key[0]) && Glob(pattern[end..], key[1..]);
    }

    private static int Close(ReadOnlySpan<byte> pattern) => pattern.IndexOf((byte)']');

    private static bool One(ReadOnlySpan<byte> pattern, byte value)
    {
        switch ((char)pattern[0])
        {
            case '?':
                return value != '/';
            case '\\':
                return value == pattern[1];
            case '[':
                var text = System.Text.Encoding.Latin1.GetString(pattern[1..^1]);
                var isIn = text.TrimStart('!') switch
                {
                    [var from, '-', var to] => value >= from && value <= to,
                    var members => members.Contains((char)value, StringComparison.Ordinal),
                };
                return value != '/' && isIn != text.StartsWith('!');
            default:
                return value == pattern[0];
        }
    }

    private static int Compare(Key a, Key b) => a.Span.SequenceCompareTo(b.Span);
}
