using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Watch.Core;
using Watch.Simulation.Tests.Watches;

namespace Watch.Cluster.Tests.Rolling;

/// <summary>
/// Writers at a steady pace, 500 writes a second: puts of values that are written once, puts of the value that is there already, and
/// deletes. Whoever had to wait for an answer makes up for it, so the pace holds over the restarts, too. They remember what was
/// acknowledged; what the history has beside that must be writes whose outcome they do not know.
/// </summary>
internal sealed class SteadyWriters(IWatchClient client, int seed)
{
    private const int Writers = 25;
    private static readonly TimeSpan s_pace = TimeSpan.FromMilliseconds(50);

    /// <summary>What is written to: under prefixes of several depths, and without any slash.</summary>
    public static readonly IReadOnlyList<string> Keys =
        ["/a/1", "/a/2", "/a/b/1", "/a/b/2", "/a/b/c/1", "/b/1", "/b/2", "/b/x/y/z", "/c", "/config/db/host", "/config/db/port", "x:1", "x:2", "y"];

    private readonly ConcurrentDictionary<long, (string Key, string? Value)> _acknowledged = new();
    private readonly CancellationTokenSource _stop = new();
    private long _begun;
    private readonly Lock _gate = new();
    private (int At, TaskCompletionSource Passed) _waiting = (-1, new TaskCompletionSource());
    private TimeSpan _took;
    private int _answered;
    private int _unknown;
    private Task _writing = Task.CompletedTask;

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{_answered} writes in {_took.TotalSeconds:F1} s, {_answered / _took.TotalSeconds:F0}/s, {_acknowledged.Count} of them changed something, of {_unknown} the outcome is unknown");

    public void Begin()
    {
        _begun = Stopwatch.GetTimestamp();
        _writing = Task.WhenAll(Enumerable.Range(0, Writers).Select(writer => WriteAsync(writer, new Random(seed + writer))));
    }

    /// <summary>Waits until so many writes more were answered.</summary>
    public async Task PassAsync(int writes)
    {
        var passed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
            _waiting = (_answered + writes, passed);
        await passed.Task.WaitAsync(WatchCluster.Patience);
    }

    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _writing;
        _took = Stopwatch.GetElapsedTime(_begun);
        _stop.Dispose();
    }

    /// <summary>
    /// All changes, from a watch of everything from the beginning, checked against what was acknowledged: no revision is missing, and each
    /// acknowledged write is there as it was acknowledged.
    /// </summary>
    public async Task<List<CommittedChange>> HistoryAsync()
    {
        var last = (await client.StatusAsync()).Revision;
        await using var stream = await client.WatchAsync(WatchTarget.Bucket, new WatchOptions { StartAt = new Revision(1), WhenSlow = SlowPolicy.Park });
        await using var reader = stream.Reader();
        var (history, values, seen) = (new List<CommittedChange>(), new Dictionary<string, string>(StringComparer.Ordinal), new HashSet<string>(StringComparer.Ordinal));
        while (history.Count < last.Value)
        {
            var each = await reader.NextAsync($"revision {history.Count + 1} of {last}");
            var (key, value) = (each.Key.ToString(), each.Type == WatchEventType.Put ? each.Value.Text() : null);
            Assert.Equal(history.Count + 1, each.Revision.Value);
            if (_acknowledged.TryGetValue(each.Revision.Value, out var written))
                Assert.Equal(written, (key, value));
            var before = values.GetValueOrDefault(key);
            if (value is not null && value != before)
                Assert.True(seen.Add(value), $"{value} took effect twice, the second time in revision {each.Revision}");
            history.Add(new CommittedChange(each.Revision.Value, key, value, before));
            if (value is null)
                values.Remove(key);
            else
                values[key] = value;
        }

        Assert.All(_acknowledged.Keys, revision => Assert.InRange(revision, 1, last.Value));
        return history;
    }

    private async Task WriteAsync(int writer, Random random)
    {
        using var pace = new PeriodicTimer(s_pace, TimeProvider.System);
        for (var count = 0; !_stop.IsCancellationRequested; count++)
        {
            while (Stopwatch.GetElapsedTime(_begun) < count * s_pace)
                await pace.WaitForNextTickAsync();
            var key = Keys[random.Next(Keys.Count)];
            try
            {
                if (random.Next(8) == 0)
                    Keep(await client.DeleteAsync(key), key, null);
                else if (random.Next(8) == 0 && await client.GetAsync(key) is { Key: { } there })
                    Keep(await client.PutAsync(Key.Of(key), there.Value, WriteCondition.At(there.ModRevision)), key, there.Value.Text());
                else
                    await PutAsync(key, string.Create(CultureInfo.InvariantCulture, $"{writer}.{count}"));
            }
            catch (WatchException error) when (error.Code is WatchErrorCode.OutcomeUnknown or WatchErrorCode.NoQuorum or WatchErrorCode.Unavailable)
            {
                Interlocked.Increment(ref _unknown);
            }
        }
    }

    private async Task PutAsync(string key, string value) => Keep(await client.PutAsync(key, value), key, value);

    private void Keep(WriteResult result, string key, string? value)
    {
        lock (_gate)
        {
            if (++_answered == _waiting.At)
                _waiting.Passed.SetResult();
        }

        if (result.Status == WriteStatus.Applied)
            Assert.True(_acknowledged.TryAdd(result.Revision.Value, (key, value)), $"two writes were answered revision {result.Revision}");
    }
}
