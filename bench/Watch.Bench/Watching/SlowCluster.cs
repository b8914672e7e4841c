using System.Diagnostics;
using System.Globalization;
using Watch.Bench.Load;
using Watch.Core;

namespace Watch.Bench.Watching;

/// <summary>Watchers of one key, of which some can be stopped, and who writes to it at a steady pace.</summary>
internal sealed class SlowCluster : IAsyncDisposable
{
    public const int PutsPerSecond = 100;
    private const int ValueBytes = 256;
    private const int EventBytes = 768;

    /// <summary>Room for a second or two, so that it overflows however short the run is.</summary>
    private const int Queue = 128;

    /// <summary>So many puts may be on their way to the others; who is further behind delays the next put.</summary>
    private const int UnderWayMax = 256;

    /// <summary>A put that is not delivered to everybody for so long never is: the run fails, and says who lacks it.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private static readonly Key s_key = Key.Of("/slow");
    private readonly IWatchClient _writing;
    private readonly Followers _others = new();
    private readonly Dictionary<SlowPolicy, SlowReader> _readers = [];
    private readonly Put[] _puts;
    private readonly int _keptMax;

    /// <summary>What those that stop may make a process hold, in KiB: what their queues may keep, each event with its value and what is around it.</summary>
    public static double HeldMaxKiB(int stopped) => stopped * ((2 * Queue) + 1) * (ValueBytes + EventBytes) / 1024.0;

    private readonly Durations _delivery = new();
    private readonly Durations _sending = new();
    private readonly Durations _sliceDelivery = new();
    private readonly Durations _sliceSending = new();
    private long _number;
    private long _written;
    private long _before;

    private SlowCluster(IWatchClient writing, bool isRemote, int others)
    {
        _writing = writing;
        // Outside, what the reader was granted waits at the client; and one is in its hands when it stops.
        _keptMax = ((isRemote ? 2 : 1) * Queue) + 1;
        _puts = [.. Enumerable.Range(0, UnderWayMax).Select(_ => new Put(others))];
    }

    public static async Task<SlowCluster> StartAsync(VoterCluster cluster, bool isRemote, int watchers, SlowPolicy[] policies, string by)
    {
        var (watching, others) = (isRemote ? cluster.Outside : cluster.Clients[0], watchers - policies.Length);
        var made = new SlowCluster(cluster.Clients[0], isRemote, others);
        await made._others.AddAsync(watching, others, by, _ => WatchTarget.Key(s_key), made.Seen);
        foreach (var policy in policies)
            made._readers.Add(policy, new SlowReader(await watching.WatchAsync(WatchTarget.Key(s_key), new WatchOptions { WhenSlow = policy, QueueEventsMax = Queue })));
        return made;
    }

    /// <summary>What most deliveries stayed below.</summary>
    public override string ToString() => $"put acknowledged -> call {_delivery}; put sent -> call {_sending}";

    /// <summary>Writes for a while, until all of it was delivered to the others; answers with their p99 in microseconds from the put's answer and from its sending.</summary>
    public async Task<string> SliceAsync(TimeSpan slice)
    {
        _sliceDelivery.Clear();
        _sliceSending.Clear();
        using var pace = new PeriodicTimer(TimeSpan.FromSeconds(1.0 / PutsPerSecond));
        for (var begun = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(begun) < slice;)
        {
            await pace.WaitForNextTickAsync();
            await PutAsync();
        }

        foreach (var put in _puts)
            Keep(await put.DoneAsync());
        return string.Create(CultureInfo.InvariantCulture, $"{_sliceDelivery.At(0.99)} {_sliceSending.At(0.99)}");
    }

    /// <summary>Those of these policies stop reading, and everybody's deliveries are counted from here on.</summary>
    public async Task<string> StopAsync(SlowPolicy[] policies)
    {
        foreach (var reader in _readers.Values)
            await reader.ReachesAsync(_number);
        foreach (var policy in policies)
            _readers[policy].Stop();
        _delivery.Clear();
        _sending.Clear();
        _written = _number;
        _before = GC.GetTotalMemory(forceFullCollection: true);
        return "stopped";
    }

