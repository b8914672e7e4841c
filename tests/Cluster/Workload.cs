using System.Text;
using Watch.Core;

namespace Watch.Cluster.Tests;

/// <summary>
/// Writers that remember what they were answered, watches that remember what they were given, and the judgement over both. It knows
/// nothing of the implementation: the acknowledgements of all writers are the committed history, but for writes whose outcome their
/// writer was told is unknown, and every watch must equal that history, of its target, after its start. It awaits nothing but clients,
/// so it runs in a cluster as well as in a simulated world.
/// </summary>
/// <param name="below">A random number from 0 to below its argument. Called from several threads only if it allows that.</param>
internal sealed class Workload(Func<int, int> below)
{
    /// <summary>The keys, in the order in which their last values are written.</summary>
    private static readonly string[] s_keys = ["q", "/r/a", "/r/b", "/r/c/d", "/r/c/e", "/r/c/"];

    private const string Last = "last";

    private readonly Lock _gate = new();
    private readonly SortedDictionary<Revision, Written> _acknowledged = [];
    private readonly List<Written> _unknown = [];
    private readonly List<(Watched Watch, Task Done)> _watches = [];
    private int _values;

    /// <summary>The last revision that a writer was answered.</summary>
    public Revision Acknowledged
    {
        get
        {
            lock (_gate)
                return _acknowledged.Count == 0 ? Revision.None : _acknowledged.Keys.Last();
        }
    }

    /// <summary>How many writes ended without their writer knowing how.</summary>
    public int UnknownCount
    {
        get
        {
            lock (_gate)
                return _unknown.Count;
        }
    }

    /// <summary>Puts, deletes, and conditional writes, one after the other.</summary>
    public async Task WriteAsync(IWatchClient client, int count)
    {
        for (var at = 0; at < count; at++)
            await WriteOneAsync(client, s_keys[below(s_keys.Length)]);
    }

    /// <summary>Writes every key's last value, by which the watches know that they have everything.</summary>
    public async Task FinishAsync(IWatchClient client)
    {
        foreach (var key in s_keys)
            await ApplyAsync(new Written(key, Last), () => client.PutAsync(key, Last));
    }

    /// <summary>Registers a watch of a random target from now or from a random past revision, and reads it to its end.</summary>
    public async Task WatchAsync(IWatchClient client, string name, bool mayEndEarly = false)
    {
        var (watch, options) = Draw(name, mayEndEarly);
        var before = Acknowledged;
        var stream = await client.WatchAsync(watch.Target, options);
        Begin(watch, options, stream.Start, before, ReadAsync(watch, stream));
    }

    /// <summary>The same with an observer.</summary>
    public async Task SubscribeAsync(IWatchClient client, string name)
    {
        var (watch, options) = Draw(name, mayEndEarly: false);
        var before = Acknowledged;
        var observer = new Observer(watch);
        var subscription = await client.SubscribeAsync(watch.Target, observer, options);
        Begin(watch, options, subscription.Start, before, EndAsync(observer, subscription));
    }

    /// <summary>Waits until every watch has its last event or has ended.</summary>
    public async Task ReadToEndAsync()
    {
        foreach (var (_, done) in _watches)
            await done;
    }

    /// <summary>The watches that do not have their last event yet, for a test that gives up waiting.</summary>
    public string Waiting => string.Join("; ", _watches.Where(each => !each.Done.IsCompleted).Select(each => $"{each.Watch} has {each.Watch.Events.Count} events"));

    /// <summary>Reads the committed history by a watch from the first revision on, and judges writers and watches by it.</summary>
    public async Task JudgeAsync(IWatchClient client)
    {
        var history = new List<WatchEvent>();
        await using (var stream = await client.WatchAsync(WatchTarget.Prefix("/"), new WatchOptions { StartAt = new Revision(1), PreviousValues = true }))
            await foreach (var each in stream)
            {
                history.Add(each);
                if (IsLast(each, WatchTarget.Prefix("/")))
                    break;
            }

        await using (var stream = await client.WatchAsync(WatchTarget.Key("q"), new WatchOptions { StartAt = new Revision(1), PreviousValues = true }))
            await foreach (var each in stream)
            {
                history.Add(each);
                if (IsLast(each, WatchTarget.Key("q")))
                    break;
            }

        history.Sort((a, b) => a.Revision.CompareTo(b.Revision));
        JudgeHistory(history);
        foreach (var (watch, _) in _watches)
            Judge(watch, history);
        var (keys, _) = await client.ScanAllAsync(Key.Empty);
        Assert.Equal(s_keys.Order(StringComparer.Ordinal).Select(key => $"{key}={Last}"), keys.Select(each => $"{each.Key}={Text(each.Value)}").Order(StringComparer.Ordinal));
    }

