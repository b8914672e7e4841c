using System.Diagnostics.Tracing;
using System.Globalization;

namespace Watch.Bench.Watching;

/// <summary>
/// What is allocated, by type: the runtime tells of one object for about each 100 KiB. With <c>--profile yes</c>; it makes what is
/// measured slower.
/// </summary>
internal sealed class Allocations : EventListener
{
    private const string Runtime = "Microsoft-Windows-DotNETRuntime";
    private const EventKeywords Gc = (EventKeywords)1;
    private readonly Lock _gate = new();
    private readonly Dictionary<string, long> _bytes = [];

    /// <summary>Forgets what it has heard.</summary>
    public void Clear()
    {
        lock (_gate)
            _bytes.Clear();
    }

    /// <summary>The types that take most, as shares of all bytes heard of.</summary>
    public IEnumerable<string> Largest(int count)
    {
        lock (_gate)
        {
            var all = (double)_bytes.Values.Sum();
            return [.. _bytes.OrderByDescending(each => each.Value).Take(count).Select(each => string.Create(CultureInfo.InvariantCulture, $"{each.Value / all,7:P1}  {each.Key}"))];
        }
    }

    protected override void OnEventSourceCreated(EventSource eventSource)
    {
        if (eventSource.Name == Runtime)
            EnableEvents(eventSource, EventLevel.Verbose, Gc);
    }

    protected override void OnEventWritten(EventWrittenEventArgs eventData)
    {
        if (eventData.EventName?.StartsWith("GCAllocationTick", StringComparison.Ordinal) != true || eventData.PayloadNames is not { } names || _gate is null)
            return;
        var (type, bytes) = (eventData.Payload![names.IndexOf("TypeName")] as string ?? "?", Convert.ToInt64(eventData.Payload[names.IndexOf("AllocationAmount64")], CultureInfo.InvariantCulture));
        lock (_gate)
            _bytes[type] = _bytes.GetValueOrDefault(type) + bytes;
    }
}
