using System.Diagnostics;
using System.Globalization;
using Watch.Bench.Load;
using Watch.Core;

namespace Watch.Bench.Watching;

/// <summary>
/// A thousand watch one key; one of them stops reading for a while. The others must not notice, memory must stay within its bounds, and
/// afterwards the one must have what its policy promises.
/// </summary>
internal static class SlowOne
{
    private const int PutsPerSecond = 100;
    private const int ValueBytes = 256;

    /// <summary>Room for a second or two, so that it overflows however short the run is.</summary>
    private const int Queue = 128;

    public static async Task RunAsync(VoterCluster cluster, BenchOptions options, bool isRemote)
    {
        var watchers = options.Watchers ?? 1_000;
        var phase = options.Phase ?? TimeSpan.FromSeconds(60);
        var client = isRemote ? cluster.Outside : cluster.Clients[0];
        foreach (var policy in options.Policy is { } one ? [one] : Enum.GetValues<SlowPolicy>())
        {
            var key = Key.Of($"/slow/{policy}");
            var others = new Others();
            await using var followers = new Followers();
            await followers.AddAsync(client, watchers - 1, options.By, _ => WatchTarget.Key(key), others.Seen);
            await using var slow = await client.WatchAsync(WatchTarget.Key(key), new WatchOptions { WhenSlow = policy, QueueEventsMax = Queue });
            var reader = new Reader(slow);

            var reading = reader.RunAsync();
            var without = await WriteAsync(cluster.Clients[0], key, others, phase, reader);
            reader.Stop();
            var before = GC.GetTotalMemory(forceFullCollection: true);
            var with = await WriteAsync(cluster.Clients[0], key, others, phase, reader: null);
            var held = GC.GetTotalMemory(forceFullCollection: true) - before;
            var got = reader.Count;
            var last = reader.LastWritten = others.LastWritten;
            reader.GoOn();
            await Task.WhenAny(reader.HasCaughtUp, reading);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{policy}: {watchers} watchers, one stops for {phase.TotalSeconds} s under {PutsPerSecond} puts/s"));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  the others, all reading:  {without}"));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  the others, one stopped: {with}"));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  held more at its end: {held / 1024.0:N0} KiB of the process (history of {phase.TotalSeconds * PutsPerSecond:N0} puts and all)"));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  the one: {reader.Count - got} events afterwards, {reader.Lagged} counted as left out, last {reader.LastRevision} of {last}, end: {(slow.Completion.IsCompleted ? reader.End : "none")}"));
            Said.Gate("p99 of the others, of what it was", 100 * with.At(0.99) / without.At(0.99), 110, atMost: true, "%");
            await slow.DisposeAsync();
            await reading;
        }
    }

    /// <summary>Puts at a steady pace, with the time of sending as the value.</summary>
    private static async Task<Durations> WriteAsync(IWatchClient client, Key key, Others others, TimeSpan phase, Reader? reader)
    {
        var durations = others.Begin();
        using var pace = new PeriodicTimer(TimeSpan.FromSeconds(1.0 / PutsPerSecond));
        for (var begun = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(begun) < phase;)
        {
            await pace.WaitForNextTickAsync();
            var value = new byte[ValueBytes];
            BitConverter.TryWriteBytes(value, Stopwatch.GetTimestamp());
            others.LastWritten = (await client.PutAsync(key, value)).Revision;
        }

        if (reader is not null)
        {
            reader.LastWritten = others.LastWritten;
            await reader.HasCaughtUp;
        }

        return durations;
    }

    /// <summary>All but the one.</summary>
    private sealed class Others
    {
        private readonly Lock _gate = new();
        private Durations _durations = new();

        public Revision LastWritten { get; set; }

        public Durations Begin()
        {
            lock (_gate)
                return _durations = new Durations();
        }

        public void Seen(int watcher, WatchEvent each, long when)
        {
            if (each.Type != WatchEventType.Put)
                return;
            lock (_gate)
                _durations.Add(when - BitConverter.ToInt64(each.Value.Span));
        }
    }

    /// <summary>The one.</summary>
    private sealed class Reader(IWatchStream stream)
    {
        private volatile TaskCompletionSource? _stopped;
        private TaskCompletionSource _caughtUp = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private Revision _lastWritten = new(long.MaxValue);

        public long Count { get; private set; }

        public long Lagged { get; private set; }

        public string End { get; private set; } = "none";

        public Revision LastRevision { get; private set; }

        public Task HasCaughtUp => _caughtUp.Task;

        public Revision LastWritten
        {
            get => _lastWritten;
            set
            {
                _lastWritten = value;
                if (LastRevision >= value)
                    _caughtUp.TrySetResult();
            }
        }

        public void Stop()
        {
            _caughtUp = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _lastWritten = new Revision(long.MaxValue);
            _stopped = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        public void GoOn()
        {
            var stopped = _stopped;
            _stopped = null;
            stopped?.SetResult();
        }

        public async Task RunAsync()
        {
            await foreach (var batch in stream.ReadBatchesAsync())
            {
                if (_stopped is { } stopped)
                    await stopped.Task;
                foreach (var each in batch.Events)
                    Take(each);
                LastRevision = batch.Revision;
                if (LastRevision >= _lastWritten)
                    _caughtUp.TrySetResult();
            }

            _caughtUp.TrySetResult();
        }

        private void Take(WatchEvent each)
        {
            if (each.Type is WatchEventType.Put or WatchEventType.Delete)
                Count++;
            else if (each.Type == WatchEventType.Lagged)
                Lagged += each.Count;
            else if (each.Type == WatchEventType.Canceled)
                End = $"{each.Reason} at {each.Revision}";
        }
    }
}