    private async Task WriteOneAsync(IWatchClient client, string key)
    {
        var value = $"{Interlocked.Increment(ref _values)}";
        switch (below(10))
        {
            case 0 or 1:
                await ApplyAsync(new Written(key, null), () => client.DeleteAsync(key));
                break;
            case 2:
                await ApplyAsync(new Written(key, value), () => client.PutAsync(key, value, WriteCondition.Absent));
                break;
            case 3:
                // Another writer may come between, and then the condition fails, as it should.
                if (await TryGetAsync(client, key) is { } current)
                    await ApplyAsync(new Written(key, value), () => client.PutAsync(key, value, below(2) == 0 ? WriteCondition.At(current.ModRevision) : WriteCondition.Value(current.Value)));
                break;
            default:
                await ApplyAsync(new Written(key, value), () => client.PutAsync(key, value));
                break;
        }
    }

    private async Task ApplyAsync(Written write, Func<Task<WriteResult>> call)
    {
        try
        {
            var result = await call();
            lock (_gate)
                if (result.Status == WriteStatus.Applied)
                    Assert.True(_acknowledged.TryAdd(result.Revision, write with { Previous = result.Previous is { } previous ? Text(previous.Value) : null, IsAnswered = true }), $"two writes were answered revision {result.Revision}");
        }
        catch (WatchException error) when (error.Code is WatchErrorCode.OutcomeUnknown)
        {
            lock (_gate)
                _unknown.Add(write);
            if (write.Value == Last)
                await ApplyAsync(write, call);
        }
        catch (WatchException error) when (error.Code is WatchErrorCode.NoQuorum or WatchErrorCode.ShuttingDown && write.Value != Last)
        {
            Assert.NotEmpty(error.Message);         // certainly not carried out: the writer goes on
        }
    }

    private static async Task<KeyValue?> TryGetAsync(IWatchClient client, string key)
    {
        try
        {
            return (await client.GetAsync(key)).Key;
        }
        catch (WatchException error) when (error.Code is WatchErrorCode.Unavailable or WatchErrorCode.NoQuorum or WatchErrorCode.ShuttingDown)
        {
            return null;
        }
    }

    private (Watched Watch, WatchOptions Options) Draw(string name, bool mayEndEarly)
    {
        var target = below(8) switch
        {
            0 => WatchTarget.Key("q"),
            1 => WatchTarget.Key("/r/a"),
            2 => WatchTarget.Key("/r/c/e"),
            3 => WatchTarget.Key("/r/c/"),
            4 => WatchTarget.Prefix("/r/c/"),
            5 => WatchTarget.Prefix("/"),
            _ => WatchTarget.Prefix("/r/"),
        };
        var last = (int)Acknowledged.Value;
        var options = new WatchOptions { StartAt = last > 0 && below(2) == 0 ? new Revision(1 + below(last)) : null, PreviousValues = below(2) == 0 };
        return (new Watched($"{name} of {target} from {options.StartAt?.ToString() ?? "now"}", target, options.PreviousValues, mayEndEarly), options);
    }

    private void Begin(Watched watch, WatchOptions options, Revision start, Revision acknowledgedBefore, Task reading)
    {
        watch.Start = start;
        if (options.StartAt is { } asked)
            Assert.Equal(asked.Previous, start);
        else
            Assert.True(start >= acknowledgedBefore, $"{watch} starts after {start}, but {acknowledgedBefore} had been acknowledged before it was asked for");
        lock (_gate)
            _watches.Add((watch, reading));
    }

    private static async Task ReadAsync(Watched watch, IWatchStream stream)
    {
        await foreach (var each in stream)
        {
            watch.Events.Add(each);
            if (IsLast(each, watch.Target))
                break;
        }
    }

    private static async Task EndAsync(Observer observer, IWatchSubscription subscription)
    {
        await observer.Last.Task;
        await subscription.DisposeAsync();
    }

