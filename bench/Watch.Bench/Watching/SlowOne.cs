using System.Diagnostics;
using System.Globalization;
using Watch.Bench.Load;
using Watch.Core;

namespace Watch.Bench.Watching;

/// <summary>
/// A thousand watch one key; one of them stops reading for a while. The others must not notice, memory must stay within its bounds, and
/// afterwards the one must have what its policy promises.
/// </summary>
/// <remarks>
/// Phases in which all read and phases in which one stops come turn and turn about (ABBA), so that whatever else the machine does weighs on
/// both. In every phase the one is another watch, which begins with it.
/// </remarks>
internal static class SlowOne
{
    private const int PutsPerSecond = 100;
    private const int ValueBytes = 256;

    /// <summary>Room for a second or two, so that it overflows however short the run is.</summary>
    private const int Queue = 128;

    public static async Task RunAsync(VoterCluster cluster, BenchOptions options, bool isRemote)
    {
        var watchers = options.Watchers ?? 1_000;
        var (phase, rounds) = (options.Phase ?? TimeSpan.FromSeconds(20), options.Rounds ?? 4);
        var client = isRemote ? cluster.Outside : cluster.Clients[0];
        foreach (var policy in options.Policy is { } one ? [one] : Enum.GetValues<SlowPolicy>())
        {
            var key = Key.Of($"/slow/{policy}");
            var others = new Others();
            await using var followers = new Followers();
            await followers.AddAsync(client, watchers - 1, options.By, _ => WatchTarget.Key(key), others.Seen);
            var run = new Run(client, cluster.Clients[0], key, policy, others);
            await run.PassAsync(phase / 5, stops: true);

            var (without, with, ratio, held) = (new Durations(), new Durations(), new Trusted(), new Trusted());
            var said = new List<string>();
            for (var round = 0; round < rounds; round++)
            {
                var first = await run.PassAsync(phase, stops: round % 2 == 1);
                var second = await run.PassAsync(phase, stops: round % 2 == 0);
                var (a, b) = round % 2 == 0 ? (first, second) : (second, first);
                without.Add(a.Durations);
                with.Add(b.Durations);
                ratio.Add(b.Durations.At(0.99) / a.Durations.At(0.99));
                held.Add((b.Held - a.Held) / 1024.0);
                said.Add(b.Said);
            }

            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{policy}: {watchers} watchers, one stops for {phase.TotalSeconds} s under {PutsPerSecond} puts/s, {rounds} times in turn with phases in which all read"));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  the others, all reading:  {without}"));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  the others, one stopped: {with}"));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  p99, of what it was: {ratio}"));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  held more at the end of a phase, for the one: {held.Mean:N0} KiB of the process"));
            foreach (var each in said)
                Console.WriteLine($"  the one: {each}");
            Said.Gate("p99 of the others, of what it was", 100 * with.At(0.99) / without.At(0.99), 110, atMost: true, "%");
        }
    }

    /// <summary>What a phase gave.</summary>
    /// <param name="Durations">From a put to the call of each of the others.</param>
    /// <param name="Held">How many bytes more the process held at its end.</param>
    /// <param name="Said">What became of the one that stopped.</param>
    private sealed record Measured(Durations Durations, long Held, string Said);

    /// <summary>The phases of one policy.</summary>
    private sealed class Run(IWatchClient watching, IWatchClient writing, Key key, SlowPolicy policy, Others others)
    {
        public async Task<Measured> PassAsync(TimeSpan phase, bool stops)
        {
            await using var slow = await watching.WatchAsync(WatchTarget.Key(key), new WatchOptions { WhenSlow = policy, QueueEventsMax = Queue });
            var reader = new Reader(slow);
            var reading = reader.RunAsync();
            if (stops)
                reader.Stop();
            var before = GC.GetTotalMemory(forceFullCollection: true);
            var durations = await WriteAsync(writing, key, others, phase, stops ? null : reader);
            var held = GC.GetTotalMemory(forceFullCollection: true) - before;
            var (got, last) = (reader.Count, others.LastWritten);
            reader.LastWritten = last;
            if (stops)
                reader.GoOn();
            await Task.WhenAny(reader.HasCaughtUp, reading);
            var said = string.Create(CultureInfo.InvariantCulture, $"{reader.Count - got} events afterwards, {reader.Lagged} counted as left out, last {reader.LastRevision} of {last}, end: {(slow.Completion.IsCompleted ? reader.End : "none")}");
            await slow.DisposeAsync();
            await reading;
            return new Measured(durations, held, said);
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