    /// <summary>How many KiB more the process holds than when it was told to stop.</summary>
    public string Held() => ((GC.GetTotalMemory(forceFullCollection: true) - _before) / 1024).ToString(CultureInfo.InvariantCulture);

    /// <summary>One reads on; answers with what became of it, as a row.</summary>
    public async Task<string> GoOnAsync(SlowPolicy policy)
    {
        var (reader, puts) = (_readers[policy], _number - _written);
        reader.GoOn();
        await reader.ReachesAsync(_number);
        var isKept = policy switch
        {
            SlowPolicy.Park => reader.Count == puts && reader.Lagged == 0,
            SlowPolicy.Cancel => reader.End == WatchEndReason.Slow && reader.Count <= _keptMax,
            _ => reader.Last == _number && reader.Count + reader.Lagged == puts && reader.Count <= _keptMax,
        };
        return string.Create(CultureInfo.InvariantCulture, $"| slow: what {policy} got of {puts:N0} events afterwards | {reader.Count:N0} events, {reader.Lagged:N0} counted as left out, end: {reader.End} | {Promise(policy)} | {(isKept ? Said.Met : Said.Missed)} |");
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var reader in _readers.Values)
            await reader.DisposeAsync();
        await _others.DisposeAsync();
    }

    private static string Promise(SlowPolicy policy) => policy switch
    {
        SlowPolicy.Park => "everything",
        SlowPolicy.Cancel => "what waited, and its notice",
        SlowPolicy.Latest => "the newest; all others counted",
        _ => "what waited; all others counted",
    };

    private async Task PutAsync()
    {
        var put = _puts[(_number + 1) % UnderWayMax];
        Keep(await put.DoneAsync());
        put.Begin();
        _number++;
        var value = new byte[ValueBytes];
        BitConverter.TryWriteBytes(value, _number);
        await _writing.PutAsync(s_key, value);
        put.Answered();
    }

    private void Seen(int watcher, WatchEvent each, long when)
    {
        if (each.Type == WatchEventType.Put)
            _puts[BitConverter.ToInt64(each.Value.Span) % UnderWayMax].Seen(watcher, when);
    }

    private void Keep(Put put)
    {
        foreach (var (sending, delivery) in put.Take())
        {
            _sending.Add(sending);
            _sliceSending.Add(sending);
            _delivery.Add(delivery);
            _sliceDelivery.Add(delivery);
        }
    }

    /// <summary>One put, until everybody has it.</summary>
    private sealed class Put(int others)
    {
        private readonly long[] _seen = new long[others];
        private TaskCompletionSource? _done;
        private long _sent;
        private long _answered;
        private int _missing;

        public void Begin()
        {
            _done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _missing = others + 1;
            _sent = Stopwatch.GetTimestamp();
        }

        public void Answered()
        {
            _answered = Stopwatch.GetTimestamp();
            Less();
        }

        public void Seen(int watcher, long when)
        {
            _seen[watcher] = when;
            Less();
        }

        public async Task<Put> DoneAsync()
        {
            if (_done is not { } done)
                return this;
            try
            {
                await done.Task.WaitAsync(s_patience);
            }
            catch (TimeoutException)
            {
                throw new TimeoutException($"{Volatile.Read(ref _missing)} of {others} watchers, or the writer, waited for an event longer than {s_patience}: it is lost.");
            }

            return this;
        }

        /// <summary>What it took to everybody, from its sending and from its answer, once.</summary>
        public IEnumerable<(long Sending, long Delivery)> Take()
        {
            if (_done is null)
                yield break;
            _done = null;
            foreach (var when in _seen)
                yield return (when - _sent, when - _answered);
        }

        private void Less()
        {
            if (Interlocked.Decrement(ref _missing) == 0)
                _done!.SetResult();
        }
    }
}