    private static bool IsLast(WatchEvent each, WatchTarget target) =>
        each.Type == WatchEventType.Put && Text(each.Value) == Last && each.Key.ToString() == s_keys.Last(key => Contains(target, key));

    private static bool Contains(WatchTarget target, string key) => target.Kind == WatchTargetKind.Key
        ? key == target.Text.ToString()
        : key.StartsWith(target.Text.ToString(), StringComparison.Ordinal);

    /// <summary>History has every acknowledged write at its revision and nothing that nobody wrote, and is consistent in itself.</summary>
    private void JudgeHistory(List<WatchEvent> history)
    {
        var state = new Dictionary<string, (string Value, Revision Create, long Version)>();
        var unknown = _unknown.ToList();
        Assert.Equal(Enumerable.Range(1, history.Count).Select(at => (long)at), history.Select(each => each.Revision.Value));
        foreach (var each in history)
        {
            var (key, value) = (each.Key.ToString(), each.Type == WatchEventType.Put ? Text(each.Value) : null);
            string? previous = state.TryGetValue(key, out var before) ? before.Value : null;
            if (_acknowledged.Remove(each.Revision, out var written))
                Assert.Equal(written, new Written(key, value) { Previous = previous, IsAnswered = true });
            else
                Assert.True(unknown.Remove(new Written(key, value)), $"nobody wrote {Describe(each, true)}");
            Assert.Equal(previous, each.PreviousState == PreviousState.Value ? Text(each.PreviousValue) : null);
            Assert.Equal(previous is null ? PreviousState.Absent : PreviousState.Value, each.PreviousState);
            var create = previous is null ? each.Revision : before.Create;
            Assert.Equal((create, value is null ? 0 : before.Version + 1), (each.CreateRevision, each.Version));
            if (value is null)
                state.Remove(key);
            else
                state[key] = (value, create, each.Version);
        }

        Assert.Empty(_acknowledged);
    }

    private static void Judge(Watched watch, List<WatchEvent> history)
    {
        var expected = history.Where(each => each.Revision > watch.Start && Contains(watch.Target, each.Key.ToString())).Select(each => Describe(each, watch.PreviousValues)).ToList();
        var seen = watch.Events.Select(each => Describe(each, watch.PreviousValues)).ToList();
        if (watch.MayEndEarly && watch.Events is [.., { Type: WatchEventType.Canceled } end])
        {
            Assert.Equal(WatchEndReason.ServerStopping, end.Reason);
            seen.RemoveAt(seen.Count - 1);
            expected = expected.Take(seen.Count).ToList();
        }

        var at = expected.Zip(seen).TakeWhile(pair => pair.First == pair.Second).Count();
        Assert.True(expected.Count == seen.Count && at == seen.Count,
            $"{watch}: expected {expected.Count} events, saw {seen.Count}; at {at}, expected {expected.ElementAtOrDefault(at) ?? "the end"}, saw {seen.ElementAtOrDefault(at) ?? "the end"}");
    }

    private static string Describe(WatchEvent each, bool previousValues) =>
        $"{each.Type} {each.Key}={Text(each.Value)}@{each.Revision} v{each.Version} since {each.CreateRevision} {each.Reason}"
        + (previousValues ? $" was {each.PreviousState} {Text(each.PreviousValue)}" : "");

    private static string Text(ReadOnlyMemory<byte> bytes) => Encoding.UTF8.GetString(bytes.Span);

    private sealed record Written(string Key, string? Value)
    {
        public string? Previous { get; init; }

        public bool IsAnswered { get; init; }
    }

    private sealed class Watched(string name, WatchTarget target, bool previousValues, bool mayEndEarly)
    {
        public WatchTarget Target => target;

        public bool PreviousValues => previousValues;

        public bool MayEndEarly => mayEndEarly;

        public Revision Start { get; set; }

        public List<WatchEvent> Events { get; } = [];

        public override string ToString() => name;
    }

    private sealed class Observer(Watched watch) : IWatchObserver
    {
        public TaskCompletionSource Last { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task OnBatch(WatchBatch batch)
        {
            watch.Events.AddRange(batch.Events);
            if (batch.Events.Any(each => each.Type == WatchEventType.Canceled || IsLast(each, watch.Target)))
                Last.TrySetResult();
            return Task.CompletedTask;
        }
    }
}
