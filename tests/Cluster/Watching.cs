using System.Text;
using Watch.Core;

namespace Watch.Cluster.Tests;

/// <summary>What tests do with watches: wait for events, never for a while.</summary>
internal static class Watching
{
    /// <summary>A reader that is asked event by event.</summary>
    public static EventReader Reader(this IWatchStream stream) => new(stream);

    public static string Text(this ReadOnlyMemory<byte> bytes) => Encoding.UTF8.GetString(bytes.Span);

    public static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    /// <summary>All that a watch tells from now on, as it comes.</summary>
    public static List<WatchEvent> Record(this IWatchStream stream)
    {
        var events = new List<WatchEvent>();
        _ = ReadAsync();
        return events;

        async Task ReadAsync()
        {
            await foreach (var each in stream)
                events.Add(each);
        }
    }

    /// <summary>Time passes in small steps, and what is due happens in each, in turns (<see cref="TwoNodes.InTurnsAsync"/>).</summary>
    public static async Task PassAsync(this ManualTime time, TimeSpan span)
    {
        var step = TimeSpan.FromMilliseconds(50);
        for (var passed = TimeSpan.Zero; passed < span; passed += step)
        {
            time.Advance(step);
            time.Fire();
            await TwoNodes.PassAsync();
        }
    }

    /// <summary>An event in short: <c>put /a=1@5</c>.</summary>
    public static string Short(this WatchEvent each) => each.Type switch
    {
        WatchEventType.Put => $"put {each.Key}={each.Value.Text()}@{each.Revision}",
        WatchEventType.Delete => $"delete {each.Key}@{each.Revision}",
        _ => $"canceled {each.Reason}@{each.Revision}",
    };
}

/// <summary>Reads a watch one event at a time.</summary>
internal sealed class EventReader(IWatchStream stream) : IAsyncDisposable
{
    private readonly IAsyncEnumerator<WatchEvent> _events = stream.GetAsyncEnumerator();

    public Revision Start => stream.Start;

    /// <summary>The next event; a test that waits longer than its patience fails and says what it waited for.</summary>
    public async Task<WatchEvent> NextAsync(string waitingFor = "an event")
    {
        try
        {
            Assert.True(await _events.MoveNextAsync().AsTask().WaitAsync(WatchCluster.Patience), $"the watch ended while the test waited for {waitingFor}");
        }
        catch (TimeoutException)
        {
            Assert.Fail($"{waitingFor} did not come within {WatchCluster.Patience}; the watch stands at revision {stream.Cursor}");
        }

        return _events.Current;
    }

    public async Task<List<WatchEvent>> NextAsync(int count)
    {
        var events = new List<WatchEvent>();
        while (events.Count < count)
            events.Add(await NextAsync($"event {events.Count + 1} of {count}"));
        return events;
    }

    /// <summary>Whether the watch ends here.</summary>
    public async Task<bool> EndsAsync() => !await _events.MoveNextAsync().AsTask().WaitAsync(WatchCluster.Patience);

    public ValueTask DisposeAsync() => _events.DisposeAsync();
}
