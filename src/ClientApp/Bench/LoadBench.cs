using Watch.ClientApp.Output;
using Watch.Core;

namespace Watch.ClientApp.Bench;

/// <summary>What is measured of a server, through whatever client.</summary>
internal sealed class LoadBench(IWatchClient client, int valueBytes, TimeProvider time)
{
    private const int WarmUp = 50;

    /// <summary>So many keys that writers seldom meet, so few that the store does not grow with the time measured.</summary>
    private const int Keys = 1000;

    /// <summary>Clients that put one after the other, each as fast as it is answered.</summary>
    /// <returns>The latency of each put, in milliseconds.</returns>
    public async Task<List<double>> PutsAsync(int clients, TimeSpan duration, CancellationToken cancellationToken)
    {
        var begun = time.GetTimestamp();
        var all = await Task.WhenAll(Enumerable.Range(0, clients).Select(id => PutUntilAsync(id, begun, duration, cancellationToken)));
        return [.. all.SelectMany(each => each)];
    }

    /// <summary>From a put's acknowledgement to its event at a watcher of the same client, one put at a time. Below zero: the event came first.</summary>
    public async Task<Percentiles> WatchAsync(int count, CancellationToken cancellationToken)
    {
        var key = Key.Of("/bench/watched");
        await using var stream = await client.WatchAsync(WatchTarget.Key(key), null, cancellationToken);
        await using var events = stream.GetAsyncEnumerator(cancellationToken);
        var milliseconds = new List<double>(count);
        for (var i = 0; i < count + WarmUp; i++)
        {
            var arrival = ArrivalAsync(events);
            await client.PutAsync(key, Value(i), null, cancellationToken);
            var acknowledged = time.GetTimestamp();
            var arrived = await arrival;
            if (i >= WarmUp)
                milliseconds.Add((arrived - acknowledged) * 1000.0 / time.TimestampFrequency);
        }

        return Percentiles.Of(milliseconds);
    }

    private async Task<long> ArrivalAsync(IAsyncEnumerator<WatchEvent> events)
    {
        if (!await events.MoveNextAsync() || events.Current.Type == WatchEventType.Canceled)
            throw new CommandLine.CommandFailedException("the measured watch ended");
        return time.GetTimestamp();
    }

    private async Task<List<double>> PutUntilAsync(int id, long begun, TimeSpan duration, CancellationToken cancellationToken)
    {
        var milliseconds = new List<double>();
        for (var i = 0; time.GetElapsedTime(begun) < duration; i++)
        {
            var sent = time.GetTimestamp();
            await client.PutAsync(KeyOf(id, i), Value(i), null, cancellationToken);
            milliseconds.Add(time.GetElapsedTime(sent).TotalMilliseconds);
        }

        return milliseconds;
    }

    private static Key KeyOf(int id, int i) => Key.Of($"/bench/{id}/{i % Keys}");

    private byte[] Value(int i)
    {
        var value = new byte[valueBytes];
        Array.Fill(value, (byte)('a' + i % 26));
        return value;
    }
}
