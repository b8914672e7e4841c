using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Watch.Core;

namespace Watch.Cluster.Tests;

/// <summary>
/// Writers with a key each, who write growing numbers and remember what they were answered, and readers who remember what had been
/// answered before they asked; and the judgement over them. A number whose outcome is unknown is not written again.
/// </summary>
internal sealed class FailoverRun(int writers, int writesBefore, int writesAfter)
{
    private readonly long[] _acknowledged = new long[writers];
    private readonly TimeSpan[] _longest = new TimeSpan[writers];
    private readonly ConcurrentDictionary<Revision, (string Key, long Value)> _writes = new();
    private readonly CountdownEvent _startedWriters = new(writers);
    private readonly TaskCompletionSource _before = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _killing;
    private volatile bool _killed;
    private int _unknown;
    private int _writing = writers;

    /// <summary>Done when every writer has written what it writes before the loss; they all go on writing.</summary>
    public Task AllHaveWrittenBefore => _before.Task;

    public int UnknownCount => _unknown;

    /// <summary>The longest time for which a writer was without an acknowledgement, from just before the loss on.</summary>
    public TimeSpan LongestWait => _longest.Max();

    /// <summary>The shortest of the writers' longest such times.</summary>
    public TimeSpan ShortestWait => _longest.Min();

    public IEnumerable<Revision> AcknowledgedRevisions => _writes.Keys;

    /// <summary>The leader is about to be lost.</summary>
    public void Killing() => Volatile.Write(ref _killing, Stopwatch.GetTimestamp());

    /// <summary>
    /// The leader is lost for certain: every writer now writes what it writes after the loss. Without this they could be through before
    /// the test host has really killed the silo, and nothing would be shown.
    /// </summary>
    public void Killed() => _killed = true;

    public async Task WriteAsync(IWatchClient client, int writer)
    {
        var key = $"/f/{writer}";
        var (acknowledged, after, last) = (0, 0, 0L);
        for (var value = 1L; after < writesAfter; value++)
        {
            var wasKilled = _killed;
            try
            {
                var put = await client.PutAsync(key, value.ToString(CultureInfo.InvariantCulture));
                Volatile.Write(ref _acknowledged[writer], value);
                Assert.True(_writes.TryAdd(put.Revision, (key, value)), $"two writes were answered revision {put.Revision}");
            }
            catch (WatchException error) when (error.Code is WatchErrorCode.OutcomeUnknown or WatchErrorCode.NoQuorum)
            {
                Interlocked.Increment(ref _unknown);
                continue;
            }

            if (++acknowledged == writesBefore && _startedWriters.Signal())
                _before.SetResult();
            var now = Stopwatch.GetTimestamp();
            if (Volatile.Read(ref _killing) is > 0 and var killing && Stopwatch.GetElapsedTime(Math.Max(last, killing), now) is var wait && wait > _longest[writer])
                _longest[writer] = wait;
            last = now;
            if (wasKilled)
                after++;
        }

        Interlocked.Decrement(ref _writing);
    }

    public async Task ReadAsync(IWatchClient client, int seed)
    {
        for (var at = seed; Volatile.Read(ref _writing) > 0; at++)
        {
            var writer = at % _acknowledged.Length;
            var known = Volatile.Read(ref _acknowledged[writer]);
            var got = await client.GetAsync($"/f/{writer}");
            var value = got.Key is { } found ? long.Parse(found.Value.Text(), CultureInfo.InvariantCulture) : 0;
            Assert.True(value >= known, $"a read of /f/{writer} gave {value} after {known} had been acknowledged");
        }
    }

    /// <summary>What a watch gave from before the first write on holds every acknowledged write once, in order, and no number twice.</summary>
    public void Judge(IReadOnlyList<WatchEvent> events)
    {
        var last = Revision.None;
        var values = new HashSet<(string, string)>();
        foreach (var each in events)
        {
            Assert.True(each.Type == WatchEventType.Put && each.Revision > last, $"{each.Short()} came after revision {last}");
            last = each.Revision;
            Assert.True(values.Add(($"{each.Key}", each.Value.Text())), $"{each.Short()} was applied before");
            if (_writes.TryGetValue(each.Revision, out var written))
                Assert.Equal($"put {written.Key}={written.Value}@{each.Revision}", each.Short());
        }

        Assert.Empty(_writes.Keys.Except(events.Select(each => each.Revision)));
    }

    /// <summary>What a read gives when all is over is no older than the last acknowledged write.</summary>
    public void JudgeRead(int writer, GetResult got)
    {
        var value = long.Parse(got.Key!.Value.Text(), CultureInfo.InvariantCulture);
        Assert.True(value >= _acknowledged[writer], $"/f/{writer} is {value}, {_acknowledged[writer]} had been acknowledged");
    }
}
