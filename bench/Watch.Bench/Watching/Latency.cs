using System.Diagnostics;
using System.Globalization;
using Watch.Bench.Load;
using Watch.Core;

namespace Watch.Bench.Watching;

/// <summary>
/// From a put to the call of everybody who watches its key. Puts come one after the other, each when the one before has reached everybody.
/// </summary>
internal static class Latency
{
    private const int Deliveries = 200_000;
    private const int WarmUp = 100;

    public static async Task RunAsync(VoterCluster cluster, BenchOptions options, bool isRemote)
    {
        var (watching, writing) = (isRemote ? cluster.Outside : cluster.Clients[0], cluster.Clients[0]);
        foreach (var watchers in options.Watchers is { } one ? [one] : new[] { 1, 100, 1_000, 10_000 })
        {
            var run = new Run(watchers);
            await using var followers = new Followers();
            var key = $"/latency/{watchers}";
            await followers.AddAsync(watching, watchers, options.By, _ => WatchTarget.Key(key), run.Seen);
            var rounds = options.Rounds ?? Math.Clamp(Deliveries / watchers, 50, 3_000);
            for (var round = 0; round < Math.Min(rounds, WarmUp) + rounds; round++)
                await run.RoundAsync(writing, Key.Of(key), keeps: round >= Math.Min(rounds, WarmUp));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{watchers,6} watchers, {rounds} puts: put acknowledged -> call {run.FromAcknowledged}"));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{"",6} {"",9}           put sent         -> call {run.FromSent}"));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{"",6} {"",9}           put acknowledged -> last {run.Last}"));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{"",6} {"",9}           put              -> answer {run.Puts}"));
            Say(run, watchers, isRemote);
        }
    }

    private static void Say(Run run, int watchers, bool isRemote)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"latency, {watchers:N0} watcher{(watchers == 1 ? "" : "s")} {(isRemote ? "outside" : "in the process")}: ");
        Said.Row(name + "put sent → call, p50 / p99", Both(run.FromSent));
        Said.Row(name + "put acknowledged → call, p50 / p99", Both(run.FromAcknowledged));
        if (watchers == 1 && !isRemote)
            Said.Gate(name + "median put acknowledged → call", run.FromAcknowledged.At(0.5), 50, atMost: true, "µs");
        if (watchers == 1 && isRemote)
            Said.Gate(name + "median put sent → call", run.FromSent.At(0.5), 1_500, atMost: true, "µs");
        static string Both(Durations durations) => string.Create(CultureInfo.InvariantCulture, $"{durations.At(0.5):N0} / {durations.At(0.99):N0} µs");
    }

    private sealed class Run(int watchers)
    {
        private readonly long[] _seen = new long[watchers];
        private TaskCompletionSource _all = new();
        private int _missing;

        public Durations FromAcknowledged { get; } = new();

        public Durations FromSent { get; } = new();

        public Durations Last { get; } = new();

        public Durations Puts { get; } = new();

        public void Seen(int watcher, WatchEvent each, long when)
        {
            if (each.Type != WatchEventType.Put)
                return;
            _seen[watcher] = when;
            if (Interlocked.Decrement(ref _missing) == 0)
                _all.SetResult();
        }

        public async Task RoundAsync(IWatchClient client, Key key, bool keeps)
        {
            _missing = watchers;
            _all = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            var sent = Stopwatch.GetTimestamp();
            await client.PutAsync(key, new byte[16]);
            var acknowledged = Stopwatch.GetTimestamp();
            await _all.Task;
            if (!keeps)
                return;
            foreach (var when in _seen)
            {
                FromAcknowledged.Add(when - acknowledged);
                FromSent.Add(when - sent);
            }

            Last.Add(_seen.Max() - acknowledged);
            Puts.Add(acknowledged - sent);
        }
    }
}
