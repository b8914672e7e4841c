using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using Watch.Core;

namespace Watch.ClientApp.Output;

/// <summary>How things are called in output.</summary>
internal static class Words
{
    private const int ValueCharactersMax = 160;

    /// <summary>An enumeration's member in camelCase, which is its stable name in JSON.</summary>
    public static string Of<T>(T value)
        where T : struct, Enum => JsonNamingPolicy.CamelCase.ConvertName(value.ToString());

    /// <summary>A value for people: on one line, cut where it is long, and never with characters that steer a terminal.</summary>
    public static string Value(ReadOnlySpan<byte> bytes)
    {
        if (!Utf8.IsValid(bytes))
            return $"<{bytes.Length} bytes that are not UTF-8>";
        var text = new StringBuilder();
        foreach (var rune in Encoding.UTF8.GetString(bytes).EnumerateRunes())
        {
            if (text.Length >= ValueCharactersMax)
                return text.Append(CultureInfo.InvariantCulture, $"… ({bytes.Length} bytes)").ToString();
            text.Append(Rune.IsControl(rune) ? Escape(rune) : rune.ToString());
        }

        return text.ToString();
    }

    /// <summary>An event for people.</summary>
    public static string Event(WatchEvent each) => each.Type switch
    {
        WatchEventType.Put => $"{each.Revision,8}  put     {each.Key} = {Value(each.Value.Span)}{Previous(each)}",
        WatchEventType.Delete => $"{each.Revision,8}  delete  {each.Key}{Previous(each)}",
        WatchEventType.Progress => $"{each.Revision,8}  complete up to here, as of {DateTimeOffset.FromUnixTimeMilliseconds(each.ConfirmedTimeMs):u}",
        WatchEventType.Lagged => $"{each.Revision,8}  lagged  {each.Count} events up to here were left out",
        WatchEventType.SnapshotBegins => $"{each.Revision,8}  {(each.Cause == WatchEventCause.Resync ? "what was missed is read again:" : "what there is:")}",
        WatchEventType.Synced => $"{each.Revision,8}  that is all; what changes follows",
        WatchEventType.TargetsChanged => $"{each.Revision,8}  from here on another target is watched",
        WatchEventType.Stale => $"{each.Revision,8}  stale   for {each.Count} ms nobody has confirmed that nothing is missing",
        _ => $"{each.Revision,8}  ended   {Of(each.Reason)}: {each.Message}",
    };

    public static string KeyValue(KeyValue entry) =>
        $"{entry.Key} = {Value(entry.Value.Span)}  (revision {entry.ModRevision}, created {entry.CreateRevision}, version {entry.Version})";

    /// <summary>A time for people.</summary>
    public static string Span(long milliseconds) => milliseconds switch
    {
        < 10_000 => $"{milliseconds} ms",
        < 600_000 => $"{milliseconds / 1_000} s",
        < 36_000_000 => $"{milliseconds / 60_000} min",
        _ => $"{milliseconds / 3_600_000} h",
    };

    public static string Bytes(long count) => count switch
    {
        < 10_000 => $"{count} B",
        < 10_000_000 => $"{count / 1024.0:F1} KiB",
        _ => $"{count / 1048576.0:F1} MiB",
    };

    private static string Previous(WatchEvent each) => each.PreviousState switch
    {
        PreviousState.Absent => "  (before: absent)",
        PreviousState.Value => $"  (before: {Value(each.PreviousValue.Span)})",
        _ => "",
    };

    private static string Escape(Rune rune) => rune.Value switch
    {
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        _ => $"\\x{rune.Value:X2}",
    };
}
